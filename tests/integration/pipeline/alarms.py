"""What the tests of alerts share: platforms that send, and what receivers are told."""

import asyncio
import contextlib
import json
import time
from datetime import UTC, datetime

from integration.pipeline.hard_log import Record

from streams.routing import partition_for

#: The job of the system that is looked at most.
JOB = "live-audience"
#: The recorded viewers of scopes, by scope and name.
SCOPES = "scope:audience_scope_viewers:max"
#: Who hears of an alert, by its severity.
RECEIVERS = {"critical": "on-call", "warning": "team"}


def platform(broadcast):
    return "fliggy" if int(broadcast[1:]) % 2 else "kuaishou"


def venue(broadcast):
    return "louvre" if int(broadcast[1:]) < 4 else "prado"


def in_all(job=JOB):
    """The recorded viewers of one system's world."""
    return f'{SCOPES}{{scope="world", job="{job}"}}'


def most(viewers, job=JOB):
    """What each scope of a system has at most, by job, kind and name."""
    found = {(job, "world", ""): sum(viewers.values())}
    for broadcast, count in viewers.items():
        for scope, name in (("platform", platform(broadcast)), ("venue", venue(broadcast))):
            found[job, scope, name] = found.get((job, scope, name), 0) + count
    return found


class Platforms:
    """Sends for every broadcast each two seconds, as platforms would each twenty.

    Attributes:
        viewers: What each broadcast tells; may change.
        silent: Broadcasts of which nothing is sent; may change.
        sent: How many events of broadcasts were sent.
    """

    def __init__(self, system, viewers):
        self.system = system
        self.viewers = dict(viewers)
        self.silent = set()
        self.sent = 0
        self._partitions = int(system.given["partitions"])

    async def run(self):
        async with self.system.sender() as send:
            while True:
                records = list(self.records())
                if records:
                    await send(records)
                    self.sent += len(records)
                await asyncio.sleep(2)

    def records(self):
        for broadcast, viewers in self.viewers.items():
            if broadcast not in self.silent:
                event = {
                    "platform": platform(broadcast),
                    "broadcast": broadcast,
                    "at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
                    "viewers": viewers,
                    "venue": venue(broadcast),
                    "programme": f"night-{venue(broadcast)}",
                }
                yield self._record(broadcast, json.dumps(event).encode())

    async def send_malformed(self, count):
        await self.system.send([self._record("c0", b"{") for _ in range(count)])

    def _record(self, broadcast, value):
        key = f"{platform(broadcast)}:{broadcast}".encode()
        partition = partition_for(key, self._partitions, "murmur2")
        return Record(partition, key, value, int(time.time() * 1000), None, None, 0)


@contextlib.asynccontextmanager
async def sending(platforms):
    task = asyncio.create_task(platforms.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Told:
    """What the receivers were told, by receiver, alert and labels, in its order."""

    def __init__(self):
        self.statuses = {}
        self.texts = {}
        self.news = asyncio.Event()
        self.began = time.monotonic()

    def take(self, path, body):
        receiver = path.strip("/")
        if receiver == "venue-louvre":
            for each in body["attachments"]:
                self.add(receiver, (("title", each["title"]),), each["color"], each["text"])
            return
        for alert in body["alerts"]:
            labels = tuple(sorted(alert["labels"].items()))
            self.add(receiver, labels, alert["status"], alert["annotations"])

    def add(self, receiver, labels, status, texts):
        statuses = self.statuses.setdefault((receiver, labels), [])
        if statuses[-1:] != [status]:
            statuses.append(status)
            print(f"{time.monotonic() - self.began:6.1f} s {receiver}: {status} {dict(labels)}")
        self.texts.setdefault((receiver, labels), texts)
        self.news.set()

    async def until(self, key, statuses, seconds=90):
        try:
            async with asyncio.timeout(seconds):
                while self.statuses.get(key) != statuses:
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            raise AssertionError(f"{key} is not {statuses}: {self.statuses}") from None


def alert(name, severity="warning", **labels):
    """The key of an alert of which somebody hears."""
    more = {"alertname": name, "severity": severity, "system": "live-audience"}
    return RECEIVERS[severity], tuple(sorted((labels | more).items()))


def about(name, broadcast):
    labels = {
        "job": JOB,
        "platform": platform(broadcast),
        "broadcast": broadcast,
        "venue": venue(broadcast),
    }
    return alert(name, **labels)


async def no_sum_doubled(server, began, wanted):
    """Look at each evaluation since the beginning: what scopes had at most is what they must."""
    span = f"{time.time() - began:.0f}s"
    found = await server.series(f'{SCOPES}{{scope!="programme"}}[{span}]')
    greatest = {
        (series["metric"]["job"], series["metric"]["scope"], series["metric"].get("name", "")): max(
            float(value) for _, value in series["values"]
        )
        for series in found
    }
    # Neither more at any time, nor was it never there.
    assert greatest == wanted
    print(f"{sum(len(series['values']) for series in found)} evaluations of {len(found)} scopes")
