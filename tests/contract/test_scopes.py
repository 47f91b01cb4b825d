"""Sections 5 and 7 clause by clause: names, and the scopes' figures."""

import pytest
from contract.reading import record
from contract.rules import Settings
from contract.telling import Told, at, ms

EVENT = {"platform": "twitch", "broadcast": "b1", "viewers": 4}


def test_the_earliest_name_counts_until_a_minute_is_sealed():
    told = Told()
    told.tell("12:00:30", 10)
    told.tell("12:05:30", 10, venue="prado", programme="day")
    assert told.scope("broadcasts", "live", "viewers", scope="venue:prado") == [1, 1, 10]
    told.tell("12:04:30", 10, venue="louvre")
    assert told.figures("venue", "programme") == ["louvre", "day"]
    gone = told.scope("broadcasts", "live", "peak", "viewers", "minute", scope="venue:prado")
    assert gone == [0, 0, None, None, at("12:05:00")]
    assert told.twin.relabelled() == 0
    told.tell("12:15:30", 10, venue="asia")  # this one seals 12:00
    told.tell("12:02:30", 10, venue="museo", read=ms("12:15:31"))
    assert told.b1["venue"] == "louvre"
    assert told.twin.relabelled() == 1
    assert told.scope("broadcasts", "peak", scope="venue:louvre") == [1, 10]


def test_names_are_settled_by_a_sealed_minute_not_by_how_many_were_told():
    told = Told()
    for second in range(10):
        told.tell(f"12:00:{second:02}", 10)
    told.tell("12:14:59", 10, venue="prado")
    told.tell("12:13:00", 10, venue="louvre", read=ms("12:14:59"))
    assert told.b1["venue"] == "louvre"


def test_of_one_time_the_least_name_counts():
    told = Told()
    told.tell("12:00:30", 10, venue="prado")
    told.tell("12:00:30", 10, venue="louvre")
    assert told.b1["venue"] == "louvre"


def test_who_named_nothing_in_time_stays_unknown():
    told = Told()
    told.tell("12:00:30", 10)
    told.tell("12:15:30", 10)
    told.tell("12:16:30", 10, venue="prado")
    assert told.b1["venue"] == "unknown"
    assert told.twin.relabelled() == 1
    assert told.twin.scopes() == ["platform:twitch", "venue:unknown", "world"]


def test_each_run_has_its_own_names():
    told = Told()
    told.tell("12:00:30", 10, venue="prado")
    told.tell("12:01:00", kind="ended")
    told.tell("14:00:00", 3, kind="started", venue="louvre")
    assert [told.twin.summary(key)["venue"] for key in told.twin.run_keys()] == ["prado", "louvre"]


def test_now_is_what_is_live_and_fresh():
    told = Told()
    told.tell("12:00:00", 10)
    told.tell("12:00:00", 7, broadcast="b2", platform="kick")
    told.tell("12:03:00", broadcast="b2", platform="kick")  # unknown: tells no viewers
    told.advance("12:04:59")
    assert told.scope("viewers") == [17]
    told.tell("12:04:59", 11)
    told.advance("12:05:00")
    assert told.scope("viewers") == [11]
    assert not told.twin.counts_now("kick:b2")
    assert told.scope("viewers", scope="platform:kick") == [None]
    assert told.scope("live", scope="platform:kick") == [1]
    told.tell("12:05:01", kind="ended")
    assert told.scope("viewers", "live") == [None, 1]
    assert told.twin.exported("platform:twitch")
    told.advance("12:09:59")
    assert not told.twin.exported("platform:twitch")
    assert told.twin.exported("world")


def test_a_run_that_is_done_keeps_no_scope_in_the_metrics():
    told = Told(end_tolerance="2m", restart_gap="6m")
    told.tell("12:00:30", 10, venue="prado")
    told.tell("12:01:00", kind="ended")
    told.tell("12:08:00", 0)
    told.tell("12:08:30", kind="started", venue="louvre")
    told.advance("12:08:31")
    assert not told.twin.exported("venue:prado")
    assert told.twin.exported("venue:louvre")


def test_zero_is_told_too():
    told = Told()
    told.tell("12:00:00", 10)
    told.tell("12:04:00", 0)
    told.advance("12:06:00")
    assert told.scope("viewers") == [0]


def test_where_the_carry_is_longer_what_was_told_stays_fresh_longer():
    told = Told(carry="10m")
    told.tell("12:00:00", 10)
    told.advance("12:10:59")
    assert told.scope("viewers") == [10]
    told.advance("12:11:00")
    assert told.scope("viewers") == [None]


def test_a_partition_that_is_behind_dents_nothing():
    told = Told(silence="2h")  # else it would be final
    told.tell("12:00:00", 10)
    told.advance("12:20:00", behind=(0,))
    assert told.scope("viewers") == [10]
    told.advance("12:20:00")
    assert told.scope("viewers") == [None]
    told.advance("12:21:00", behind=(0,))
    assert told.scope("viewers") == [None]  # stale before, and nothing new was told
    told.twin.feed(record({**EVENT, "at": at("12:19:00")}, ms("12:19:00"), ms("12:30:00")))
    assert told.scope("viewers") == [4]
    told.advance("12:30:00")
    assert told.scope("viewers") == [None]


def test_the_peak_is_of_the_sum_with_waiting_rooms_and_what_is_carried():
    told = Told()
    told.tell("12:00:30", 10)
    told.tell("12:02:30", 20, broadcast="b2")
    assert told.scope("peak", "peak_at", "peak_sum") == [30, at("12:02:00"), 30]
    told.tell("12:02:45", kind="started")
    assert told.scope("peak", "peak_at", "peak_sum") == [30, at("12:02:00"), 20]


def test_the_peak_goes_up_to_an_end_that_stands():
    told = Told()
    told.tell("12:00:30", 10)
    told.tell("12:01:30", kind="ended")
    told.tell("12:02:30", 15)
    told.tell("12:02:30", 20, broadcast="b2")
    assert told.scope("peak", "peak_at", "minute") == [20, at("12:02:00"), at("12:02:00")]
    told.tell("12:02:31", kind="started")
    assert told.scope("peak") == [35]


def test_what_is_told_after_an_end_in_its_minute_is_not_in_the_peak():
    told = Told()
    told.tell("12:00:30", 10)
    told.tell("12:01:20", kind="ended")
    told.tell("12:01:50", 20)
    told.tell("12:01:00", 5, broadcast="b2")
    assert told.scope("peak", "peak_at") == [15, at("12:01:00")]  # the minute carries 10


def test_the_minute_is_the_newest_that_was_ever_the_last_of_a_span():
    told = Told()
    told.tell("12:07:30", 10)
    told.tell("12:05:00", kind="ended", read=ms("12:07:31"))
    told.tell("12:09:30", 0)
    assert told.scope("minute") == [at("12:07:00")]


def test_parts_of_a_stream_are_summed_by_their_programme():
    told = Told()
    told.tell("12:00:10", 300, broadcast="hall@edge-1", programme="hall")
    told.tell("12:00:40", 200, broadcast="hall@edge-2", programme="hall")
    figures = ("peak", "viewers", "viewer_minutes", "broadcasts")
    assert told.scope(*figures, scope="programme:hall") == [500, 500, 500, 2]


def test_settings_that_are_refused():
    for wrong in (
        {"AUDIENCE_END_TOLERANCE": "61m"},
        {"AUDIENCE_END_TOLERANCE": "3h", "AUDIENCE_RESTART_GAP": "4h"},
        {"AUDIENCE_RESTART_GAP": "13h"},
        {"AUDIENCE_CARRY_BY_PLATFORM": "youtube=61m"},
        {"AUDIENCE_RUN_GAP_BY_PLATFORM": "youtube=30m"},
        {"AUDIENCE_CARY": "1m"},
    ):
        with pytest.raises(ValueError, match="settings"):
            Settings(wrong)
