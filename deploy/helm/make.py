# ruff: noqa: INP001, T201 - a program of its own, no module of a package; it tells by printing
"""Writes the chart's files from the code: `python deploy/helm/make.py`; `--check` only compares.

Rules, dashboards, topics and rights are those of the rest of deploy/ and of the workers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agents import alerts
from agents.gateway.access import gateway_creator_rights, gateway_rights
from agents.gateway.topics import GatewayTopics
from agents.topics.access import creator_rights, useful_rights, worker_rights
from streams.settings import Settings
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agents.topics.access import Right
    from streams.topics import Topic

FOLDER: Final = Path(__file__).parent / "live-audience" / "files"
_GRAFANA: Final = Path(__file__).parents[1] / "grafana"

# What a release has others of; the chart puts its own in their place.
_NAMES: Final = {
    "topic_prefix": "TOPIC_PREFIX.",
    "output_prefix": "OUTPUT_PREFIX.",
    "group": "AUDIENCE_GROUP",
}
_SETTINGS: Final = Settings.model_construct(**_NAMES)
# With AUDIENCE_MINUTES=on there is one topic more, and rights on it.
_WITH_MINUTES: Final = Settings.model_construct(**_NAMES, minutes="on")
_RULES: Final = alerts.Options(
    selector='job="WORKERS"',
    gateway_selector='job="GATEWAYS"',
    runbooks="RUNBOOKS/",
    dashboards="DASHBOARDS/",
)


def documents() -> dict[str, str]:
    """Every file's text, by its path in the folder."""
    sys.path.insert(0, str(_GRAFANA))
    import boards  # noqa: PLC0415 - its folder is named just above

    rules = {f"rules/{name}": text for name, text in alerts.rules(options=_RULES).items()}
    dashboards = {f"dashboards/{name}.json": text for name, text in boards.documents().items()}
    kafka = json.dumps(_kafka(), indent=2) + "\n"
    return {**rules, **dashboards, "kafka.json": kafka}


def _kafka() -> dict[str, Any]:
    topics, gateway = Topics.of(_SETTINGS), GatewayTopics.of(_SETTINGS)
    minutes = Topics.of(_WITH_MINUTES).broadcast_minutes
    assert minutes is not None, "they are on"
    workers, creators = (
        [right for right in rights(_WITH_MINUTES) if right not in rights(_SETTINGS)]
        for rights in (_worker_rights, creator_rights)
    )
    retentions = {
        minutes.name: "MINUTES_RETENTION",
        topics.events.name: "EVENTS_RETENTION",
        topics.rejected.name: "REJECTED_RETENTION",
        gateway.rejected.name: "REJECTED_RETENTION",
    }
    return {
        "topics": [_topic(topic, retentions) for topic in topics],
        "gatewayTopics": [_topic(topic, retentions) for topic in gateway.own],
        "minutesTopics": [_topic(minutes, retentions)],
        "workerRights": _acls(_worker_rights(_SETTINGS)),
        "minutesRights": _acls(workers),
        "creatorRights": _acls(creator_rights(_SETTINGS)),
        "minutesCreatorRights": _acls(creators),
        "gatewayRights": _acls(gateway_rights(_SETTINGS)),
        "gatewayCreatorRights": _acls(gateway_creator_rights(_SETTINGS)),
    }


def _worker_rights(settings: Settings) -> list[Right]:
    return [*worker_rights(settings), *useful_rights(settings)]


def _topic(topic: Topic, retentions: dict[str, str]) -> dict[str, Any]:
    config = {**topic.config, "min.insync.replicas": "MIN_INSYNC"}
    if topic.name in retentions:
        config["retention.ms"] = retentions[topic.name]
    single = topic.partitions != _SETTINGS.partitions
    return {"name": topic.name, "holds": topic.holds, "single": single, "config": config}


def _acls(rights: Iterable[Right]) -> list[dict[str, Any]]:
    """The rights as Strimzi has them, those on one resource together."""
    together: dict[tuple[str, str, bool], list[str]] = {}
    for right in rights:
        together.setdefault((right.kind, right.name, right.prefixed), []).append(right.operation)
    return [
        {
            "type": "transactionalId" if kind == "transactional-id" else kind,
            "name": name,
            "patternType": "prefix" if prefixed else "literal",
            "operations": operations,
        }
        for (kind, name, prefixed), operations in together.items()
    ]


def main(arguments: list[str]) -> int:
    """Write the files, or say which are out of date; returns the exit code."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    wanted = {FOLDER / name: text for name, text in documents().items()}
    found = {p: p.read_text(encoding="utf-8") for p in FOLDER.rglob("*") if p.is_file()}
    changed = sorted(path for path in wanted | found if wanted.get(path) != found.get(path))
    for path in changed:
        print(f"{'out of date' if arguments else 'writing'}: {path.relative_to(FOLDER)}")
        if not arguments and path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
        elif not arguments:
            path.unlink()
    return 1 if changed and arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
