"""What a broadcast at rest takes of memory, and how long its partition takes to come back.

    python tests/bench/rows_memory.py                          this folder's version
    python tests/bench/rows_memory.py ../before                also that of another worktree
    python tests/bench/rows_memory.py --rows 800000

Every event is another broadcast's, worked off in batches as they come; then what Python has
allocated is counted, keys and all that is kept of them included, and what the process has in memory
beside it. The same rows then come back as from the changelog: the bytes are loaded, the timers
begin, the index for readers is built. Then once more, as after a rebalance, with the rows still
there. CPU times.
"""

import gc
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import click

HERE = Path(__file__).resolve().parents[2]
BATCH = 10_000


def resident(name: str = "VmRSS") -> int:
    """Bytes of this process in memory (Linux only); `VmHWM`: the most there ever were."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError("no such line")


async def measure(count: int, *, traced: bool) -> None:
    """Work off, count, and bring back."""
    import workload  # noqa: PLC0415  # of the version that is measured, like all below
    from aiokafka.structs import TopicPartition  # noqa: PLC0415

    from agents.pipeline.broadcasts.agent import BroadcastProcessor  # noqa: PLC0415
    from agents.serving.live import LiveBroadcasts  # noqa: PLC0415
    from streams import audience  # noqa: PLC0415
    from streams.exact import Batch, Rows  # noqa: PLC0415
    from streams.settings import Settings  # noqa: PLC0415
    from streams.topics import Topics  # noqa: PLC0415

    def new_rows():
        try:
            from agents.entries import broadcast_rows  # noqa: PLC0415
        except ImportError:  # of a version that keeps more than one dictionary
            return Rows(audience.decode, audience.encode)
        return broadcast_rows()

    class Record:
        """What a batch has of a record; its key is made anew, as by a fetch."""

        __slots__ = ("headers", "key", "offset", "timestamp", "timestamp_type", "value")

        def __init__(self, offset, told):
            self.offset, self.timestamp, self.timestamp_type = offset, told.timestamp, 0
            self.key, self.value, self.headers = bytes(bytearray(told.key)), told.value, ()

    settings = Settings(partitions=1)
    work, live, rows = BroadcastProcessor(settings, Topics.of(settings)), LiveBroadcasts(), None
    told = list(workload.records("distinct", count))
    now = time.time()

    async def restored():
        began = time.process_time()
        work.restored(0, rows, now, now, 1)
        live.restored(0, rows)
        at_once = time.process_time() - began
        await live.indexed()
        return at_once, time.process_time() - began - at_once

    rows = new_rows()
    await restored()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)  # as a worker's
    if traced:
        tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0] if traced else resident()
    for start in range(0, count, BATCH):
        part = [Record(start + n, each) for n, each in enumerate(told[start : start + BATCH])]
        batch = Batch(TopicPartition("events", 0), part, rows, caught_up=False, read_at=now)
        with batch:
            work.process_batch(batch)
        await batch.wait_processed()
        encoded = {key: row and audience.encode(row) for key, row in batch.changed.items()}
        rows.commit(batch.changed, encoded)
        work.committed(batch)
        live.committed(0, batch.changed)
        del part, batch, encoded
    gc.collect()
    if traced:
        print(f"  {(tracemalloc.get_traced_memory()[0] - before) / len(rows):.0f} bytes a row")
        return
    print(f"  {(resident() - before) / len(rows):.0f} bytes of the process a row")
    held = list(rows.items()) if hasattr(rows, "items") else list(rows.committed.items())
    held = [(bytes(bytearray(key)), bytes(bytearray(value))) for key, value in held]
    rows = new_rows()
    began = time.process_time()
    for key, value in held:
        rows.load(key, value)
    loaded = time.process_time() - began
    for what in ("from the changelog", "rows known"):
        at_once, indexed = await restored()
        print(
            f"  {what}: load {loaded * 1e6 / count:.2f}, timers and readers at once "
            f"{at_once * 1e6 / count:.2f}, index {indexed * 1e6 / count:.2f} us a row"
        )
        loaded = 0.0


@click.command(help=__doc__)
@click.argument("others", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--rows", default=200_000, show_default=True)
def main(others: tuple[Path, ...], rows: int) -> None:
    """Measure each version in processes of their own."""
    # -P: else this file's folder would come first, and with it this version.
    program = "import sys; sys.path[:0] = sys.argv[1:3]; import asyncio, runpy; "
    program += "f = runpy.run_path(sys.argv[3])['measure']; "
    program += "asyncio.run(f(int(sys.argv[4]), traced=sys.argv[5] == 'traced'))"
    for folder in (HERE, *(other.resolve() for other in others)):
        print(f"{folder.name}: {rows:,} rows", flush=True)
        for way in ("traced", "resident"):
            subprocess.run(
                [
                    *(sys.executable, "-P", "-c", program, str(folder)),
                    *(str(folder / "tests/bench"), __file__, str(rows), way),
                ],
                check=True,
            )


if __name__ == "__main__":
    main()
