"""The demo's records through the pipeline's own arithmetic, in batches of several sizes."""

import pytest

from agents.demo import trace
from agents.demo.input import accepted, events
from agents.demo.museums import museums
from streams.audience import Row, Rules, compute_figures
from streams.events import read
from streams.rejections import Rejected

RULES = Rules(lateness=15, carry=2)
AHEAD = 4_000_000_000_000_000  # a time after any of the museums', before the mistyped year


def rows(batch):
    """All that was sent, as one worker that reads it in order takes it: `(rows, late)`."""
    found, late = {}, []
    for number, record in enumerate(events()):
        try:
            event, at = read(record.value)
        except Rejected:
            continue
        if record.key != f"{event.platform}:{event.broadcast}".encode() or at > AHEAD:
            continue
        if record.key not in found:
            found[record.key] = Row.new(event, at, record.sent // 1000, RULES)
        elif found[record.key].accept_all([(event, at, record.sent // 1000)]).late:
            late.append(record)
        if number % batch == 0:
            for row in found.values():
                row.fold_sealed()
    return found, late


@pytest.mark.parametrize("batch", [1, 7, 1_000, 20_000])
def test_every_figure_is_what_it_should_be(batch):
    found, late = rows(batch)
    computed = {key: compute_figures(row) for key, row in found.items()}
    assert {key: figure.events for key, figure in computed.items()} == dict(accepted())
    for museum in museums():
        figure, published = computed[museum.key], museum.published
        assert figure.first_minute == museum.made.audience[0][1]
        assert published.first_minute in (None, figure.first_minute)
        assert figure.views == museum.made.views
        assert published.views in (None, figure.views)
        assert figure.minutes_live == museum.made.minutes
        assert figure.peak < 500_000
        assert figure.ended_at is not None
    twitch = computed[trace.KEY]
    assert (twitch.first_minute, twitch.peak, twitch.peak_minute) == (12_116, 172_343, 25_502_622)
    assert twitch.viewer_minutes == 1_029_972_423
    assert twitch.average == pytest.approx(105_616.53, abs=0.01)
    assert (twitch.minutes_observed, twitch.minutes_live) == (9745, 9778)
    assert [record.key for record in late] == [b"fliggy:prado-2020"]
    assert computed[b"fliggy:prado-2020"].late == 1
