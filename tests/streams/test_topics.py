import pytest

from streams.settings import Settings
from streams.topics import REJECTED_VALUE_BYTES, Topics


def test_names_are_those_of_the_contract():
    topics = Topics.of(Settings())
    assert [topic.name for topic in topics] == [
        "viewer-events",
        "viewer-events-rejected",
        "broadcast-summaries",
        "scope-summaries",
        "output-owner",
        "audience.live-audience.broadcasts-changelog",
        "audience.live-audience.scope-deltas",
        "audience.live-audience.scopes-changelog",
    ]


def test_prefix_stands_in_front_as_it_is_and_the_group_in_what_is_internal():
    topics = Topics.of(Settings(topic_prefix="eu.", group="blue"))
    assert topics.events.name == "eu.viewer-events"
    assert topics.broadcasts_changelog.name == "eu.audience.blue.broadcasts-changelog"
    assert topics.scope_deltas.name == "eu.audience.blue.scope-deltas"


def test_two_groups_share_no_internal_topic():
    blue = {topic.name for topic in Topics.of(Settings(group="blue"))}
    green = {topic.name for topic in Topics.of(Settings(group="green"))}
    assert len(blue & green) == 5


def test_outputs_may_have_a_prefix_of_their_own():
    one = {topic.name for topic in Topics.of(Settings(topic_prefix="eu."))}
    other = {topic.name for topic in Topics.of(Settings(topic_prefix="eu.", output_prefix="x."))}
    assert other - one == {
        "x.viewer-events-rejected",
        "x.broadcast-summaries",
        "x.scope-summaries",
        "x.output-owner",
    }


def test_longest_names_that_the_settings_allow_are_names_that_kafka_takes():
    for topic in Topics.of(Settings(topic_prefix="p" * 100, group="g" * 100)):
        assert len(topic.name) <= 249


def test_partitions_copies_and_retention_are_settings():
    settings = Settings(partitions=3, replication=3, retention="2d", rejected_retention="5d")
    topics = Topics.of(settings)
    assert {topic.replication for topic in topics} == {3}
    assert {topic.name for topic in topics if topic.partitions != 3} == {"output-owner"}
    assert topics.events.config["retention.ms"] == "172800000"
    assert topics.rejected.config["retention.ms"] == "432000000"


@pytest.mark.parametrize(("replication", "quorum"), [(1, "1"), (2, "1"), (3, "2"), (4, "2")])
def test_one_broker_may_fail_and_writes_go_on(replication, quorum):
    for topic in Topics.of(Settings(replication=replication)):
        assert topic.config["min.insync.replicas"] == quorum


def test_cleanup_is_that_of_the_contract():
    topics = Topics.of(Settings())
    assert {topic.name for topic in topics if topic.compacted} == {
        "broadcast-summaries",
        "scope-summaries",
        "output-owner",
        "audience.live-audience.broadcasts-changelog",
        "audience.live-audience.scopes-changelog",
    }


def test_changelogs_follow_what_they_are_the_state_of():
    topics = Topics.of(Settings())
    assert topics.broadcasts_changelog.co_partitioned == topics.events.name
    assert topics.scopes_changelog.co_partitioned == topics.scope_deltas.name


def test_whatever_can_be_read_can_be_refused():
    topics = Topics.of(Settings())
    events = int(topics.events.config["max.message.bytes"])
    rejected = int(topics.rejected.config["max.message.bytes"])
    assert rejected >= events + REJECTED_VALUE_BYTES + 64 * 1024


def test_a_segment_holds_the_largest_record():
    for topic in Topics.of(Settings()):
        if topic.compacted:
            assert int(topic.config["segment.bytes"]) >= 4 * int(topic.config["max.message.bytes"])
