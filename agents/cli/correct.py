"""`live-audience correct`: restates a minute or the start of a broadcast."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from agents import kafka
from agents.cli.following import RowFollower
from agents.cli.help import Command
from agents.cli.progress import Steps
from agents.cli.settings import with_settings
from agents.cli.times import Time
from agents.topics.sending import BATCH_BYTES
from streams import events, rfc3339
from streams.audience import Row
from streams.audience.correction import (
    Change,
    Correction,
    CorrectionError,
    correct_minute,
    correct_start,
    encode_event,
)
from streams.rejections import Rejected
from streams.summaries import minute_text
from streams.topics import Topics
from streams.viewer_event import MAX_JOINS, MAX_VIEWERS, MAX_VIEWS

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.audience import Tombstone
    from streams.settings import Settings

#: How long it waits for a worker: to come to what is there already, and to what it has sent.
_BEFORE_SECONDS: Final = 3.0
_AFTER_SECONDS: Final = 10.0


@click.command(
    "correct",
    cls=Command,
    examples=[
        "live-audience correct fliggy louvre-1 --minute 2026-11-22T19:05Z --viewers 5200",
        "live-audience correct fliggy louvre-1 --minute 2026-11-22T20:05+01:00 --viewers -1",
        "live-audience correct fliggy louvre-1 --started 2026-11-22T19:00:30Z --dry-run",
    ],
)
@click.argument("platform")
@click.argument("broadcast")
@click.option("--minute", type=Time(), metavar="TIME", help="The minute to restate.")
@click.option(
    "--viewers",
    type=click.IntRange(-1, MAX_VIEWERS),
    metavar="N",
    help="Its viewers, which become its high too; -1 for unknown.",
)
@click.option("--joins", type=click.IntRange(0, MAX_JOINS), metavar="N", help="Its joins.")
@click.option(
    "--views", type=click.IntRange(0, MAX_VIEWS), metavar="N", help="The views up to then."
)
@click.option("--started", type=Time(), metavar="TIME", help="When the broadcast really started.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@with_settings
def command(
    settings: Settings,
    platform: str,
    broadcast: str,
    minute: int | None,
    viewers: int | None,
    joins: int | None,
    views: int | None,
    started: int | None,
    yes: bool,
    dry_run: bool,
) -> None:
    """Restate a minute of a broadcast, or when it started.

    It reads what the broadcast's row has now, shows what will change, asks on a terminal, and
    sends the event that restates it, one revision above the highest there. What is not given stays
    as the minute has it. TIME is one of RFC 3339 with its offset; seconds may be left out.

    A minute can be restated until it is sealed: until the broadcast has an event that is
    AUDIENCE_LATENESS later. After that it ends with 1 and says since when; so it does for a
    broadcast that is not known. It needs no worker, and works beside them: it reads the changelog
    of AUDIENCE_GROUP and writes to viewer-events.
    """
    _check_name(platform, broadcast)
    given = {
        name: None if value < 0 else value
        for name, value in (("viewers", viewers), ("joins", joins), ("views", views))
        if value is not None
    }
    if (minute is None) == (started is None):
        raise click.UsageError("give either --minute or --started")
    if started is not None and given:
        raise click.UsageError("--viewers, --joins and --views go with --minute")
    if minute is not None and not given:
        raise click.UsageError("--minute needs one of --viewers, --joins and --views")

    def correct(row: Row) -> Correction:
        if started is not None:
            return correct_start(platform, broadcast, row, started)
        assert minute is not None, "one of the two is given"
        return correct_minute(platform, broadcast, row, minute // rfc3339.MINUTE, given)

    name = f"{platform}:{broadcast}"
    follower = RowFollower(settings, name.encode())
    row, waiting = asyncio.run(_read(follower))
    correction = correct(_known(row, follower, settings, name))
    _show(name, correction)
    if waiting:
        click.echo(
            f"{waiting:,} records of its partition are not in these figures yet, for no worker is "
            "at work or it is behind: there may be more of the broadcast among them",
            err=True,
        )
    if correction.is_in:
        click.echo("It is so already: there is nothing to send.")
    elif dry_run:
        click.echo("Nothing was sent (--dry-run).")
    else:
        if not yes and sys.stdin.isatty():
            click.confirm("Send it?", abort=True)
        click.echo(asyncio.run(_Sending(follower, correct, correction).run()))


def _check_name(platform: str, broadcast: str) -> None:
    """Refuse what can be the name of no broadcast."""
    document = {"platform": platform, "broadcast": broadcast, "at": "2026-01-01T00:00:00Z"}
    try:
        events.read(orjson.dumps(document))
    except (Rejected, TypeError) as error:
        raise click.UsageError(str(error)) from None


async def _read(follower: RowFollower) -> tuple[Row | Tombstone | None, int]:
    """The row as it is, and how many records of its partition are not in it yet."""
    await follower.open()
    with Steps() as steps:

        def on_progress(read: int) -> None:
            steps.show("reading the row", read, 0, f"{read:,} records of the changelog")

        async with kafka.reader(follower.settings) as consumer:
            await follower.catch_up(consumer, on_progress)
            end = await follower.end(consumer)
            if follower.has_state:
                await follower.reach(consumer, end, _BEFORE_SECONDS)
            return follower.row(), max(0, end - follower.offset)


def _known(
    row: Row | Tombstone | None, follower: RowFollower, settings: Settings, name: str
) -> Row:
    if isinstance(row, Row):
        return row
    where = (
        f"AUDIENCE_GROUP={settings.group}"
        + (f", AUDIENCE_TOPIC_PREFIX={settings.topic_prefix}" if settings.topic_prefix else "")
        + f" at AUDIENCE_BROKERS={','.join(settings.brokers)}"
    )
    if row is not None:
        raise CorrectionError(
            f"{name} is over and its row is gone (AUDIENCE_RUN_GAP after its last event): its last "
            f"minute was {minute_text(row.last_minute)}, and all of it is sealed. Its last summary "
            "stays as `live-audience summaries` shows it"
        )
    if not follower.has_state:
        raise CorrectionError(
            f"nothing is known of {name}: no worker of {where} has read its partition yet. Start "
            "one (`live-audience worker`), or name the group and prefix that it has"
        )
    raise CorrectionError(
        f"nothing is known of {name} in {where}: see that platform and broadcast are written as "
        "its events have them; `live-audience summaries` shows those that have ended, "
        "/v1/broadcasts of the workers those that are live"
    )


class _Sending:
    """Sends a correction, and says what became of it."""

    def __init__(
        self,
        follower: RowFollower,
        correct: Callable[[Row], Correction],
        shown: Correction,
    ) -> None:
        self._follower = follower
        self._correct = correct
        self._shown = shown

    async def run(self) -> str:
        follower, settings = self._follower, self._follower.settings
        async with kafka.reader(settings) as consumer:
            await follower.catch_up(consumer)
            row = follower.row()
            late = row.late if isinstance(row, Row) else 0
            if not isinstance(row, Row) or self._correct(row).events != self._shown.events:
                raise CorrectionError(
                    "the broadcast has changed since that was read, and nothing was sent: run the "
                    "same command again"
                )
            offset = await self._send(settings)
            topic = Topics.of(settings).events.name
            sent = f"Sent to {topic}/{follower.partition} as offset {offset}"
            with Steps() as steps:
                steps.show("waiting for a worker to read it", 0, 0)
                if not await follower.reach(consumer, offset + 1, _AFTER_SECONDS):
                    return f"{sent}. No worker has read it yet; it counts once one has."
        now = follower.row()
        if isinstance(now, Row) and not self._is_in(now) and now.late > late:
            raise CorrectionError(
                f"{sent}, but it was refused as late: the minute was sealed meanwhile"
            )
        return f"{sent}, and it is in the figures."

    async def _send(self, settings: Settings) -> int:
        """Send the events in one batch, so that none comes without the other; the last's offset."""
        key, now = self._follower.key, time.time_ns() // 1_000_000
        async with kafka.producer(settings, max_batch_size=BATCH_BYTES) as producer:
            batch = producer.create_batch()
            for event, _ in self._shown.events:
                batch.append(key=key, value=encode_event(event), timestamp=now)
            topic = Topics.of(settings).events.name
            sent = await producer.send_batch(batch, topic, partition=self._follower.partition)
            first: int = (await sent).offset
        return first + len(self._shown.events) - 1

    def _is_in(self, row: Row) -> bool:
        try:
            return self._correct(row).is_in
        except CorrectionError:
            return False


def _show(name: str, correction: Correction) -> None:
    minute = minute_text(correction.minute)
    click.echo(
        f"{name}, {minute}, revision {correction.revision}; open until it has an event of "
        f"{minute_text(correction.open_until)} or later"
    )
    lines = [("", "is", "will be"), *map(_cells, correction.restated)]
    if correction.figures:
        lines += [("figures", "", ""), *map(_cells, correction.figures)]
    widths = [max(len(line[column]) for line in lines) for column in range(2)]
    for label, before, after in lines:
        click.echo(f"  {label:<{widths[0]}}  {before:<{widths[1]}}  {after}".rstrip())
    if not correction.is_in and not correction.figures:
        click.echo("No figure of the broadcast changes by that.")


def _cells(change: Change) -> tuple[str, str, str]:
    after = "the same" if change.after == change.before else _text(change.after)
    return change.name, _text(change.before), after


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.4g}" if value < 1 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
