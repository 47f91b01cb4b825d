"""The published totals, by sums of their own over the records as they are sent."""

from collections import Counter, defaultdict

import msgspec
import pytest

from agents.demo.season.generator import BROADCASTS, VIEWS, Season
from agents.demo.season.generator.planned import Planned


class CountedEvent(msgspec.Struct):
    """What counts of an event."""

    at: str
    views: int = -1
    joins: int = -1
    revision: int = 0


REVISION = 10**13  # more than any number of views


def views_of(records):
    """Views by key, from the records alone: by the contract, sections 3 and 4."""
    read = msgspec.json.Decoder(CountedEvent).decode
    told, joined = defaultdict(dict), defaultdict(dict)
    count = 0
    for key, value, _ in records:
        count += 1
        event = read(value)
        minute = event.at[:16]  # of one broadcast all times are of one zone
        first = event.revision * REVISION
        if event.views >= 0:
            cells = told[key]
            cells[minute] = max(cells.get(minute, 0), first + event.views)
        if event.joins >= 0:
            cells = joined[key]
            cells[minute] = max(cells.get(minute, 0), first + event.joins)
    summed = {key: sum(n % REVISION for n in cells.values()) for key, cells in joined.items()}
    most = {key: max(n % REVISION for n in cells.values()) for key, cells in told.items()}
    return summed | most, count


@pytest.mark.parametrize("seed", [1, 2, 2020])
@pytest.mark.parametrize("broadcasts", [7, 40, 700])
def test_a_season_comes_to_its_totals(seed, broadcasts):
    views, _ = views_of(Season(seed, broadcasts, 31_415_926).records())
    assert (len(views), sum(views.values())) == (broadcasts, 31_415_926)


def test_views_of_each_are_as_planned(small, sent):
    views, _ = views_of(sent)
    for planned in small.broadcasts:
        total = (planned if isinstance(planned, Planned) else planned.made).views
        assert views[f"{planned.platform}:{planned.broadcast}".encode()] == total


@pytest.mark.timeout(240)
def test_the_published_season():
    season = Season()
    views, count = views_of(season.records())
    assert len(views) == BROADCASTS == 36_000
    assert sum(views.values()) == VIEWS == 520_000_000
    assert 1_200_000 < count < 2_000_000
    platforms = Counter(key.partition(b":")[0] for key in views)
    assert platforms[b"fliggy"] > 0.95 * BROADCASTS
    assert 0 < platforms[b"kuaishou"] == BROADCASTS - platforms[b"fliggy"]
    assert views[b"kuaishou:vam-2020-07"] == 3_800_000 == max(views.values())
    by_size = sorted(views.values(), reverse=True)
    assert sum(by_size[: BROADCASTS // 10]) > 0.5 * VIEWS, "a tenth has most of them"
    assert by_size[-1] > 0


def test_totals_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="the 6 museums alone have more"):
        Season(broadcasts=6)
    with pytest.raises(ValueError, match="the 6 museums alone have more"):
        Season(broadcasts=100, views=13_000_000)
