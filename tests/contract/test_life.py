"""Section 4 clause by clause: final as a state, what is published when, runs, rows that go."""

import pytest
from contract.telling import KEY, Told, at, ms

NEXT = "2026-11-21"


def show(**settings):
    """Ten minutes of 10 viewers that end at 12:10."""
    told = Told(**settings)
    told.minutes("12:00", "12:09", 10)
    told.tell("12:10:00", kind="ended")
    return told


def statuses(told):
    return [(key, summary["status"]) for key, summary in told.twin.published]


def test_an_ended_broadcast_is_final_its_lateness_after_what_was_not_idle():
    told = show()
    told.minutes("12:11", "12:25", 0)  # a poller that tells 0 holds nothing open
    told.advance("12:25:59")
    assert told.b1["status"] == "ended"
    told.advance("12:26:00")
    assert told.b1["status"] == "final"
    assert statuses(told) == [(KEY, "ended"), (KEY, "final")]
    assert told.twin.last_published()[KEY]["events"] == 26


def test_what_comes_twice_holds_nothing_open():
    told = show()
    told.tell("12:09:30", 10, read=ms("12:20:00"))
    told.tell("12:10:00", kind="ended", read=ms("12:21:00"))
    told.advance("12:26:00")
    assert statuses(told) == [(KEY, "ended"), (KEY, "final")]


def test_a_title_after_the_end_is_told_and_holds_nothing_open():
    told = show()
    told.tell("12:20:00", 0, title="What a night")
    assert told.twin.last_published()[KEY]["title"] == "What a night"
    told.advance("12:26:00")
    assert statuses(told) == [(KEY, "ended"), (KEY, "ended"), (KEY, "final")]


def test_an_end_that_moves_on_is_not_idle():
    told = show()
    told.tell("12:15:00", kind="ended")
    told.advance("12:30:59")
    assert told.b1["status"] == "ended"
    told.advance("12:31:00")
    assert told.b1["status"] == "final"


def test_a_correction_is_not_idle():
    told = show()
    told.tell("12:09:30", 11, revision=1, read=ms("12:20:00"))
    told.advance("12:35:59")
    assert told.b1["status"] == "ended"
    told.advance("12:36:00")
    assert told.b1["status"] == "final"
    assert statuses(told) == [(KEY, "ended"), (KEY, "ended"), (KEY, "final")]


def test_what_is_silent_is_final_after_the_silence_time_and_idle_events_are_no_silence():
    told = Told(silence="20m")
    told.tell("12:00:30", 10)
    told.tell("12:00:30", 10, read=ms("12:10:30"))  # says nothing new, but something
    told.advance("12:31:29")
    assert told.b1["status"] == "live"
    told.advance("12:31:30")
    assert told.b1["status"] == "final"
    assert told.scope("live", "broadcasts") == [0, 1]


def test_a_partition_that_is_behind_finalises_nothing():
    told = show()
    told.advance("14:00:00", behind=(0,))
    assert told.b1["status"] == "ended"


def test_a_show_goes_on_after_an_outage():
    told = Told()
    told.tell("12:00:30", 10)
    told.advance("12:30:00")
    assert told.b1["status"] == "final"
    told.tell("13:00:30", 20)
    assert told.b1["status"] == "live"
    assert statuses(told) == [(KEY, "final"), (KEY, "live")]
    assert told.scope("live", "broadcasts") == [1, 1]
    told.advance("14:00:00")
    assert statuses(told)[2:] == [(KEY, "final")]
    assert told.figures("minutes_live", "minutes_carried", "viewer_minutes") == [61, 2, 50]


def test_what_says_nothing_new_leaves_it_final():
    told = Told()
    told.tell("12:00:30", 10)
    told.advance("12:30:00")
    told.tell("12:00:30", 10, read=ms("12:30:01"))
    assert told.b1["status"] == "final"
    assert len(told.twin.published) == 1


def test_an_end_after_the_silence_leaves_it_final():
    told = Told()
    told.tell("12:00:30", 10)
    told.advance("12:30:00")
    told.tell("12:01:00", kind="ended", read=ms("12:31:00"))
    assert statuses(told) == [(KEY, "final"), (KEY, "final")]
    assert told.twin.last_published()[KEY]["ended_at"] == "2026-11-20T12:01:00Z"


def test_late_records_alone_are_not_told_until_the_row_goes():
    told = show()
    assert told.tell("11:00:00", 3) == "late"
    told.advance("12:27:00")
    assert told.twin.last_published()[KEY]["late"] == 1
    told.tell("11:00:00", 3)
    assert told.twin.last_published()[KEY]["late"] == 1
    told.advance("00:26:00", NEXT)  # 12 h, 15 min and 1 min after 12:10
    assert told.twin.last_published()[KEY]["late"] == 1
    told.advance("00:26:01", NEXT)
    assert told.twin.last_published()[KEY]["late"] == 2
    assert told.tell("12:09:30", 3, revision=2) == "late"
    assert told.twin.last_published()[KEY]["late"] == 2  # its row is gone


def test_a_second_run_begins_more_than_the_gap_after_an_end():
    told = show()
    told.tell("13:10:59", 5)  # 60 minutes after 12:10: it went on
    assert told.twin.run_keys() == [KEY]
    told = show()
    told.tell("13:11:00", 5)
    assert told.twin.run_keys() == [KEY, "twitch/20261120T1311:b1"]
    assert statuses(told) == [(KEY, "ended"), (KEY, "final")]
    second = told.twin.summary("twitch/20261120T1311:b1")
    assert (second["run"], second["peak"], second["events"]) == ("2026-11-20T13:11:00Z", 5, 1)
    assert told.b1["run"] is None
    assert told.scope("broadcasts", "live", "peak_sum", "viewers") == [2, 1, 15, 5]


@pytest.mark.parametrize(
    ("event", "ended_at"),
    [
        ({"viewers": 0}, "12:10:00"),
        ({}, "12:10:00"),
        ({"viewers": 5, "revision": 1}, None),  # so it went on, with a hole
        ({"kind": "started", "revision": 1}, None),
        ({"kind": "ended"}, "13:11:00"),
    ],
)
def test_what_does_not_begin_a_run(event, ended_at):
    told = show()
    told.tell("13:11:00", **event)
    assert told.twin.run_keys() == [KEY]
    assert told.b1["ended_at"] == (None if ended_at is None else at(ended_at))


def test_what_is_late_begins_no_run():
    told = show()
    told.minutes("12:11", "13:40", 0)
    assert told.tell("13:25:59", 5, kind="started", read=ms("13:41:00")) == "late"
    assert told.twin.run_keys() == [KEY]
    told.tell("13:26:00", 5, kind="started", read=ms("13:41:00"))
    assert len(told.twin.run_keys()) == 2


def test_all_up_to_the_end_of_the_gap_is_sealed_for_the_new_run():
    told = show()
    told.tell("13:11:00", kind="started")
    second = told.twin.run_keys()[1]
    assert told.tell("13:10:59", 7) == "late"
    assert told.tell("12:09:00", 7, revision=1) == "late"
    assert told.figures("events", "late", key=second) == [1, 2]
    assert told.b1["late"] == 0


def test_without_an_end_the_gap_is_after_the_newest_that_does_not_tell_zero():
    told = Told()
    told.tell("00:00:30", 10)
    told.minutes("00:01", "00:40", 0)
    told.tell("00:41:30")  # unknown is not 0
    told.tell("12:41:30", 10)
    assert told.twin.run_keys() == [KEY]
    told = Told()
    told.tell("00:00:30", 10)
    told.minutes("00:01", "00:40", 0)
    told.tell("12:01:30", 10)
    assert len(told.twin.run_keys()) == 2
    told = Told()
    told.minutes("00:00", "00:40", 0)
    told.tell("12:40:30", 10)
    assert told.twin.run_keys() == [KEY]
    told.tell("12:40:59", 10, day=NEXT)
    assert len(told.twin.run_keys()) == 2


def test_a_tombstone_counts_as_an_end_that_stands():
    told = Told()
    told.tell("12:00:30", 10)
    told.advance("00:16:31", NEXT)
    assert told.tell("00:16:32", 0, day=NEXT) == "late"
    assert told.tell("13:00:59", 5) == "late"
    assert told.tell("13:01:00", 5) is None
    assert told.twin.run_keys()[1] == "twitch/20261120T1301:b1"


def test_a_tombstone_expires():
    told = show(tombstone="1d")
    told.advance("01:00:00", NEXT)
    told.advance("00:59:59", "2026-11-22")
    assert told.tell("12:10:00", 0, read=ms("00:59:59", "2026-11-22")) == "late"
    told.tell("12:20:00", 0, read=ms("01:00:00", "2026-11-22"))
    assert told.twin.run_keys() == [KEY, KEY]


def test_a_run_that_was_final_tells_its_last_counts_when_the_next_begins():
    told = show()
    told.advance("13:00:00")
    told.tell("13:05:00", 0)
    told.tell("14:00:00", kind="started")
    assert statuses(told) == [(KEY, "ended"), (KEY, "final"), (KEY, "final")]
    assert told.twin.last_published()[KEY]["events"] == 12


def test_gaps_by_platform():
    told = show(restart_gap_by_platform="twitch=20m")
    told.tell("12:31:00", 5)
    assert len(told.twin.run_keys()) == 2
