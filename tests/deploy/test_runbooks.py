"""The runbooks: each has its parts, and what they say to type can be typed."""

import inspect
import re
import shlex

import click
import promql_parser
import pytest
import yaml
from deploy.prometheus_tools import ALERTS, DEPLOY, RECORDS

from agents.cli import main
from agents.gateway import metrics
from agents.serving.metrics import catalogue

FOLDER = DEPLOY / "runbooks"
PAGES = {name: (FOLDER / f"{name}.md").read_text(encoding="utf-8") for name in ALERTS}
PARTS = [
    "Impact",
    "First five minutes",
    "What it means",
    "How to look",
    "Wait or act",
    "What to do",
    "How to silence",
]
GATEWAY = {name for name, (_, file) in ALERTS.items() if file == "gateway-alerts.yml"}
SERVICES = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
#: Of Apache Kafka 4's bin/, those that the pages need.
KAFKA = {
    "kafka-broker-api-versions.sh",
    "kafka-configs.sh",
    "kafka-console-consumer.sh",
    "kafka-consumer-groups.sh",
    "kafka-get-offsets.sh",
    "kafka-topics.sh",
    "kafka-transactions.sh",
}
#: What stands for something in the commands, and one of which it could be.
PLACEHOLDERS = {"REASON": "invalid", "TIME": "2026-11-22T19:05Z", "N": "5"}
#: Of Prometheus, of processes, and of other programs.
OTHERS = {
    "scrape_timeout",  # (a setting)
    "up",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "prometheus_notifications_dropped_total",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
}


def parts(page):
    """The parts of a page by their headings, in their order."""
    found = re.split(r"^## (.*)\n", page, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)


def lines(page):
    """All that is to be typed: the lines of the blocks, and commands within sentences."""
    whole = "\n".join(blocks(page, "sh")).replace("\\\n", " ")  # one may go on in the next line
    typed = [line for line in whole.splitlines() if line]
    return typed + re.findall(r"`((?:live-audience|kafka-[a-z-]+\.sh) [^`]*)`", page)


def words(line):
    """A command's words up to a pipe or a comment, with something in each placeholder's place."""
    typed = shlex.split(line, comments=True)
    typed = typed[: typed.index("|")] if "|" in typed else typed
    return [PLACEHOLDERS.get(word, word) for word in typed]


def ours(typed):
    """What of a command's words is our own command, without its name; None if it is not."""
    if typed[0] == "kubectl" and "--" in typed:
        typed = typed[typed.index("--") + 1 :]
    elif typed[:2] == ["docker", "compose"] and "exec" in typed:
        typed = typed[typed.index("exec") + 2 :]
    return typed[1:] if typed and typed[0] == "live-audience" else None


def parse(arguments):
    """Let click parse a command of ours as it would before it runs it; raises UsageError."""
    command, rest = main, list(arguments)
    while isinstance(command, click.Group):
        name = rest.pop(0)
        found = command.get_command(click.Context(command), name)
        assert found is not None, f"there is no `live-audience {name}`"
        command = found
    command.make_context(command.name, rest)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_its_parts_impact_first(name):
    found = parts(PAGES[name])
    assert list(found) == PARTS
    for heading, text in found.items():
        assert len(text.split()) >= 5, heading
    assert re.search(
        r"\b(?:lost|lose|loses|lack|kept|wrong|none)\b", found["Impact"], re.IGNORECASE
    )
    assert re.search(r"\*\*Wait\*\*", found["Wait or act"])
    assert re.search(r"\*\*Act\*\*", found["Wait or act"])


@pytest.mark.parametrize("name", PAGES)
def test_the_first_minutes_are_for_every_way_to_run_it(name):
    (block,) = blocks(parts(PAGES[name])["First five minutes"], "sh")
    starts = {line.split()[0] for line in block.splitlines()}
    assert starts & {"live-audience", "curl", "journalctl"}
    if name not in GATEWAY:  # which is neither in the chart nor in Compose
        assert {"kubectl", "docker"} <= starts


@pytest.mark.parametrize("name", PAGES)
def test_what_is_to_be_typed_can_be(name):
    for line in lines(PAGES[name]):
        typed = words(line)
        mine = ours(typed)
        if mine is not None:
            parse(mine)
        if typed[:2] == ["docker", "compose"]:
            assert typed[2:4] == ["--file", "deploy/compose.yaml"], line
            known = [word for word in typed[5:] if re.fullmatch(r"[a-z]+(-\d)?", word)]
            assert known, line
            assert known[0] in SERVICES, line
        if typed[0] == "kubectl" and "live-audience-0" in line:
            assert typed[1:3] == ["--namespace", "live"], line
        if typed[0].startswith("kafka-"):
            assert typed[0] in KAFKA, line
            assert typed[1:3] == ["--bootstrap-server", "BROKER"], line


@pytest.mark.parametrize("name", PAGES)
def test_queries_are_promql_and_metrics_are_there(name):
    page = PAGES[name]
    for block in blocks(page, "promql"):
        promql_parser.parse(block)
    metrics_of_workers = [m for m in vars(catalogue).values() if isinstance(m, catalogue.Metric)]
    known = {m.name for m in metrics_of_workers}
    known |= {f"{m.name}_bucket" for m in metrics_of_workers if m.kind == "histogram"}
    known |= set(RECORDS) | OTHERS | gateway_metrics()
    for quoted in [*re.findall(r"`([^`\n]+)`", page), *blocks(page, "promql")]:
        for metric in re.findall(r"\b(?:audience|process|scrape|prometheus)_[a-z_0-9]+\b", quoted):
            if f":{metric}" not in quoted:
                assert metric in known, f"{metric} in {quoted}"
        for recorded in re.findall(r"\b[a-z_]+:[a-z_]+:[a-z0-9_]+\b", quoted):
            assert recorded in RECORDS, quoted


def gateway_metrics():
    names = re.findall(r'"(audience_gateway_\w+)"', inspect.getsource(metrics))
    return {name + end for name in names for end in ("", "_total")}


def test_wrong_commands_are_seen():
    for wrong in (
        ["rejected", "--sinc", "1h"],
        ["rejected", "--reason", "mood"],
        ["topics", "--x"],
    ):
        with pytest.raises((click.UsageError, AssertionError)):
            parse(wrong)
    with pytest.raises(AssertionError):
        parse(["reject"])
    parse(ours(words("live-audience rejected --since 1h --reason REASON # and so on")))


def test_the_index_says_how_commands_are_written():
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    named = {
        word
        for page in PAGES.values()
        for line in lines(page)
        for word in re.findall(r"\b[A-Z]{4,}\b", line)
    }
    assert {"BROKER", "WORKER", "GROUP"} <= named
    for placeholder in ("BROKER", "WORKER", "GROUP"):
        assert f"`{placeholder}`" in index
