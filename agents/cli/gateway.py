"""`live-audience gateway`: takes webhooks, polls platforms, and writes viewer events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from agents.cli.help import Command, Group
from agents.cli.settings import loaded, set_option, with_settings
from streams.errors import LiveAudienceError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agents.gateway.config import Config
    from agents.gateway.subscribing.subscriber import Subscriber
    from streams.settings import Settings


@click.group(
    "gateway",
    cls=Group,
    examples=[
        "live-audience gateway sources",
        "live-audience gateway check --set AUDIENCE_GATEWAY=gateway.toml",
        "live-audience gateway topics",
        "live-audience gateway run --set AUDIENCE_GATEWAY=gateway.toml",
    ],
)
def command() -> None:
    """Take platforms' webhooks, and write viewer events (docs/gateway.md)."""


def _config(settings: Settings) -> Config:
    # Imported here: `--help` need not wait for it.
    from agents.gateway.config import load  # noqa: PLC0415 - see above

    if settings.gateway is None:
        raise SettingsError(
            ["AUDIENCE_GATEWAY: is missing: the TOML file that says which webhooks are taken"]
        )
    return load(settings.gateway)


@command.command(cls=Command, examples=["AUDIENCE_GATEWAY=gateway.toml live-audience gateway run"])
@set_option
@click.pass_context
def run(ctx: click.Context) -> None:
    """Run one gateway, until Ctrl-C or SIGTERM; more of them share the work.

    It starts, and answers senders, also while Kafka cannot be reached.
    """
    settings = loaded(ctx).settings
    config = _config(settings)
    from agents.gateway import service  # noqa: PLC0415 - it brings all of Faust along

    service.run(settings, config)


@command.command(
    cls=Command, examples=["live-audience gateway check", "live-audience gateway check --ask"]
)
@click.option("--ask", is_flag=True, help="Ask each polled platform, and the public address, once.")
@with_settings
def check(settings: Settings, *, ask: bool) -> None:
    """Look at the configuration, the secrets and the topics; ends with 1 if something is wrong.

    With --ask, each polled platform is asked once, to see that its key is taken, and the address
    `public`, to see that senders reach this gateway, which must run then.
    """
    config = _config(settings)
    from agents.gateway import admin  # noqa: PLC0415 - as above
    from agents.gateway.polling.trying import described, tried  # noqa: PLC0415 - as above
    from agents.gateway.reaching import unreached  # noqa: PLC0415 - as above
    from agents.gateway.server import tls_of  # noqa: PLC0415 - as above
    from agents.gateway.service import (  # noqa: PLC0415 - as above
        edges_of,
        idle_subscribers,
        intakes_of,
    )
    from agents.gateway.topics import GatewayTopics  # noqa: PLC0415 - as above

    intakes_of(config, GatewayTopics.of(settings))
    edges = edges_of(config)
    subscribers = idle_subscribers(settings, config)
    tls_of(config)
    for endpoint in config.endpoint:
        secret = "/SECRET" if endpoint.path_secrets else ""
        click.echo(f"{endpoint.name}: {endpoint.source} at /hooks/{endpoint.name}{secret}")
        if not endpoint.kind.signed and not endpoint.networks:
            click.secho(
                f"Warning: {endpoint.name}: networks is empty, so whoever learns the path is "
                "believed",
                fg="yellow",
                err=True,
            )
    for poll in config.poll:
        said, suffices = described(poll)
        click.echo(f"{poll.name}: polls {poll.source}, {len(poll.channels):,} channels: {said}")
        if not suffices:
            click.secho(
                f"Warning: {poll.name}: the budget does not suffice if all of its channels are "
                "live: then each is sampled in turn",
                fg="yellow",
                err=True,
            )
    refused = []
    for poll in config.poll if ask else ():
        verdict = asyncio.run(tried(poll, edges[poll.name]))
        click.echo(f"{poll.name}: {poll.source} was asked: {verdict.outcome}")
        if verdict.outcome != "answered":
            refused.append(f"{poll.name}: {poll.source} says: {verdict.outcome}, {verdict.why}")
    refused += _looked_at(subscribers, ask=ask)
    if ask and config.public:
        found = asyncio.run(unreached(config))
        refused += found
        if not found:
            click.echo(f"{config.public} leads to a gateway, as seen from this host")
    problems = [*refused, *asyncio.run(admin.check(settings))]
    if problems:
        raise LiveAudienceError("\n".join(problems))
    click.echo("The gateway can run.")


def _looked_at(subscribers: Sequence[Subscriber], *, ask: bool) -> Iterator[str]:
    """Say what is subscribed to; gives what a platform refuses."""
    from agents.gateway.subscribing.trying import tried  # noqa: PLC0415 - as above

    for each in subscribers:
        name, source = each.endpoint.name, each.endpoint.source
        click.echo(f"{name}: subscribes to {len(each.endpoint.subscribed):,} channels by itself")
        found = asyncio.run(tried(each)) if ask else None
        if found is None:
            continue
        said, is_taken = found
        click.echo(f"{name}: {source} was asked: {said}")
        if not is_taken:
            yield f"{name}: {source} says: {said}"


@command.command(cls=Command, examples=["live-audience gateway sources"])
def sources() -> None:
    """List the sources, what each can tell, and how sure it is."""
    from agents.gateway.polling.platforms import PLATFORMS  # noqa: PLC0415 - as above
    from agents.gateway.sources import SOURCES  # noqa: PLC0415 - as above

    for source in SOURCES.values():
        click.echo(f"{source.name}: {source.about}")
        click.echo(f"    tells     {source.figures}")
        click.echo(f"    tested by {source.sureness}")
        click.echo(f"    signed    {'yes' if source.signed else 'no: a secret in its path'}")
    for platform in PLATFORMS.values():
        click.echo(f"poll {platform.name}: {platform.about}")
        click.echo(f"    tells     {platform.figures}")
        click.echo(f"    tested by {platform.sureness}")
        click.echo(f"    budget    {platform.units:,} units a {platform.per}")


@command.command(cls=Command, examples=["live-audience gateway topics"])
@with_settings
def topics(settings: Settings) -> None:
    """Make the gateway's own topics; those that are there are left as they are."""
    from agents.gateway import admin  # noqa: PLC0415 - as above

    for topic, is_new in asyncio.run(admin.create(settings)):
        click.echo(f"{'created' if is_new else 'exists':8} {topic.name}: {topic.holds}")


@command.command(cls=Command, examples=["live-audience gateway replay"])
@with_settings
def replay(settings: Settings) -> None:
    """Take what could not be mapped again, after the configuration was mended."""
    config = _config(settings)
    from agents.gateway import admin  # noqa: PLC0415 - as above
    from agents.gateway.service import intakes_of  # noqa: PLC0415 - as above
    from agents.gateway.topics import GatewayTopics  # noqa: PLC0415 - as above

    result = asyncio.run(admin.replay(settings, intakes_of(config, GatewayTopics.of(settings))))
    for endpoint, count in sorted(result.taken.items()):
        click.echo(f"taken    {count} of {endpoint}")
    for reason, count in sorted(result.left.items()):
        click.echo(f"left     {count}: {reason}")
    if result.unknown:
        click.echo(f"left     {result.unknown}: their endpoints are not in the configuration")
    if not (result.taken or result.left or result.unknown):
        click.echo("There is nothing to take again.")
