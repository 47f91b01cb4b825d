"""`live-audience replay`: sends viewer events from a file, or refused ones again."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING, Final

import click

from agents.cli.help import Command
from agents.cli.progress import Steps
from agents.cli.replayer import Options, Replayer
from agents.cli.resend import resend
from agents.cli.settings import with_settings
from streams import rfc3339
from streams.errors import InputError
from streams.rejections import Reason

if TYPE_CHECKING:
    from streams.settings import Settings

_SHOWN_BAD: Final = 20


@click.command(
    "replay",
    cls=Command,
    examples=[
        "live-audience replay events.jsonl",
        "live-audience replay events.jsonl --now --speed 10",
        "zcat events.jsonl.gz | live-audience replay -",
        "live-audience replay --rejected --reason error --reason misrouted",
    ],
)
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0),
    metavar="FACTOR",
    help="Event time to wall time: 60 sends an hour in a minute, 0 waits for nothing. "
    "[default: 0, with --now 1]",
)
@click.option("--now", is_flag=True, help="Move the events in time so that the first happens now.")
@click.option("--raw", is_flag=True, help="Send lines that are no events too, as they are.")
@click.option("--rejected", is_flag=True, help="Send refused records again, instead of a file.")
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    type=click.Choice([reason.value for reason in Reason]),
    help="Only those refused for it; may be given again for others. [default: all but late]",
)
@with_settings
def command(
    settings: Settings,
    file: str | None,
    speed: float | None,
    now: bool,
    raw: bool,
    rejected: bool,
    reasons: tuple[str, ...],
) -> None:
    """Send the viewer events of FILE (JSONL, one event a line; `-` reads standard input).

    Each goes where AUDIENCE_PARTITIONER puts its key. Its Kafka timestamp is the time of sending;
    with --now it is the event's own where that is ahead of the clock, as with a --speed over 1.
    --now moves by whole minutes, so that no event changes its minute.

    Lines that are no events are told with their number, are not sent (but with --raw), and make the
    command end with 1. Sending a file twice counts its events twice, as `events` says.

    --rejected sends again what is in viewer-events-rejected at its start: after a defect is mended,
    or the settings. Once: a second run sends them again, and `events` counts them twice. A record
    that was cut off there (over 512 KiB) cannot be sent again.
    """
    if rejected:
        if file is not None or speed is not None or now or raw:
            raise click.UsageError("--rejected goes with --reason only")
        _resend(settings, set(reasons) or {each.value for each in Reason} - {Reason.LATE.value})
        return
    if file is None:
        raise click.UsageError("name a FILE, or give --rejected")
    if reasons:
        raise click.UsageError("--reason goes with --rejected only")
    if speed is None:
        speed = 1.0 if now else 0.0
    _feed(settings, file, Options(speed, now, raw))


def _feed(settings: Settings, file: str, options: Options) -> None:
    descriptor, size = _opened(file)
    bad_shown = 0
    with Steps() as steps:

        def on_bad(number: int, why: str) -> None:
            nonlocal bad_shown
            bad_shown += 1
            if bad_shown <= _SHOWN_BAD:
                click.echo(f"line {number} is no event: {why}", err=True)
            elif bad_shown == _SHOWN_BAD + 1:
                click.echo("more such lines are only counted", err=True)

        def on_progress(read: int, events: int, newest: int) -> None:
            at = f", up to {rfc3339.text(newest)}" if events else ""
            steps.show("sending", read, size, f"{events:,} events{at}")

        feed = Replayer(settings, options, on_bad, on_progress)
        began = time.monotonic()
        try:
            asyncio.run(feed.run(descriptor))
        except OSError as error:
            raise InputError(f"{file}: {error.strerror or error}") from error
        finally:
            report, seconds = feed.report, time.monotonic() - began
            steps.print(_sent(report.sent, seconds))
    if report.bad:
        what = f"{report.bad:,} of {report.bad + report.events:,} lines are no events"
        if options.raw:
            click.echo(f"{what}; they were sent as they are", err=True)
        else:
            raise InputError(f"{what} and were not sent; --raw sends them as they are")


def _opened(file: str) -> tuple[int, int]:
    """A descriptor to read from, and how many bytes there are, 0 if that is not known."""
    if file == "-":
        return sys.stdin.fileno(), 0
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        return descriptor, os.fstat(descriptor).st_size
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}") from error


def _sent(count: int, seconds: float) -> str:
    return f"sent {count:,} records in {seconds:.1f} s ({count / max(seconds, 0.001):,.0f}/s)"


def _resend(settings: Settings, reasons: set[str]) -> None:
    with Steps() as steps:
        result = asyncio.run(
            resend(settings, reasons, lambda read: steps.show("reading", read, 0, f"{read:,}"))
        )
        by_reason = ", ".join(
            f"{count:,} {reason}" for reason, count in sorted(result.sent.items())
        )
        steps.print(
            f"sent {result.sent.total():,} records again{f': {by_reason}' if by_reason else ''}"
        )
    if result.other:
        click.echo(f"{result.other:,} were refused for other reasons and left alone")
    if result.truncated:
        click.echo(
            f"{result.truncated:,} were too large to be kept whole, so they cannot be sent again",
            err=True,
        )
