"""What readers of `/v1/live` cost: `python tests/bench/live.py [--readers 1000] [--seconds 30]`.

A real server on 127.0.0.1 has some broadcasts, each of which tells its viewers once a minute, as
real ones do. The readers are a process of their own that reads all the time. Told are the server's
CPU and memory with and without them, how late its loop wakes meanwhile, the bytes that a reader
gets, and how long it takes from a commit until a reader has read it: up to a second of that is the
pace of the stream.
"""

# printing is what it is for

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere
sys.path.insert(0, str(Path(__file__).parent))

from meters import load, usage
from scrape import PARTITIONS, Lateness, Well, change, fill

from agents.serving.live import LiveBroadcasts, LiveScopes
from agents.serving.web import HttpServer, Limits, Stage, raise_file_limit
from agents.worker import tune_gc

# Opens the readers, and says when all have their state; at the end, what they have got.
READERS = """
import asyncio, json, resource, sys, time
port, count = int(sys.argv[1]), int(sys.argv[2])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
took, size, kinds = [], [0], {}

async def read(begun):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    writer.write(b"GET /v1/live HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n")
    kind, first = "", True
    try:
        while line := await reader.readline():
            size[0] += len(line)
            if line.startswith(b"event: "):
                kind = line[7:].strip().decode()
                kinds[kind] = kinds.get(kind, 0) + 1
            elif line.startswith(b"data: ") and first:
                first = False
                begun.release()
            elif line.startswith(b"data: ") and b'"title":"at ' in line:
                at = line.rpartition(b'"title":"at ')[2].partition(b'"')[0]
                took.append(time.time() - float(at))
    finally:
        writer.transport.abort()

async def main():
    begun = asyncio.Semaphore(0)
    tasks = []
    for number in range(count):
        tasks.append(asyncio.create_task(read(begun)))
        if number % 50 == 49:
            await asyncio.sleep(0.05)
    for _ in range(count):
        await begun.acquire()
    took.clear(), kinds.clear()
    size[0] = 0
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    took.sort()
    at = lambda share: took[min(len(took) - 1, int(share * len(took)))] if took else None
    print(json.dumps({"bytes": size[0], "kinds": kinds, "p50": at(0.5), "p99": at(0.99),
                      "seen": len(took)}), flush=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

asyncio.run(main())
"""


class Nothing:
    """No metrics are asked for."""


async def told(live, rows, seconds, probe):
    """Each second a sixtieth of the broadcasts tells its viewers, and one says when that was."""
    end = time.monotonic() + seconds
    turn = 0
    while time.monotonic() < end:
        began = time.monotonic()
        turn += 1
        change(live, rows, 60, time.time(), turn)
        probe(f"at {time.time():.3f}")
        await asyncio.sleep(max(0.0, began + 1 - time.monotonic()))


def memory():
    """Bytes that this process holds now (Linux only)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


async def measure(readers, seconds, broadcasts):
    raise_file_limit()
    rows = fill(broadcasts, time.time())
    tune_gc()
    live, scopes = LiveBroadcasts(), LiveScopes()
    for partition, part in enumerate(rows):
        live.restored(partition, part)
    await live.indexed()
    server = HttpServer(
        "127.0.0.1",
        0,
        broadcasts=Stage(live, lambda: PARTITIONS),
        scopes=Stage(scopes, lambda: PARTITIONS),
        exposition=Nothing(),
        health=Well(),
        partitioner="any",
        limits=Limits(connections=readers * 2),
    )
    await server.start()
    largest = max(
        ((row.contribution or 0, key, part) for part in rows for key in part
         if (row := part.get(key))),
        key=lambda each: each[0],
    )  # fmt: skip  # one expression reads best close together

    def probe(title):
        _, key, part = largest
        row = part.get(key)
        row.title = title
        part.commit({key: row}, {key: part.encode(row)})
        live.committed(rows.index(part), {key: row})

    lateness = Lateness()
    print(f"{broadcasts:,} broadcasts, load {load():.1f}")
    print(
        f"{'readers':>8}{'cpu cores':>11}{'memory MB':>11}{'longest block ms':>18}{'kB/s each':>11}"
        f"{'p50 s':>8}{'p99 s':>8}  events"
    )
    for count in (0, readers):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", READERS, server.url.rpartition(":")[2], str(count)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        await process.stdout.readline()
        lateness.take()
        before = usage(os.getpid())
        await told(live, rows, seconds, probe)
        used = usage(os.getpid()).cpu - before.cpu
        process.stdin.write(b"\n")
        found = json.loads(await process.stdout.readline())
        each = found["bytes"] / max(1, count) / seconds / 1000
        times = "".join(f"{found[name] or 0:8.2f}" for name in ("p50", "p99"))
        print(
            f"{count:8,}{used / seconds:11.2f}{memory() / 1e6:11.0f}{lateness.take() * 1e3:18.1f}"
            f"{each:11.1f}{times}  {found['kinds']}"
        )
        process.stdin.close()
        await process.wait()
    await lateness.stop()
    await server.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readers", type=int, default=1_000)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--broadcasts", type=int, default=1_000)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.readers, arguments.seconds, arguments.broadcasts))
