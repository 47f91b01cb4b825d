"""`live-audience replay`: sends viewer events from a file, or refused ones again."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import time
from typing import TYPE_CHECKING, Any, Final

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

_SHOWN_LINES: Final = 20

#: What is not sent again unless asked for: it would be refused again, or was refused rightly.
_LEFT_OUT: Final = frozenset({Reason.LATE, Reason.FUTURE})


@click.command(
    "replay",
    cls=Command,
    examples=[
        "live-audience replay events.jsonl",
        "live-audience replay events.jsonl --now",
        "live-audience replay events.jsonl --now --speed 0",
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
@click.option(
    "--now",
    is_flag=True,
    help="Move the events in time so that the first happens now; with another --speed than 1 so "
    "that the last does.",
)
@click.option("--raw", is_flag=True, help="Send lines that are no events too, as they are.")
@click.option("--rejected", is_flag=True, help="Send refused records again, instead of a file.")
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    type=click.Choice([reason.value for reason in Reason]),
    help="Only those refused for it; may be given again for others. [default: all but late "
    "and future]",
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

    Each goes where AUDIENCE_PARTITIONER puts its key. Its Kafka timestamp is the time of sending.

    --now moves by whole minutes, so that no event changes its minute. Nothing that is yet to come
    is sent: at --speed 1 each event is sent when it happens, at any other all of them lie before
    now. For that FILE is read to its end first, so it must be a file and no pipe.

    A time that is off by more than a day from that of the broadcast's event before it is warned of:
    one mistyped year makes all that follows late.

    Lines that are no events are told with their number, are not sent (but with --raw), and make the
    command end with 1. Sending a file twice counts its events twice, as `events` says.

    --rejected sends again what is in viewer-events-rejected at its start: after a defect is mended,
    or the settings. Once: a second run sends them again, and `events` counts them twice. What was
    refused as late is late still, and what was from the future had a wrong time, which need not be
    right now: both are sent only if --reason asks for them. A record that was cut off there (over
    512 KiB) cannot be sent again.
    """
    if rejected:
        if file is not None or speed is not None or now or raw:
            raise click.UsageError("--rejected goes with --reason only")
        _resend(settings, set(reasons) or {each.value for each in Reason if each not in _LEFT_OUT})
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
    if options.needs_last and not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise click.UsageError(
            "--now with another --speed than 1 moves the events so that the last happens now, and "
            "of a pipe the last is not known before all of it is read: name a file, or --speed 1"
        )
    with Steps() as steps:
        bad = _Lines("more such lines are only counted")
        jumps = _Lines("more such jumps are not told")

        def on_bad(number: int, why: str) -> None:
            bad.show(f"line {number} is no event: {why}")

        def on_jump(said: str) -> None:
            jumps.show(f"Warning: {said}", fg="yellow")

        def on_progress(what: str, read: int, events: int, newest: int) -> None:
            at = f", up to {rfc3339.text(newest)}" if events else ""
            steps.show(what, read, size, f"{events:,} events{at}")

        feed = Replayer(settings, options, on_bad, on_jump, on_progress)
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


class _Lines:
    """Shows lines on standard error, of many the first few.

    Args:
        rest: what is said in place of the others.
    """

    def __init__(self, rest: str) -> None:
        self._rest = rest
        self._count = 0

    def show(self, line: str, **style: Any) -> None:
        self._count += 1
        if self._count <= _SHOWN_LINES:
            click.secho(line, err=True, **style)
        elif self._count == _SHOWN_LINES + 1:
            click.echo(self._rest, err=True)


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
