"""Sections 2 and 3 clause by clause, with figures worked out by hand."""

from contract.telling import Told, at


def test_the_start_is_of_the_highest_revision_and_the_earliest_of_these():
    told = Told()
    told.tell("12:00:00", kind="started")
    assert told.b1["started_at"] == at("12:00:00")
    told.tell("12:05:00", kind="started", revision=1)
    told.tell("12:07:00", kind="started", revision=1)
    told.tell("11:59:00", kind="started")
    assert told.b1["started_at"] == at("12:05:00")
    told.tell("12:06:00", kind="started", revision=2)
    assert told.b1["started_at"] == at("12:06:00")


def test_a_start_without_figures_restates_no_minute():
    told = Told()
    told.tell("12:00:10", 5)
    told.tell("12:00:05", kind="started", revision=3)
    assert told.figures("viewers", "first_minute", "minutes_observed") == [5, 5, 1]
    told.tell("12:00:06", -1, kind="ended", revision=9)
    assert told.figures("ended_at", "minutes_observed") == [at("12:00:06"), 0]  # told after it
    told.tell("12:00:08", kind="started", views=7, revision=1)
    assert told.b1["ended_at"] is None  # it resumed; and now it has part in the minute
    assert told.figures("viewers", "views", "minutes_observed") == [None, 7, 0]


def test_an_end_stands_for_the_tolerance_and_not_for_one_instant_more():
    told = Told()
    told.minutes("12:00", "12:09", 4)
    told.tell("12:10:00", kind="ended")
    told.tell("12:20:00", 4)
    assert told.b1["ended_at"] == at("12:10:00")
    told.tell("12:20:00.000001", 0)
    assert told.b1["ended_at"] == at("12:10:00")
    told.tell("12:20:00.000001", 4)
    assert told.b1["ended_at"] is None
    assert told.figures("minutes_observed", "minutes_live", "viewer_minutes") == [11, 21, 52]


def test_a_start_of_any_revision_resumes():
    told = Told()
    told.tell("12:00:00", kind="started", revision=2)
    told.tell("12:10:00", kind="ended")
    told.tell("12:10:00", kind="started")
    assert told.b1["ended_at"] == at("12:10:00")  # not later
    told.tell("12:10:01", kind="started")
    assert told.figures("ended_at", "started_at") == [None, at("12:00:00")]


def test_what_comes_after_an_end_waits_and_counts_if_the_end_moves_on():
    told = Told()
    told.minutes("12:00", "12:04", 10)
    told.tell("12:05:00", kind="ended")
    told.minutes("12:06", "12:08", 0)
    before = told.figures("minutes_observed", "minutes_carried", "viewer_minutes", "average")
    assert before == [5, 1, 60, 10]
    told.tell("12:08:45", kind="ended")
    after = told.figures("minutes_observed", "minutes_carried", "viewer_minutes", "average")
    assert after == [8, 1, 60, 60 / 9]


def test_what_was_told_before_the_start_in_its_minute_waits():
    told = Told()
    told.tell("12:00:10", 900)
    told.tell("12:00:20", kind="started")
    figures = ("peak", "waiting_peak", "first_minute", "minutes_observed", "viewers")
    assert told.figures(*figures) == [None, 900, None, 0, None]
    told.tell("12:00:20", 700)  # at the start itself: within
    assert told.figures(*figures) == [700, None, 700, 1, 700]
    told.tell("12:00:40", 500)
    assert told.figures(*figures) == [500, None, 500, 1, 500]  # `high` is the audience there


def test_a_start_that_no_event_gives_sets_no_border():
    told = Told()
    told.tell("12:00:10", 900)
    told.tell("12:00:40", 500)
    assert told.figures("peak", "waiting_peak", "viewers") == [900, None, 500]


def test_what_was_told_after_the_end_in_its_minute_is_not_observed():
    told = Told()
    told.tell("12:00:30", 10)
    told.tell("12:01:20", kind="ended")
    told.tell("12:01:20", 30)
    figures = ("peak", "minutes_observed", "minutes_carried", "viewer_minutes")
    assert told.figures(*figures) == [30, 2, 0, 40]
    told.tell("12:01:50", 20)
    assert told.figures(*figures) == [10, 1, 1, 20]  # the minute carries


def test_the_end_ends_the_carrying_and_its_first_instant_belongs_to_it():
    told = Told()
    told.tell("12:00:30", 10)
    told.tell("12:01:00", kind="ended")
    assert told.figures("minutes_carried", "minutes_live", "viewer_minutes") == [1, 2, 20]


def test_a_minute_carries_only_from_the_span():
    told = Told()
    told.tell("11:59:30", 900)
    told.tell("12:00:00", kind="started")
    told.tell("12:02:30", 10)
    assert told.figures("minutes_carried", "viewer_minutes", "waiting_peak") == [0, 10, 900]
    assert told.figures("minutes_live", "coverage") == [3, 1 / 3]


def test_a_waiting_room_has_no_part_in_the_figures():
    told = Told()
    told.tell("11:58:30", 900, joins=4, views=50)
    told.tell("12:00:00", 10, kind="started", joins=1, views=20)
    figures = ("joins", "views", "peak", "peak_5m", "peak_1h", "viewer_minutes", "waiting_peak")
    assert told.figures(*figures) == [1, 20, 10, 10, 10, 10, 900]


def test_views_are_those_of_the_newest_minute_of_the_span():
    told = Told()
    told.tell("12:00:10", 1, views=100)
    told.tell("12:01:10", 1, views=40)
    told.tell("12:02:10", 1)
    assert told.b1["views"] == 40
    told.tell("12:02:30", kind="ended")
    told.tell("12:03:10", 0, views=9)
    assert told.b1["views"] == 40
    assert told.scope("views") == [40]


def test_windows_go_back_from_the_newest_minute_even_past_an_end():
    told = Told()
    told.tell("12:00:30", 10)
    told.tell("12:01:30", kind="ended")
    told.tell("12:04:30", 0)
    assert told.figures("peak_5m", "peak_1h") == [10, 10]
    told.tell("12:05:30", 0)
    assert told.figures("peak_5m", "peak_1h") == [None, 10]


def test_first_audience_passes_zeros_over():
    told = Told()
    told.tell("12:00:00", 0, kind="started")
    assert told.figures("first_audience", "first_audience_at", "first_minute") == [None, None, 0]
    told.tell("12:01:30", 0)
    told.tell("12:03:30", 8)
    assert told.figures("first_audience", "first_audience_at") == [8, at("12:03:00")]


def test_peak_held_is_what_two_successive_minutes_reached():
    told = Told()
    told.tell("12:00:30", 10)
    assert told.b1["peak_held"] is None
    told.tell("12:03:30", 7)  # carry + 1 minutes on
    assert told.b1["peak_held"] == 7
    told.tell("12:04:30", 6)
    told.tell("12:08:30", 9)  # one minute more, so not a pair
    told.tell("12:12:30", 9)
    assert told.b1["peak_held"] == 7
    told.tell("12:13:30", 0)
    told.tell("12:14:30", 9)  # its neighbour told 0
    assert told.b1["peak_held"] == 7


def test_peak_held_is_null_where_nobody_ever_watched():
    told = Told()
    told.minutes("12:00", "12:03", 0)
    assert told.figures("peak", "peak_held", "viewer_minutes", "average") == [0, None, 0, 0]


def test_a_hole_is_neither_observed_nor_carried():
    told = Told(carry_by_platform="twitch=5m")
    told.tell("12:00:30", 10)
    told.tell("12:10:30", 10)
    figures = ("minutes_observed", "minutes_carried", "minutes_live")
    assert told.figures(*figures) == [2, 5, 11]


def test_a_start_put_later_makes_a_waiting_room_of_sealed_minutes():
    told = Told()
    told.tell("11:00:00", 50, kind="started", joins=3)
    told.minutes("11:01", "11:40", 60)
    assert told.tell("11:25:00", kind="started", revision=1) == "late"
    told.tell("11:30:00", kind="started", revision=1)
    figures = ("waiting_peak", "peak", "joins", "minutes_live", "viewer_minutes", "coverage")
    assert told.figures(*figures) == [60, 60, 0, 11, 660, 1]
