"""A real Prometheus and a real Alertmanager by the files of deploy/, faster."""

import asyncio
import json
import re
import shutil
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from deploy.prometheus_tools import ALERTMANAGER, PROMETHEUS, told
from processes import Process

from agents import alerts
from agents.demo.worker import free_port


def program(*names):
    """The path of a program that has one of these names."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.fail(f"{names[0]} is missing. On Debian and Ubuntu: apt install {names[0]}")
    return found


def changed(text, changes):
    """A text with changes, each of something that is there."""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


class Server:
    """A Prometheus with our configuration, but for the targets, and our rules, but for the time.

    `targets` are read from a file and may change: ports, or ports by job where there are several;
    `alertmanager` is the port of one.
    """

    def __init__(self, folder, targets, scale, alertmanager=None):
        self.folder = folder
        interval = f"{max(1000, round(15_000 * scale))}ms"
        managers = [] if alertmanager is None else [f"127.0.0.1:{alertmanager}"]
        text = changed(
            (PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"),
            [
                ("interval: 15s", f"interval: {interval}"),
                ("timeout: 10s", "timeout: 1s"),
                (
                    'static_configs:\n      - targets: ["127.0.0.1:9630"]',
                    "file_sd_configs:\n      - files: [targets.json]",
                ),
                ('["127.0.0.1:9093"]', json.dumps(managers)),
            ],
        )
        (folder / "prometheus.yml").write_text(text, encoding="utf-8")
        self.watch(targets)
        alerts.write(folder / "rules", scale)
        port = free_port("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{port}/api/v1"
        self.process = Process(
            program("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        )

    def watch(self, targets):
        """From now on scrape these workers: ports, or ports by job."""
        jobs = targets if isinstance(targets, dict) else {"live-audience": targets}
        groups = [
            {"targets": [f"127.0.0.1:{port}" for port in ports], "labels": {"job": job}}
            for job, ports in jobs.items()
        ]
        new = self.folder / "targets.new"
        new.write_text(json.dumps(groups))
        # In one step, so that Prometheus never reads half of it.
        new.rename(self.folder / "targets.json")

    async def __aenter__(self):
        await self.process.start()
        await self.process.says("Server is ready to receive web requests")
        return self

    async def __aexit__(self, *error):
        await self.process.stop()

    async def ask(self, path):
        def get():
            with urlopen(self.url + path) as answer:
                return json.load(answer)["data"]

        return await asyncio.to_thread(get)

    async def series(self, query):
        return (await self.ask(f"/query?query={quote(query)}"))["result"]

    async def value(self, query):
        """The value of the one series that there is; None if there is none."""
        result = await self.series(query)
        assert len(result) <= 1, result
        return float(result[0]["value"][1]) if result else None

    async def until(self, query, wanted, seconds=60):
        found = "not asked yet"
        try:
            async with asyncio.timeout(seconds):
                while found != wanted:
                    await asyncio.sleep(0.5)
                    found = await self.value(query)
        except TimeoutError:
            raise AssertionError(f"{query} is {found}, not {wanted}") from None


class Alertmanager:
    """An Alertmanager by our files, but for the receivers' addresses and the waits."""

    def __init__(self, folder, receiver, scale):
        text = changed(told(), [("http://127.0.0.1:9095", receiver)])
        waits = re.compile(r"(group_wait|group_interval): (\d+)([sm])")
        assert len(waits.findall(text)) == 5

        def faster(found):
            seconds = int(found[2]) * {"s": 1, "m": 60}[found[3]]
            return f"{found[1]}: {alerts.duration(seconds * scale)}"

        (folder / "alertmanager.yml").write_text(waits.sub(faster, text), encoding="utf-8")
        shutil.copytree(ALERTMANAGER / "templates", folder / "templates")
        self.port = free_port("127.0.0.1", 0)
        self.process = Process(
            program("prometheus-alertmanager", "alertmanager"),
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        )

    async def __aenter__(self):
        await self.process.start()
        await self.process.says("Listening")
        return self

    async def __aexit__(self, *error):
        await self.process.stop()
