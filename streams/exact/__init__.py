"""Exactly-once batches for Faust, over Apache Kafka's transactions.

Faust's own consumer doubles what it had read when a worker dies, and loses records after some
clean restarts. Here an agent gets batches of one partition, and the rows it changes, the position
in the source and everything it sends become durable in one Kafka transaction. State is read back
from the changelog, the source is read on from the position that lies beside it.

A Faust agent that counts words exactly:

    from streams.exact import ExactApp, ExactSettings, Rows, Source

    app = ExactApp("word-count", broker="kafka://localhost:9092")
    words = Source(
        app, "words", changelog="word-counts", outputs=["counts"],
        rows=lambda: Rows(decode=int, encode=lambda count: b"%d" % count),
        settings=ExactSettings(client={"bootstrap_servers": "localhost:9092"}, group="word-count"),
    )
    app.sources.append(words)

    @app.agent(words.channel)
    async def count(batches):
        async for batch in batches:
            with batch:
                for record in batch.records:
                    word = record.value
                    batch.changed[word] = (batch.row(word) or 0) + 1
                for word, n in batch.changed.items():
                    batch.send("counts", word, b"%d" % n)

`faust -A word_count worker -l info` runs it; `README.md` beside this file says what holds and why.
"""

from streams.exact.batch import Batch, Output
from streams.exact.boot import ExactApp, ExactBoot
from streams.exact.errors import (
    Abandoned,
    ExactError,
    Fenced,
    NewerFormat,
    SessionLost,
    Unrecoverable,
)
from streams.exact.listener import Listener
from streams.exact.parsing import Unreadable
from streams.exact.progress import Lag
from streams.exact.rows import Rows, StateEntry
from streams.exact.settings import ExactSettings, Remedies
from streams.exact.source import Source

__all__ = [
    "Abandoned",
    "Batch",
    "ExactApp",
    "ExactBoot",
    "ExactError",
    "ExactSettings",
    "Fenced",
    "Lag",
    "Listener",
    "NewerFormat",
    "Output",
    "Remedies",
    "Rows",
    "SessionLost",
    "Source",
    "StateEntry",
    "Unreadable",
    "Unrecoverable",
]
