"""The CPU time of the broadcasts' stage alone, without Kafka: this folder's beside other versions'.

    python tests/bench/processor.py                          this folder's
    python tests/bench/processor.py ../before                also that of another worktree, in turns
    python tests/bench/processor.py --pure                   also this folder's without its compiled
                                                             modules, in turns

Each version is a process of its own. They work off the same events, batch by batch in turns, so a
busy machine is as busy for one as for the other: the ratio of two batches is what counts, and its
median says something where a whole run's pace says nothing. A tree from before contract 2 is not
understood.
"""

import asyncio
import gc
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import click

HERE = Path(__file__).resolve().parents[2]
PARTITIONS = 4
PHASES = ("work off", "encode", "rows", "timers, readers")


class Record(NamedTuple):
    """What a batch has of a record."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


async def worker(workload: str, count: int, size: int) -> None:
    """Work off a batch for each line that is read; print the seconds of each phase and its size."""
    import workload as events  # noqa: PLC0415  # of the version that is measured, like all below
    from aiokafka.structs import TopicPartition  # noqa: PLC0415

    from agents.pipeline.broadcasts.agent import BroadcastProcessor  # noqa: PLC0415
    from agents.serving.live import LiveBroadcasts  # noqa: PLC0415
    from streams import audience  # noqa: PLC0415
    from streams.exact import Batch, Rows  # noqa: PLC0415
    from streams.routing import partition_for  # noqa: PLC0415
    from streams.settings import Settings  # noqa: PLC0415
    from streams.topics import Topics  # noqa: PLC0415

    settings = Settings(partitions=PARTITIONS)
    work, live = BroadcastProcessor(settings, Topics.of(settings)), LiveBroadcasts()
    logs: list[list[Record]] = [[] for _ in range(PARTITIONS)]
    for record in events.records(workload, count):
        log = logs[partition_for(record.key, PARTITIONS)]
        log.append(Record(len(log), record.timestamp, 0, record.key, record.value))
    now, clock = time.time(), time.process_time
    try:
        from agents.entries import broadcast_rows  # noqa: PLC0415
    except ImportError:  # of a version that keeps more than one dictionary
        rows = [Rows(audience.decode, audience.encode) for _ in logs]
    else:
        rows = [broadcast_rows() for _ in logs]
    for number, each in enumerate(rows):
        work.restored(number, each, now, now, PARTITIONS)
        live.restored(number, each)
    await asyncio.sleep(0.01)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)  # as a worker's
    print("ready", flush=True)
    for start in range(0, max(map(len, logs)), size):
        for number, log in enumerate(logs):
            if not (part := log[start : start + size]):
                continue
            sys.stdin.readline()
            times = [clock()]
            source = TopicPartition("events", number)
            batch = Batch(source, part, rows[number], caught_up=False, read_at=now)
            with batch:
                work.process_batch(batch)
            await batch.wait_processed()
            times.append(clock())
            encode = rows[number].encode
            encoded = {key: row and encode(row) for key, row in batch.changed.items()}
            times.append(clock())
            rows[number].commit(batch.changed, encoded)
            times.append(clock())
            work.committed(batch)
            live.committed(number, batch.changed)
            times.append(clock())
            print(*(after - before for before, after in pairwise(times)), len(part), flush=True)
    sys.stdin.readline()
    print("end", flush=True)


class Version(NamedTuple):
    """What is measured: a folder's code, compiled where it can be or not."""

    folder: Path
    is_pure: bool = False

    @property
    def name(self) -> str:
        """For people."""
        return self.folder.name + (" (pure)" if self.is_pure else "")


def measure(
    versions: Sequence[Version], workload: str, count: int, size: int
) -> list[list[list[float]]]:
    """The microseconds an event of each phase, of each batch, of each version."""
    # -P: else this file's folder would come first, and with it this version.
    program = "import sys; sys.path[:0] = sys.argv[1:3]; import asyncio, runpy; "
    program += "f = runpy.run_path(sys.argv[3])['worker']; "
    program += "asyncio.run(f(sys.argv[4], int(sys.argv[5]), int(sys.argv[6])))"
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-P", "-c", program, str(folder), str(folder / "tests/bench")),
                *(__file__, workload, str(count), str(size)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "AUDIENCE_COMPILED": "no" if is_pure else "yes"},
        )
        for folder, is_pure in versions
    ]
    found: list[list[list[float]]] = [[] for _ in versions]
    for process in processes:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise SystemExit("error: a version could not be measured, its own message says why")
    order = list(range(len(versions)))
    is_over = False
    while not is_over:
        for place in order:
            process = processes[place]
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            line = process.stdout.readline().split()
            if not line:
                raise SystemExit("error: a version failed, its own message says where")
            if is_over := line == ["end"]:
                continue
            *seconds, events = map(float, line)
            found[place].append([each * 1e6 / events for each in seconds])
        order.reverse()
    for process in processes:
        process.communicate()
    return found


@click.command(help=__doc__)
@click.argument("others", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--events", default=200_000, show_default=True)
@click.option("--batch", default=10_000, show_default=True, help="Records of a batch at most.")
@click.option("--broadcasts", default=("2000", "distinct"), multiple=True)
@click.option("--pure", is_flag=True, help="Also this folder's without its compiled modules.")
def main(
    others: tuple[Path, ...], events: int, batch: int, broadcasts: tuple[str, ...], pure: bool
) -> None:
    """Measure and print."""
    mine = Version(HERE)
    versions = [mine, *([Version(HERE, is_pure=True)] if pure else [])]
    versions += [Version(other.resolve()) for other in others]
    for workload in broadcasts:
        found = measure(versions, workload, events, batch)
        sums = [[sum(phases) for phases in batches] for batches in found]
        for version, batches, each in zip(versions, found, sums, strict=True):
            phases = ", ".join(
                f"{name} {median(column):.2f}"
                for name, column in zip(PHASES, zip(*batches, strict=True), strict=True)
            )
            ratios = [a / b for a, b in zip(sums[0], each, strict=True)]
            low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else (ratios * 3)
            print(f"{workload}: {version.name}: {median(each):.2f} us an event ({phases})")
            if version is not mine:
                print(f"  {mine.name} takes {median(ratios):.2f} of it ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
