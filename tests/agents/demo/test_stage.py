"""The settings of one run of the demo."""

from datetime import timedelta

import pytest

from agents.demo.setup import settings_for
from streams.errors import MisuseError
from streams.settings import Settings

ELSEWHERE = {
    "lateness": timedelta(hours=3),
    "lateness_by_platform": {"fliggy": timedelta(minutes=1)},
    "carry": timedelta(minutes=0),
    "partitioner": "crc32",
    "future": timedelta(days=1),
    "silence": timedelta(seconds=1),
    "instance": "pod-1",
    "partitions": 3,
}
SASL = {"security": "SASL_PLAINTEXT", "security_user": "me", "security_password": "secret"}


def test_what_its_figures_rest_on_is_fixed(tmp_path):
    mine = settings_for(Settings(data=tmp_path, **ELSEWHERE), None)
    for field in ELSEWHERE.keys() - {"partitions"}:
        assert getattr(mine, field) == Settings.model_fields[field].get_default(
            call_default_factory=True
        )
    assert (mine.partitions, mine.data) == (3, tmp_path), "the rest is the user's"


def test_each_run_has_topics_and_a_group_of_its_own():
    one, other = settings_for(Settings(), None), settings_for(Settings(), None)
    assert one.topic_prefix != other.topic_prefix
    assert one.group != other.group
    assert one.topic_prefix.startswith("demo-")


def test_its_own_broker_is_spoken_to_plainly():
    mine = settings_for(Settings(replication=3, **SASL), None)
    assert (mine.security, mine.security_user, mine.password()) == ("PLAINTEXT", "", "")
    assert mine.replication == 1


def test_those_of_the_user_are_spoken_to_as_he_says():
    mine = settings_for(Settings(replication=3, **SASL), "kafka-1,kafka-2:9093")
    assert mine.brokers == ("kafka-1:9092", "kafka-2:9093")
    assert (mine.security, mine.password(), mine.replication) == ("SASL_PLAINTEXT", "secret", 3)


def test_brokers_that_are_none_are_named():
    with pytest.raises(MisuseError, match=r"--brokers kafka:x: .*port"):
        settings_for(Settings(), "kafka:x")


def test_a_show_may_fix_more(tmp_path):
    history = timedelta(days=400)
    mine = settings_for(Settings(data=tmp_path), None, {"scope_history": history})
    assert mine.scope_history == history
