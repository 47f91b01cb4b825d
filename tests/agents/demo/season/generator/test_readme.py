"""The README of the season names its numbers as the code has them."""

from pathlib import Path

import pytest

import agents.demo.season.generator
from agents.demo.season.generator import BROADCASTS, VIEWS, calendar, observed, planned, records
from agents.demo.season.generator.venues import VENUES

TEXT = " ".join(
    Path(agents.demo.season.generator.__file__).with_name("README.md").read_text("utf-8").split()
)
VIEWS_OF_MUSEUMS = planned._MUSEUM_VIEWS


def percent(share):
    return f"{100 * share:g} %"


@pytest.mark.parametrize(
    "said",
    [
        f"| Broadcasts from February to September 2020 | {BROADCASTS:,} |",
        f'"520 million" as exactly {VIEWS:,}',
        f"{len(VENUES)} invented names",
        f"over the first {calendar._RISE} days, {calendar._WEEKEND} times as much on Saturdays",
        f"{planned._SHORTEST} to {planned._LONGEST} minutes, {planned._MEAN} in the mean",
        f"one in {planned._SIMULCAST_EVERY} is on Kuaishou too",
        f"{VIEWS_OF_MUSEUMS['fliggy:louvre-2020-09-25']:,} (Louvre, Fliggy)",
        f"{VIEWS_OF_MUSEUMS['fliggy:versailles-2020']:,} (Versailles)",
        f"{VIEWS_OF_MUSEUMS['fliggy:prado-2020']:,} (Prado)",
        f"up to {observed._JITTER // 1_000_000} seconds over minute borders",
        f"{percent(observed._WITH_GAP)} of the broadcasts have a gap of 1 to {observed._GAP}",
        f"{percent(records._UNKNOWN)} of the samples do not know their viewers",
        f"{percent(records._UNTOLD)} do not tell their views",
        f"{percent(records._DOUBLED)} come twice",
        f"{percent(records._DELAYED)} up to {records._DELAY // 60_000_000} minutes late",
        f"{percent(records._CORRECTED)} of the broadcasts have a minute that is tenfold",
        f"`started` comes late in {percent(records._STARTED_LATE)}",
        f"and never in {percent(records._STARTED_MISSING)}",
        f"{percent(records._COUNTS_ON)} count on for a moment",
    ],
)
def test_it_says(said):
    assert said in TEXT
