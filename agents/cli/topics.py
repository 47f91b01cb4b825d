"""`live-audience topics`: makes the topics, or says what is wrong with them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from agents.cli.help import Command, Group
from agents.cli.settings import with_settings
from agents.topics.admin import check_topics, create_topics
from streams.errors import TopicsError

if TYPE_CHECKING:
    from agents.topics.findings import Finding
    from streams.settings import Settings


@click.group(
    "topics",
    cls=Group,
    examples=[
        "live-audience topics create",
        "live-audience topics check",
        "live-audience --set AUDIENCE_REPLICATION=3 topics create",
    ],
)
def command() -> None:
    """Make the topics, or say what is wrong with them."""


@command.command(
    cls=Command,
    examples=[
        "live-audience topics create --set AUDIENCE_PARTITIONS=16",
        "AUDIENCE_GROUP=green AUDIENCE_OUTPUT_PREFIX=green. live-audience topics create",
        "live-audience topics create --set AUDIENCE_GROUP=green --take-over",
    ],
)
@click.option(
    "--take-over",
    is_flag=True,
    help="Write the outputs from now on, also if they are another group's; its workers must have "
    "stopped, and will refuse to start.",
)
@with_settings
def create(settings: Settings, take_over: bool) -> None:
    """Make the topics that are missing, and claim the outputs for AUDIENCE_GROUP.

    Those that are there are left as they are, also where the settings ask for something else: more
    partitions are added with `live-audience state repartition`, which moves the state along.

    Summaries and refused records are written by one group alone. If another one does, this ends
    with 1: give this group outputs of its own (AUDIENCE_OUTPUT_PREFIX), or take them over.
    """
    creations = asyncio.run(create_topics(settings, take_over=take_over))
    for creation in creations:
        topic = creation.topic
        if creation.created:
            click.echo(f"created  {topic.name}: {topic.holds}, {topic.partitions} partitions")
        else:
            click.echo(f"exists   {topic.name}")
    if not all(creation.created for creation in creations):
        click.echo("What exists was left as it is: `live-audience topics check` looks at it.")


@command.command(
    cls=Command,
    examples=["live-audience topics check --set AUDIENCE_BROKERS=kafka-1:9092,kafka-2:9092"],
)
@with_settings
def check(settings: Settings) -> None:
    """Say what is wrong with the topics, and what to do about it.

    Ends with 1 if the pipeline would not work or lose something; warnings alone end with 0.
    """
    findings = asyncio.run(check_topics(settings))
    for finding in findings:
        _show(finding)
    errors = sum(finding.severity == "error" for finding in findings)
    if errors:
        raise TopicsError(f"{errors} of {len(findings)} findings must be mended")
    click.echo("The topics will do." if findings else "The topics are as they should be.")


def _show(finding: Finding) -> None:
    color = "red" if finding.severity == "error" else "yellow"
    click.echo(
        f"{click.style(f'{finding.severity:8}', fg=color)} {finding.topic} {finding.what}\n"
        f"         -> {finding.remedy}"
    )
