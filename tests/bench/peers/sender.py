"""Sends events at an even pace, so many a second over so many broadcasts; a program of its own.

    python sender.py BROKERS TOPIC PARTITIONS BROADCASTS RATE SECONDS

It prints `ready`, waits for a line, sends, and prints a line of JSON: how many it sent, in how many
seconds, and how late the latest was handed over. Then it waits for the end of its input, so that it
can be looked at.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # the other files of the benchmark
sys.path.append(str(Path(__file__).parents[3]))

from fleet import Filling, Fleet, producer

_TICK = 0.02


async def send(fleet: Fleet, brokers: str, topic: str, rate: float, seconds: float) -> dict:
    """Send each event when it is due, its time the present one."""
    sent, latest = 0, 0.0
    async with producer(brokers) as client:
        filling = Filling(fleet, client, topic)
        began = time.time()
        while True:
            now = min(time.time(), began + seconds)
            at = int(now * 1000)
            due = int((now - began) * rate)
            for number in range(sent, due):
                await filling.add(number % fleet.count, at)
            sent = due
            await filling.send()
            latest = max(latest, time.time() - now)
            if now >= began + seconds:
                break
            await asyncio.sleep(_TICK)
        await filling.flush()
    return {"sent": sent, "seconds": time.time() - began, "latest": round(latest, 3)}


if __name__ == "__main__":
    _brokers, _topic = sys.argv[1:3]
    _partitions, _broadcasts, _rate = map(int, sys.argv[3:6])
    _fleet = Fleet(_broadcasts, 100, _partitions)
    print("ready", flush=True)
    sys.stdin.readline()
    _told = asyncio.run(send(_fleet, _brokers, _topic, _rate, float(sys.argv[6])))
    print(json.dumps(_told), flush=True)
    sys.stdin.read()
