"""A Faust app that counts words exactly: what the tests of the exact layer run as workers.

Its rows are counts by word, its output repeats each new count. Settings come as JSON in WORDS.
"""

import asyncio
import gc
import json
import logging
import os
import signal
import sys

import faust
import mode

from streams.exact import Batch, ExactApp, ExactSettings, Listener, Rows, Source, limits

_ask = limits.DescribeConfigsRequest
logging.getLogger("aiokafka").setLevel(logging.ERROR)
options = json.loads(os.environ["WORDS"])


if options.get("may_not_ask"):  # as where the broker lets nobody describe a topic's settings
    limits.DescribeConfigsRequest = lambda topics: _ask([(2, f"no-{n}", s) for _, n, s in topics])


class Say(Listener):
    """Tells the test by lines on standard output."""

    def restored(self, partition, rows, seconds):
        print(f"restored {partition} {len(rows)}", flush=True)

    def lost(self, partition):
        print(f"lost {partition}", flush=True)

    def failed(self, partition, reason):
        print(f"failed {partition}: {type(reason).__name__}: {reason}", flush=True)

    def session_lost(self, reason):
        print(f"session lost: {type(reason).__name__}: {reason}", flush=True)


app = ExactApp(f"words-{os.getpid()}", broker=f"kafka://{options['brokers']}")
words = Source(
    app,
    options["source"],
    changelog=options["changelog"],
    outputs=[options["output"]],
    rows=lambda: Rows(int, lambda count: b"%d" % count),
    settings=ExactSettings(
        client={"bootstrap_servers": options["brokers"]},
        group=options["group"],
        instance=options.get("instance"),
        instance_setting="THE_INSTANCE",
        batch_records=options.get("batch", 500),
        session_timeout=options.get("session", 6.0),
        deadline=options.get("deadline", 10.0),
        patience=options.get("patience", 60.0),
        drain=options.get("drain", 5.0),
        max_batch_bytes=options.get("max_batch_bytes", 900_000),
        batch_bytes=options.get("batch_bytes", 16 * 1024 * 1024),
        tick=0.1,
    ),
    listener=Say(),
)
app.sources.append(words)
if options.get("gc_off"):
    gc.disable()


class ProgressCallback(mode.Service):
    """Tells the test how the source stands, and cancels its fetch task on SIGUSR1."""

    async def on_start(self):
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._cancel)

    def _cancel(self):
        words._session.consumer._fetcher._fetch_task.cancel()

    @mode.Service.task
    async def _tell(self):
        while not self.should_stop:
            await self.sleep(0.2)
            state = {
                "not_ready_reason": words.not_ready_reason(),
                "lags": words.lags(),
                "failing": words.failing(),
                "batches": sum(type(known) is Batch for known in gc.get_objects()),
            }
            print(f"state {json.dumps(state)}", flush=True)


app.services.append(ProgressCallback())


@app.agent(words.channel)
async def count(batches):
    async for batch in batches:
        with batch:
            for found in batch.unreadable:
                print(f"unreadable {found.offset} {found.records} {found.detail}", flush=True)
            for record in batch.records:
                word = record.value
                if word == b"poison":
                    raise ValueError("a word that the agent cannot bear")
                batch.changed[word] = (batch.row(word) or 0) + 1
            for word, total in batch.changed.items():
                batch.send(options["output"], word, b"%d" % total)
                if word.startswith(b"swollen"):
                    batch.send(options["output"], word, b"0" * 50_000)


if __name__ == "__main__":
    worker = faust.Worker(app, loglevel="info", redirect_stdouts=False, stdout=sys.stderr)
    worker.execute_from_commandline()
