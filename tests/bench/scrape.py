"""What a scrape costs: `python tests/bench/scrape.py [--broadcasts 10000] [--rounds 7]`.

A real server on 127.0.0.1 is scraped over HTTP by a process of its own, while a task on the
worker's loop measures how late it is woken: the longest of that is the longest time for which a
batch would have had to wait. Cold: nothing is rendered yet. Warm: every fourth row has changed
since the last scrape. Memory is what LiveBroadcasts takes for each broadcast beside its row. The
garbage collector is set as in a worker; its longest pause is told beside the longest block, for it
is a part of that wherever it happens.
"""

# printing is what it is for

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
import tracemalloc
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere

from agents.entries import broadcast_rows
from agents.serving.live import LiveBroadcasts, LiveScopes
from agents.serving.metrics import Metrics
from agents.serving.web import HttpServer, Stage
from agents.worker import tune_gc
from streams.audience import NO_ROW, Delta, Row, Rules, encode, snapshot
from streams.events import ViewerEvent

PARTITIONS = 8
RULES = Rules(lateness=15, carry=2)
MINUTE = 60_000_000

# A scraper: asks once a line, answers with the seconds and the bytes on the wire.
SCRAPER = """
import http.client, sys, time
for line in sys.stdin:
    port, accept, encoding = line.rstrip("\\n").split("|")
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", int(port))
    connection.request("GET", "/metrics", headers={"Accept": accept, "Accept-Encoding": encoding})
    body = connection.getresponse().read()
    print(time.perf_counter() - began, len(body), flush=True)
    connection.close()
"""


class Well:
    def unhealthy_reason(self):
        return None

    not_ready_reason = unhealthy_reason


class Lateness:
    """Measures how late the loop wakes a task that sleeps for a millisecond."""

    def __init__(self):
        self.longest = 0.0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self):
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, time.perf_counter() - before - 0.001)

    def take(self):
        longest, self.longest = self.longest, 0.0
        return longest

    async def stop(self):
        self._task.cancel()
        await asyncio.wait([self._task])


class Pauses:
    """Measures the longest pause of the garbage collector."""

    def __init__(self):
        self.longest = 0.0
        self._began = 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase, info):
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.longest = max(self.longest, time.perf_counter() - self._began)

    def take(self):
        longest, self.longest = self.longest, 0.0
        return longest

    def stop(self):
        gc.callbacks.remove(self._note)


def event(number, minute):
    return ViewerEvent(
        f"platform-{number % 12}",
        f"broadcast/{number}:2020",
        "",
        viewers=number * 37 % 500_000,
        joins=number % 1000,
        views=number * 40,
        venue=f"museum-{number % 50}",
        programme="night-at-the-museum",
        title=f"Night at the museum, evening {number}",
    )


def fill(count, now):
    """Rows of broadcasts that have run for twenty minutes, by partition."""
    rows = [broadcast_rows() for _ in range(PARTITIONS)]
    first = int(now / 60) - 20
    for number in range(count):
        events = [
            (event(number, minute), minute * MINUTE + number % 60, int(now * 1000))
            for minute in range(first, first + 20)
        ]
        row, result = Row.begin(events, RULES)
        Delta().add_row(NO_ROW, row, result)
        row.fold_sealed()
        told = events[0][0]
        key = f"{told.platform}:{told.broadcast}".encode()
        part = rows[number % PARTITIONS]
        part.commit({key: row}, {key: encode(row)})
    return rows


def change(live, rows, share, now, first=0):
    """Let a batch change every `share`-th row of every partition, from the first on."""
    for partition, part in enumerate(rows):
        changed = {}
        for key in list(part)[first % share :: share]:
            row = part.get(key)
            platform, _, broadcast = key.decode().partition(":")
            told = ViewerEvent(platform, broadcast, "", viewers=(row.contribution or 0) + 1)
            before = snapshot(row)
            result = row.accept_all([(told, int(now * 1e6), int(now * 1000))], before)
            Delta().add_row(before, row, result)
            row.fold_sealed()
            changed[key] = row
        part.commit(changed, {key: encode(row) for key, row in changed.items()})
        live.committed(partition, changed)


async def measure(count, rounds):
    now = time.time()
    rows = fill(count, now)
    tune_gc()
    live = LiveBroadcasts()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for partition, part in enumerate(rows):
        live.restored(partition, part)
    await live.indexed()
    print(f"LiveBroadcasts: {(tracemalloc.get_traced_memory()[0] - before) / count:.0f} bytes each")
    tracemalloc.stop()
    began = time.perf_counter()
    change(live, rows, 1, now)
    whole = time.perf_counter() - began
    changed = {key: row for part in rows for key in part if (row := part.get(key))}
    began = time.perf_counter()
    for partition, part in enumerate(rows):
        live.committed(partition, {key: changed[key] for key in part})
    told = time.perf_counter() - began
    print(
        f"committed(): {told / count * 1e6:.2f} us a row (accept, settle, encode and it: "
        f"{whole / count * 1e6:.1f})"
    )
    changed.clear()

    scraper = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCRAPER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    print(f"{count:,} broadcasts, all exported, {PARTITIONS} partitions")
    print(
        f"{'':34}{'seconds':>9}{'cpu s':>8}{'bytes sent':>13}{'longest block ms':>18}"
        f"{'longest gc ms':>15}"
    )
    openmetrics = "application/openmetrics-text;version=1.0.0"
    for name, accept, encoding in (
        ("text", "text/plain", "identity"),
        ("text, gzip", "text/plain", "gzip"),
        ("OpenMetrics", openmetrics, "identity"),
        ("OpenMetrics, gzip", openmetrics, "gzip"),
    ):
        scopes = LiveScopes()
        metrics = Metrics(
            live,
            scopes,
            top=count,
            top_scopes=0,
            assigned=lambda: PARTITIONS,
            not_ready_reason=lambda: None,
        )
        server = HttpServer(
            "127.0.0.1",
            0,
            broadcasts=Stage(live, lambda: PARTITIONS),
            scopes=Stage(scopes, lambda: PARTITIONS),
            exposition=metrics.exposition,
            health=Well(),
            partitioner="any",
        )
        await server.start()
        port = server.url.rpartition(":")[2]
        lateness, pauses = Lateness(), Pauses()
        found = []
        for _ in range(rounds):
            await asyncio.sleep(0.2)
            lateness.take(), pauses.take()
            cpu = time.process_time()
            scraper.stdin.write(f"{port}|{accept}|{encoding}\n".encode())
            seconds, size = (await scraper.stdout.readline()).split()
            cpu = time.process_time() - cpu
            found.append((float(seconds), cpu, int(size), lateness.take(), pauses.take()))
            change(live, rows, 4, now)
        await lateness.stop()
        pauses.stop()
        show(f"{name}: cold", [found[0]])
        show(f"{name}: warm, {rounds - 1} scrapes", found[1:])
        await server.stop()
    scraper.stdin.close()
    await scraper.wait()


def show(name, found):
    """Print the median time and the worst block of some scrapes."""
    seconds, cpu, size, block, pause = zip(*found, strict=True)
    print(
        f"{name:34}{median(seconds):9.3f}{median(cpu):8.3f}{size[-1]:13,}{max(block) * 1e3:18.1f}"
        f"{max(pause) * 1e3:15.1f}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--broadcasts", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.broadcasts, arguments.rounds))
