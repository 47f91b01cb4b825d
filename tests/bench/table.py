"""The figures of a million live broadcasts, as a table for people."""

from typing import Any

from rich.console import Console
from rich.table import Table

_MIB = 1024 * 1024


def show(console: Console, found: dict[str, Any]) -> None:
    """Print the figures as a table."""
    backlog, restore, real = found["backlog"], found["restore"], found["real_time"]
    probe, scrape, busy = real["produce_to_metric"], found["scrape"], real["scrape"]
    table = Table(
        title=f"{found['broadcasts']:,} live broadcasts over {found['venues']:,} venues, one "
        f"event a minute each, one worker, {found['partitions']} partitions",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("")
    table.add_column("measured", justify="right")
    table.add_column("aim", justify="right")

    def row(name: str, value: str, aim: str = "") -> None:
        table.add_row(name, value, aim)

    row("backlog, events/s", f"{backlog['events_per_second']:,}")
    row("times faster than real time", f"{backlog['times_real_time']:.2f}", "> 1")
    row("the same until the scopes are done", f"{backlog['times_real_time_with_scopes']:.2f}")
    row("CPU s per million events", _of(backlog["cpu_per_million"], "{:.1f}"))
    row("the broker's CPU s per million", _of(backlog["broker_cpu_per_million"], "{:.1f}"))
    for name, key in (("all live", "memory"), ("restored, then real time", "memory_after_restore")):
        row(f"peak memory, {name}, MiB", _of(found[key], "{:,.0f}", _MIB), "< 2,048")
    table.add_section()
    row("kill -9: s from process start to ready", f"{restore['ready']:.1f}", "< 20")
    row("  of that until the group gave partitions", f"{restore['restoring']:.1f}")
    row(f"  slowest partition ({restore['rows']:,} rows in all)", f"{restore['slowest']:.1f}")
    table.add_section()
    row(f"scrape, s ({scrape['bytes']:,} bytes)", f"{scrape['seconds']:.3f}")
    row("scrape with gzip, s", f"{scrape['gzip_seconds']:.3f}")
    row("scrape in real time, longest, s", f"{busy['longest']:.3f}")
    row("longest /healthz while scraping, ms", f"{scrape['healthz_longest'] * 1e3:.0f}")
    row("longest /healthz without, ms", f"{scrape['healthz_longest_before'] * 1e3:.0f}")
    table.add_section()
    row("real time, events/s", f"{real['events_per_second']:,}")
    row(f"produce to metric, p50, s ({probe['seen']} probes)", _of(probe["p50"], "{:.3f}"))
    row("produce to metric, p99, s", _of(probe["p99"], "{:.3f}"), "< 2")
    row("produce to metric, longest, s", _of(probe["max"], "{:.3f}"))
    row("probes never seen", f"{probe['sent'] - probe['seen']}", "0")
    row("scopes behind at its end, s", f"{real['scopes_behind_at_end']:.2f}")
    cores = None if real["cpu"] is None else real["cpu"] / real["seconds_watched"]
    row("cores that the worker used", _of(cores, "{:.2f}"))
    console.print(table)


def _of(value: float | None, form: str, unit: float = 1) -> str:
    return "-" if value is None else form.format(value / unit)
