"""What it costs to tell how long events took, per event: `python tests/bench/latency.py`.

Beside it stands what one `Histogram.observe` of prometheus-client an event would cost. Least CPU
times of several rounds, so other work on the machine hardly counts.
"""

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from prometheus_client import CollectorRegistry, Histogram

from agents.pipeline.broadcasts.arrivals import encode_arrivals, group_arrivals, read_arrivals
from agents.serving.metrics.latency import BOUNDS, LatencyHistogram

START = 1_700_000_000_000


def records(times):
    """Records as a worker has them: of aiokafka's C decoder."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 2**31 - 1)
    for number, at in enumerate(times):
        assert builder.append(number, at, b"kick:b", b"x" * 100, []) is not None
    return list(DefaultRecordBatch(bytes(builder.build())))


def least(rounds, work):
    """The least CPU time of several rounds, in seconds."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def measure(name, times, rounds):
    batch, now = records(times), max(times) / 1000 + 1
    histogram = LatencyHistogram()
    plain = Histogram("h", "h", registry=CollectorRegistry(), buckets=BOUNDS)

    class Change:
        headers = ()

    def told():
        histogram.observe(group_arrivals(batch, now), now)

    def one_by_one():
        for record in batch:
            plain.observe(now - record.timestamp / 1000)

    header = encode_arrivals(group_arrivals(batch, now))
    Change.headers = [("arrivals", header)]
    # Of several hundred changes of a batch of the second stage one has the header.
    changes = [Change()] + [type("Bare", (), {"headers": ()})() for _ in range(300)]
    repeat = max(1, 200_000 // len(batch))
    ours = least(rounds, lambda: [told() for _ in range(repeat)]) / repeat
    theirs = least(rounds, one_by_one)
    second = least(
        rounds, lambda: [histogram.observe(read_arrivals(changes), now) for _ in range(200)]
    )
    per_event = 1e9 / len(batch)
    print(
        f"{name:42} {ours * per_event:8.0f} ns {ours * 1e6:8.0f} us {theirs * per_event:10.0f} ns"
        f" {second / 200 * 1e6:8.0f} us {len(header):6} B"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    random.seed(1)
    print(
        f"{'':42} {'an event':>11} {'a batch':>11} {'one by one':>13} {'scopes':>11} {'header':>8}"
    )
    for count in (50, 500, 20_000):
        by_broker = sorted(START + 40 * random.randrange(25) for _ in range(count))
        by_producer = [START + number // 20 + random.randrange(300) for number in range(count)]
        measure(f"{count:,} events, the broker's timestamps", by_broker, rounds)
        measure(f"{count:,} events, producers' timestamps", by_producer, rounds)


if __name__ == "__main__":
    main()
