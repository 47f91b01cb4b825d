import sys

import pytest

from agents.topics.findings import TopicState, findings
from streams.settings import Settings
from streams.topics import Topics

HOUR = 3_600_000
DAY = 24 * HOUR


def as_they_should_be(settings):
    return {
        topic.name: TopicState(topic.partitions, topic.replication, dict(topic.config))
        for topic in Topics.of(settings)
    }


def check(settings, **changes):
    """Findings where these topics (by attribute) have these settings, or are missing (None)."""
    topics = Topics.of(settings)
    found = as_they_should_be(settings)
    for name, change in changes.items():
        topic = getattr(topics, name)
        if change is None:
            del found[topic.name]
        elif isinstance(change, TopicState):
            found[topic.name] = change
        else:
            found[topic.name] = TopicState(
                topic.partitions, topic.replication, {**topic.config, **change}
            )
    return findings(settings, topics, found)


NAMES = [
    "events",
    "rejected",
    "broadcast_summaries",
    "scope_summaries",
    "output_owner",
    "broadcasts_changelog",
    "scope_deltas",
    "scopes_changelog",
]


@pytest.mark.parametrize("replication", [1, 2, 3])
def test_nothing_is_found_where_nothing_is_wrong(replication):
    settings = Settings(replication=replication)
    assert findings(settings, Topics.of(settings), as_they_should_be(settings)) == []


@pytest.mark.parametrize("name", NAMES)
def test_missing_one_is_an_error(name):
    (finding,) = check(Settings(), **{name: None})
    assert finding.severity == "error"
    assert "is missing" in finding.what
    assert "topics create" in finding.remedy


@pytest.mark.parametrize("name", NAMES)
def test_other_cleanup_is_an_error(name):
    config = getattr(Topics.of(Settings()), name).config
    other = "compact" if config["cleanup.policy"] == "delete" else "compact,delete"
    (finding,) = check(Settings(), **{name: {"cleanup.policy": other}})
    assert finding.severity == "error"
    assert f"cleanup.policy={other}" in finding.what
    assert f"--add-config cleanup.policy={config['cleanup.policy']}" in finding.remedy


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("rejected", "warning"),
        ("broadcast_summaries", "warning"),
        ("scope_summaries", "warning"),
        ("broadcasts_changelog", "error"),
        ("scopes_changelog", "error"),
    ],
)
def test_other_partitions(name, severity):
    config = dict(getattr(Topics.of(Settings()), name).config)
    (finding,) = check(Settings(), **{name: TopicState(12, 1, config)})
    assert finding.severity == severity
    assert "has 12 partitions" in finding.what


@pytest.mark.parametrize("name", ["rejected", "broadcast_summaries", "scope_summaries"])
def test_outputs_that_a_repartition_left_as_they_are_are_no_finding(name):
    config = dict(getattr(Topics.of(Settings()), name).config)
    assert check(Settings(), **{name: TopicState(4, 1, config)}) == []


def test_the_way_back_is_no_remedy_where_the_source_has_got_more_partitions():
    config = dict(Topics.of(Settings()).scope_deltas.config)
    finding = check(Settings(), scope_deltas=TopicState(4, 1, config))[0]
    assert finding.severity == "error"
    assert finding.remedy.startswith("stop all workers, set AUDIENCE_PARTITIONS=8, then")


def test_other_partitions_of_the_source_are_the_source_s_and_its_changelog_s():
    config = dict(Topics.of(Settings()).events.config)
    source, changelog = check(Settings(), events=TopicState(12, 1, config))
    assert source.severity == changelog.severity == "error"
    assert source.topic == "viewer-events"
    assert source.remedy == "set AUDIENCE_PARTITIONS=12"
    assert "AUDIENCE_PARTITIONS=12, then `live-audience state repartition`" in changelog.remedy
    assert "viewer-events has 12" in changelog.what


def test_source_and_changelog_that_agree_are_one_finding_away_from_the_setting():
    topics = Topics.of(Settings())
    (finding,) = check(
        Settings(),
        events=TopicState(12, 1, dict(topics.events.config)),
        broadcasts_changelog=TopicState(12, 1, dict(topics.broadcasts_changelog.config)),
    )
    assert finding.topic == "viewer-events"


def test_fewer_partitions_of_the_source_can_be_added_with_the_state_kept():
    topics = Topics.of(Settings(partitions=4))
    (finding,) = check(
        Settings(),
        events=TopicState(4, 1, dict(topics.events.config)),
        broadcasts_changelog=TopicState(4, 1, dict(topics.broadcasts_changelog.config)),
    )
    assert finding.remedy.startswith("set AUDIENCE_PARTITIONS=4; for 8, stop all workers")
    assert "`live-audience state repartition`" in finding.remedy


def test_what_a_rebuild_cannot_give_is_said():
    (finding,) = check(Settings(), scope_deltas=None)
    for said in ("AUDIENCE_OUTPUT_PREFIX", "--take-over", "counted and not published"):
        assert said in finding.remedy


def test_fewer_copies_are_a_warning():
    settings = Settings(replication=3)
    config = {**Topics.of(settings).events.config, "min.insync.replicas": "1"}
    (finding,) = check(settings, events=TopicState(8, 2, config))
    assert finding.severity == "warning"
    assert "AUDIENCE_REPLICATION=2" in finding.remedy


def test_more_copies_in_step_than_there_are_is_an_error():
    (finding,) = check(Settings(), events={"min.insync.replicas": "2"})
    assert finding.severity == "error"
    assert "nothing can be written" in finding.what


def test_fewer_copies_in_step_is_a_warning():
    (finding,) = check(Settings(replication=3), events={"min.insync.replicas": "1"})
    assert finding.severity == "warning"


@pytest.mark.parametrize(("copies", "quorum", "right"), [(2, 2, 1), (3, 3, 2)])
def test_all_copies_in_step_is_a_warning(copies, quorum, right):
    (finding,) = check(
        Settings(replication=copies), broadcasts_changelog={"min.insync.replicas": str(quorum)}
    )
    assert finding.severity == "warning"
    assert "while one of their brokers is away" in finding.what
    assert finding.remedy.endswith(f"--add-config min.insync.replicas={right}")


@pytest.mark.parametrize("name", NAMES)
def test_a_leader_that_is_behind_is_a_warning(name):
    change = {"unclean.leader.election.enable": "true"}
    (finding,) = check(Settings(replication=3), **{name: change})
    assert finding.severity == "warning"
    assert finding.remedy.endswith("--add-config unclean.leader.election.enable=false")
    assert check(Settings(replication=1), **{name: change}) == []  # there is no other copy
    change = {"unclean.leader.election.enable": "false"}
    assert check(Settings(replication=3), **{name: change}) == []


#: What a topic has that was made by hand, or by Kafka itself.
PRODUCERS_TIME = {"message.timestamp.type": "CreateTime"}


def test_producers_timestamps_are_a_warning_that_says_what_they_mean():
    (finding,) = check(Settings(), events=PRODUCERS_TIME)
    assert finding.severity == "warning"
    assert finding.topic == "viewer-events"
    assert "message.timestamp.type=CreateTime, not LogAppendTime" in finding.what
    for said in ("the same wrong time", "the workers' clocks alone", "a margin of 10 min"):
        assert said in finding.what
    assert finding.remedy.endswith("--add-config message.timestamp.type=LogAppendTime")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "events"])
@pytest.mark.parametrize("kind", ["CreateTime", "LogAppendTime"])
def test_whose_time_other_topics_have_is_nothing_to_us(name, kind):
    assert check(Settings(), **{name: {"message.timestamp.type": kind}}) == []


@pytest.mark.parametrize(
    ("ahead", "future", "told"),
    [
        (120_000, "2m", None),
        (120_001, "2m", "2m1ms) by more than AUDIENCE_FUTURE (2m)"),
        (3_600_000, "2m", "1h) by more than AUDIENCE_FUTURE (2m)"),  # Kafka's own default
        (7_200_000, "2h", None),
        (2**63 - 1, "2m", "by any time) by more than AUDIENCE_FUTURE (2m)"),
    ],
)
def test_a_producers_clock_that_may_be_far_ahead_is_a_warning(ahead, future, told):
    change = {**PRODUCERS_TIME, "message.timestamp.after.max.ms": str(ahead)}
    of_type, *found = check(Settings(future=future), events=change)
    assert "message.timestamp.type" in of_type.what
    assert [finding.severity for finding in found] == (["warning"] if told else [])
    if told:
        assert told in found[0].what
        most = 7_200_000 if future == "2h" else 120_000
        assert found[0].remedy.endswith(f"message.timestamp.after.max.ms={most}")


@pytest.mark.parametrize("ahead", [3_600_000, 2**63 - 1])
def test_a_producers_clock_counts_for_nothing_where_the_broker_gives_the_time(ahead):
    """The broker then compares no producer's timestamp with its own clock."""
    assert check(Settings(), events={"message.timestamp.after.max.ms": str(ahead)}) == []


@pytest.mark.parametrize("name", NAMES)
def test_small_messages_are_an_error(name):
    (finding,) = check(Settings(), **{name: {"max.message.bytes": "65536"}})
    assert finding.severity == "error"
    assert "max.message.bytes" in finding.what


def test_producers_may_be_held_to_smaller_batches_of_events():
    assert check(Settings(), events={"max.message.bytes": "100000"}) == []


def test_larger_events_need_no_more_room_where_they_are_refused():
    """What is refused is cut to what fits."""
    assert check(Settings(), events={"max.message.bytes": "100000000"}) == []


@pytest.mark.parametrize(
    ("retention", "severity", "outlives_scopes"),
    [
        (HOUR, "warning", False),
        (8 * DAY - 1, "warning", False),
        (8 * DAY, "warning", True),
        (35 * DAY - 1, "warning", True),
        (35 * DAY, "error", True),
        (-1, "error", True),
    ],
)
def test_retention_of_events(retention, severity, outlives_scopes):
    finding, *others = check(Settings(), events={"retention.ms": str(retention)})
    assert finding.severity == severity
    assert finding.topic == "viewer-events"
    assert [(each.severity, "AUDIENCE_SCOPE_HISTORY" in each.what) for each in others] == (
        [("warning", True)] if outlives_scopes else []
    )


def test_retention_of_the_others_may_be_longer():
    longer = {"retention.ms": "-1"}
    assert check(Settings(), rejected=longer, scope_deltas=longer) == []


@pytest.mark.parametrize("name", ["rejected", "scope_deltas"])
def test_shorter_retention_of_the_others_is_a_warning(name):
    (finding,) = check(Settings(), **{name: {"retention.ms": "1000"}})
    assert finding.severity == "warning"
    assert "keeps its records 1s" in finding.what


def test_retention_by_size_is_a_warning():
    (finding,) = check(Settings(), events={"retention.bytes": "1000000"})
    assert finding.severity == "warning"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("segment.bytes", "1073741824"),
        ("segment.ms", "604800000"),
        ("min.cleanable.dirty.ratio", "0.5"),
        ("max.compaction.lag.ms", "9223372036854775807"),
        ("delete.retention.ms", "1000"),
    ],
)
def test_late_cleaning_is_a_warning(setting, value):
    (finding,) = check(Settings(), broadcasts_changelog={setting: value})
    assert finding.severity == "warning"
    assert setting in finding.what
    assert f"--add-config {setting}=" in finding.remedy


def test_kafka_s_own_defaults_of_compaction_are_one_finding():
    defaults = {"segment.bytes": "1073741824", "segment.ms": "604800000"}
    (finding,) = check(Settings(), scopes_changelog=defaults)
    assert "segment.bytes=16777216,segment.ms=3600000" in finding.remedy


def test_earlier_cleaning_is_fine():
    assert check(Settings(), scopes_changelog={"segment.ms": "60000"}) == []


def test_settings_that_may_not_be_read_are_a_warning():
    (finding,) = check(Settings(), events=TopicState(8, 1, None))
    assert finding.severity == "warning"
    assert "DescribeConfigs" in finding.remedy


@pytest.mark.parametrize("codec", ["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"])
def test_topics_may_compress(codec):
    assert check(Settings(), broadcasts_changelog={"compression.type": codec}) == []


def test_a_codec_that_is_not_known_is_an_error():
    (finding,) = check(Settings(), events={"compression.type": "brotli"})
    assert (finding.severity, "brotli" in finding.what) == ("error", True)
    assert "compression.type=producer" in finding.remedy


def test_a_codec_that_cannot_be_read_for_want_of_a_package_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "lz4", None)
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    (finding,) = check(Settings(), events={"compression.type": "lz4"})
    assert finding.severity == "error"
    assert finding.remedy == "pip install lz4"
