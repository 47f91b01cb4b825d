"""The results as tables of a page in Markdown."""

from collections.abc import Iterable, Sequence
from statistics import median

import results
from contestant import Contestant
from contestants import ALL
from results import Run

_MIB = 1024 * 1024
_NONE = "-"

Rows = list[list[str]]


def page(runs: Sequence[Run]) -> str:
    """All tables, one behind the other; those of what was not measured are left out."""
    parts = [
        _backlog(runs, "2000", "2,000 broadcasts"),
        _backlog(runs, "distinct", "Every event another broadcast"),
        _million(runs),
        *(
            _latency(runs, rate)
            for rate in sorted({r["facts"]["rate"] for r in _of(runs, "latency")})
        ),
        _take_over(runs),
        _growth(runs, "broadcasts", "broadcasts", "Growth with broadcasts"),
        _growth(runs, "partitions", "partitions", "Growth with partitions (2,000 broadcasts)"),
        _growth(runs, "workers", "workers", "Growth with workers (2,000 broadcasts, 4 partitions)"),
    ]
    return "\n\n".join(part for part in parts if part)


def less() -> str:
    """What each contestant does less than ours."""
    return markdown(["", "does less than ours, or otherwise"], [[c.label, c.less] for c in ALL])


def _of(runs: Iterable[Run], work: str) -> list[Run]:
    return results.chosen(runs, work)


def _backlog(runs: Sequence[Run], work: str, title: str) -> str:
    chosen = _of(runs, work)
    rows = []
    for each, mine in _measured(chosen):
        # A JVM needs many events to show its pace: runs over more of them stand for themselves.
        for events in sorted({run["facts"]["events"] for run in mine}):
            same = results.chosen(chosen, work, events=events)
            rows.append(_backlog_row(each, events, same))
    head = ["", "events", "events/s", "of the bare loop's", "second half", "CPU s per million"]
    head += ["of the bare loop's", "second half", "of it Java's compiler", "the broker's"]
    head += ["peak MiB", "rounds (quiet)"]
    return _section(title, chosen, head, rows)


def _backlog_row(each: Contestant, events: int, runs: Sequence[Run]) -> list[str]:
    mine = [run for run in runs if run["contestant"] == each.name]
    pace = results.in_pairs(runs, each.name, lambda run: run["figures"]["events_per_second"])
    cpu = results.in_pairs(runs, each.name, lambda run: run["figures"]["cpu"])
    return [
        each.label,
        number(events),
        number(results.figure(mine, "events_per_second")),
        _spread(pace),
        number(results.figure(mine, "second_half", "events_per_second")),
        number(results.figure(mine, "cpu"), 2),
        _spread(cpu),
        number(results.figure(mine, "second_half", "cpu"), 2),
        number(results.figure(mine, "second_half", "compiler") or None, 2),
        number(results.figure(mine, "broker_cpu"), 2),
        number(results.figure(mine, "memory"), unit=_MIB),
        _rounds(mine),
    ]


def _million(runs: Sequence[Run]) -> str:
    chosen = _of(runs, "million")
    rows = [
        [
            each.label,
            number(results.figure(mine, "events_per_second")),
            number(results.figure(mine, "cpu"), 1),
            number(results.figure(mine, "broker_cpu"), 1),
            number(results.figure(mine, "memory"), unit=_MIB),
            number(results.figure(mine, "ready"), 1),
            number(results.figure(mine, "back"), 1),
            number(results.figure(mine, "memory_restored"), unit=_MIB),
            _rounds(mine),
        ]
        for each, mine in _measured(chosen)
    ]
    head = ["", "events/s", "CPU s per million", "the broker's", "peak MiB", "kill -9: s to ready"]
    head += ["s to at work again", "peak MiB after it", "rounds (quiet)"]
    return _section("A million live broadcasts", chosen, head, rows)


def _latency(runs: Sequence[Run], rate: int) -> str:
    chosen = results.chosen(runs, "latency", rate=rate)
    rows = [
        [
            each.label,
            number(_ms(results.figure(mine, "p50"))),
            number(_ms(results.figure(mine, "p99"))),
            number(_ms(results.figure(mine, "max"))),
            number(results.figure(mine, "cores"), 2),
            number(results.figure(mine, "broker_cores"), 2),
            number(results.figure(mine, "transactions"), 1),
            _rounds(mine),
        ]
        for each, mine in _measured(chosen)
    ]
    head = ["", "p50, ms", "p99, ms", "longest, ms", "cores", "the broker's cores"]
    head += ["transactions/s and partition", "rounds (quiet)"]
    return _section(f"From produce to durable, {rate:,} events/s", chosen, head, rows)


def _take_over(runs: Sequence[Run]) -> str:
    chosen = _of(runs, "take-over")
    rows = []
    for each, mine in _measured(chosen):
        gone = [run["figures"]["counted"] - run["figures"]["sent"] for run in mine]
        rows.append(
            [
                each.label,
                number(results.figure(mine, "seconds"), 1),
                ", ".join(f"{each:+,}" if each else "0" for each in gone),
                ", ".join(f"{run['figures']['differ']:,}" for run in mine),
                number(results.figure(mine, "sent")),
                _rounds(mine),
            ]
        )
    head = ["", "s until all goes on", "events too many or lost", "broadcasts wrong", "of events"]
    head += ["rounds"]
    return _section("kill -9 of one of two workers, 1,000 events/s", chosen, head, rows)


def _growth(runs: Sequence[Run], work: str, fact: str, title: str) -> str:
    chosen = _of(runs, work)
    sizes = sorted({run["facts"][fact] for run in chosen})
    rows = []
    for each, mine in _measured(chosen):
        cells = [each.label]
        for size in sizes:
            here = results.chosen(mine, work, **{fact: size})
            pace = results.figure(here, "events_per_second")
            cpu = results.figure(here, "cpu")
            memory = results.figure(here, "memory")
            cells.append(
                _NONE
                if pace is None
                else f"{number(pace)} · {number(cpu, 1)} · {number(memory, unit=_MIB)}"
            )
        rows.append(cells)
    head = ["events/s · CPU s per million · peak MiB", *(f"{size:,}" for size in sizes)]
    return _section(title, chosen, head, rows)


def _measured(runs: Sequence[Run]) -> list[tuple[Contestant, list[Run]]]:
    found = [(each, [run for run in runs if run["contestant"] == each.name]) for each in ALL]
    return [(each, mine) for each, mine in found if mine]


def _section(title: str, runs: Sequence[Run], head: list[str], rows: Rows) -> str:
    if not rows:
        return ""
    facts = runs[-1]["facts"]
    known = {"events": "events", "partitions": "partitions", "minutes": "minutes"}
    varies = {name for name in known if len({run["facts"].get(name) for run in runs}) > 1}
    told = [
        f"{max(run['facts'][name] for run in runs if name in run['facts']):,} {word}"
        for name, word in known.items()
        if name in facts and name not in varies
    ]
    return f"### {title}\n{', '.join(told)}.\n\n{markdown(head, rows)}"


def markdown(head: Sequence[str], rows: Rows) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def number(value: float | None, digits: int = 0, unit: float = 1) -> str:
    """A number for people."""
    return _NONE if value is None else f"{value / unit:,.{digits}f}"


def _spread(shares: Sequence[float]) -> str:
    if not shares:
        return _NONE
    if len(shares) == 1:
        return f"{shares[0]:.2f}"
    return f"{median(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})"


def _rounds(runs: Sequence[Run]) -> str:
    if any("others" in run["figures"] for run in runs):
        return f"{len(runs)} ({results.quiet(runs)})"
    return str(len(runs))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
