"""A running Prometheus over workers of ours, and what it answers."""

import contextlib
import json
import math
import shutil
import time

import aiohttp
from processes import Process

from agents import alerts
from agents.demo.worker import free_port


class Prometheus:
    """What a Prometheus answers.

    Args:
        session: By which it is asked.
        url: Where it is.
    """

    def __init__(self, session, url):
        self._session = session
        self.url = url

    async def get(self, path, **query):
        async with self._session.get(f"{self.url}/api/v1/{path}", params=query) as response:
            answer = await response.json()
        assert answer["status"] == "success", (query, answer)
        return answer["data"]

    async def instant(self, query, at=None):
        """The series of a query that have a value, as of now or of another time."""
        when = {} if at is None else {"time": at}
        found = (await self.get("query", query=query, **when))["result"]
        return [series for series in found if known([series["value"]])]

    async def over_time(self, query, seconds, *, end=None, step=1):
        """The series of a query over the last seconds that have a value at any time."""
        end = end or time.time()
        asked = {"query": query, "start": end - seconds, "end": end, "step": step}
        found = (await self.get("query_range", **asked))["result"]
        return [series for series in found if known(series["values"])]

    async def choices(self, query):
        """What Grafana lets one choose from for `label_values(SERIES, LABEL)`."""
        selector, label = query.removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
        return await self.get(f"label/{label}/values", **{"match[]": selector})


def known(values):
    return any(not math.isnan(float(value)) for _, value in values)


@contextlib.asynccontextmanager
async def asking(url):
    """Ask a Prometheus that runs already."""
    async with aiohttp.ClientSession() as session:
        yield Prometheus(session, url)


@contextlib.asynccontextmanager
async def prometheus(folder, targets, *, every="1s", timing=None):
    """A real Prometheus.

    Args:
        folder: For its configuration and data.
        targets: Ports to scrape on this machine, by the job's name.
        every: Between two scrapes.
        timing: Durations of our rules; none for a Prometheus without rules.
    """
    program = shutil.which("prometheus")
    assert program, "Prometheus is not installed. On Debian and Ubuntu: apt install prometheus"
    config = {
        "global": {"scrape_interval": every, "evaluation_interval": every},
        "scrape_configs": [
            {
                "job_name": job,
                "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}],
            }
            for job, ports in targets.items()
        ],
    }
    if timing is not None:
        alerts.write(folder / "rules", timing)
        config["rule_files"] = ["rules/*.yml"]
    (folder / "prometheus.yml").write_text(json.dumps(config))
    own = free_port("127.0.0.1", 0)
    process = await Process(
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{own}",
    ).start()
    try:
        await process.says("Server is ready to receive web requests")
        async with asking(f"http://127.0.0.1:{own}") as server:
            yield server
    finally:
        if process.running:
            await process.stop()
