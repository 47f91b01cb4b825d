from streams.exact.failure import Backoff
from streams.exact.readiness import Standing, not_ready_reason

WORKS = Standing("running", is_running=True, failure=None, unanswered=0.2)


def told(partitions, silent=1.0):
    return not_ready_reason("words", "a-group", partitions, silent=silent, limit=6.0, now=130.0)


def test_ready_with_partitions_at_work_and_without_any():
    assert told({0: WORKS, 1: WORKS}) is None
    assert told({}) is None


def test_each_partition_that_is_missing_is_named_with_the_reason():
    backoff = Backoff(1.0, 3.0)
    backoff.failed("no leader", 100.0, 1_800_000_000.0)
    reason = told(
        {
            0: WORKS,
            1: Standing("failing", is_running=False, failure=backoff.failure, unanswered=0.0),
            2: WORKS._replace(unanswered=7.0),
            3: Standing("restoring", is_running=False, failure=None, unanswered=0.0),
            # At work for the moment, but not known to go on.
            4: WORKS._replace(failure=backoff.failure),
        }
    )
    assert reason == (
        "partitions 1, 4 of words are failing for 30 s (since 2027-01-15T08:00:00Z, 1 times): no "
        "leader; no fetch of partition 2 of words was answered for 7 s: what waits there is not "
        "known; partitions of words not at work yet: {3: 'restoring'}"
    )


def test_what_is_the_same_of_several_partitions_is_said_once():
    backoff = Backoff(1.0, 3.0)
    backoff.failed("odd {0} braces", 100.0, 1_800_000_000.0)
    away = WORKS._replace(unanswered=7.0)
    assert told({0: away, 1: WORKS._replace(failure=backoff.failure), 2: away, 3: away}) == (
        "partition 1 of words is failing for 30 s (since 2027-01-15T08:00:00Z, 1 times): odd {0} "
        "braces; no fetch of partitions 0, 2, 3 of words was answered for 7 s: what waits there "
        "is not known"
    )


def test_a_coordinator_that_does_not_answer_is_told_even_without_partitions():
    assert told({}, silent=12.4) == "the coordinator of group a-group has not answered for 12 s"
