"""How many webhooks a second one gateway acknowledges, on a real Kafka: rate, p99, memory.

    .venv/bin/python tests/bench/gateway.py --seconds 10 --rate 2000

The sender is a process of its own; the gateway has one core at most, being one Python process.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path[:0] = [
    str(Path(__file__).parents[2]),
    str(Path(__file__).parents[1]),
    str(Path(__file__).parents[1] / "integration" / "gateway"),
]

from running import Gateways, now  # noqa: E402 - found by the lines above

from agents.broker import Broker  # noqa: E402 - as above


async def send(gateway, number, took):
    body = {"channel": f"room-{number % 500}", "kind": "sample", "at": now(), "viewers": number}
    began = time.perf_counter()
    status = await gateway.own(f"m{number}", body)
    took.append((time.perf_counter() - began, status))


async def measure(seconds, rate):
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder) / "kafka") as broker:
        async with Gateways(broker.bootstrap, "bench.", Path(folder)) as gateways:
            await gateways.make_topics()
            gateway = await gateways.start()
            process = psutil.Process(gateway.process.process.pid)
            took, tasks = [], []
            cpu = sum(process.cpu_times()[:2])
            began = time.perf_counter()
            for number in range(seconds * rate):
                due = began + number / rate
                if (wait := due - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
                tasks.append(asyncio.create_task(send(gateway, number, took)))
            await asyncio.gather(*tasks)
            passed = time.perf_counter() - began
            cpu = sum(process.cpu_times()[:2]) - cpu
            cuts = statistics.quantiles([each for each, _ in took], n=100)
            statuses = {status for _, status in took}
            return {
                "acknowledged": sum(status == 200 for _, status in took),
                "statuses": sorted(statuses),
                "a_second": round(len(took) / passed),
                "p50_ms": round(cuts[49] * 1000, 1),
                "p99_ms": round(cuts[98] * 1000, 1),
                "cpu_seconds_per_1000": round(cpu / len(took) * 1000, 3),
                "memory_mb": round(process.memory_info().rss / 1e6),
            }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rate", type=int, default=2000)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measure(options.seconds, options.rate)), indent=2))


if __name__ == "__main__":
    main()
