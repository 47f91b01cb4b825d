"""What the pictures of the dashboards are drawn by: numbers, joined tables, marks."""

import math

import pytest
from pictures import page, panels
from pictures.formats import axis, text


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (1_293_681.0, "locale", "1,293,681"),
        (6.0, "locale", "6"),
        (1.5, "locale", "1.50"),
        (0.9231, "percentunit", "92.3%"),
        (0.0, "percentunit", "0%"),
        (0.0321, "s", "32.1 ms"),
        (1.26, "s", "1.26 s"),
        (60.0, "s", "1 min"),
        (90.0, "s", "1.5 mins"),
        (7_200.0, "s", "2 hours"),
        (83.1 * 2**20, "bytes", "83.1 MiB"),
        (0.0332, "none", "0.0332"),
        (2.4, "cps", "2.4 c/s"),
        (1_601_035_200_000.0, "dateTimeAsIso", "2020-09-25 12:00:00"),
        (math.nan, "s", "-"),
        (None, "s", "-"),
    ],
)
def test_numbers_have_their_units(value, unit, written):
    assert text(value, unit) == written


def test_axes_are_short():
    assert axis(450_000.0, "locale") == "450K"
    assert axis(1_200_000.0, "locale") == "1.2M"
    assert axis(500.0, "locale") == "500"


def test_marks_of_one_color_that_overlap_are_one():
    marks = [("b", 1, 1), ("a", 5, 9), ("a", 1, 3), ("a", 2, 4), ("a", 6, 7)]
    assert list(page._merged(marks)) == [("a", 1, 4), ("a", 5, 9), ("b", 1, 1)]


def test_a_gap_ends_a_region():
    assert list(page._regions([(10, "1"), (12, "1"), (20, "1"), (22, "1")], 2)) == [
        (10, 12),
        (20, 22),
    ]


def test_a_table_is_joined_by_the_labels_that_its_queries_share():
    def series(value, **labels):
        return {"metric": labels, "value": [0, str(value)]}

    panel = {
        "targets": [{"refId": "A"}, {"refId": "B"}, {"refId": "C"}],
        "transformations": [
            {
                "id": "organize",
                "options": {
                    "excludeByName": {"Time": True, "Value #C": True},
                    "renameByName": {"title": "Title", "Value #A": "Viewers", "Value #B": "Peak"},
                    "indexByName": {"title": 0, "name": 1, "Value #A": 2, "Value #B": 3},
                },
            }
        ],
        "options": {"sortBy": [{"displayName": "Viewers", "desc": True}]},
    }
    results = [
        [series(1, name="a"), series(5, name="b")],
        [series(7, name="b")],
        [series(1, name="a", title="A"), series(1, name="b", title="B")],
    ]
    columns, rows = panels.joined(panel, results)
    assert columns == ["Title", "name", "Viewers", "Peak"]
    assert rows == [
        {"Title": "B", "name": "b", "Viewers": 5.0, "Peak": 7.0},
        {"Title": "A", "name": "a", "Viewers": 1.0, "Peak": None},
    ]
