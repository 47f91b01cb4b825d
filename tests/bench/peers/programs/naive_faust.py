"""Faust as its documentation shows it: an agent, a record, a table.

    python naive_faust.py BROKERS GROUP TOPIC PARTITIONS FOLDER

It prints `begun SECONDS` with the first event. Its table has the changelog that Faust gives it, and
offsets are committed as Faust does, every 2.8 s.
"""

import sys
import time

import faust
from figures import add, millis

brokers, group, topic, partitions, folder = sys.argv[1:]
app = faust.App(
    group,
    broker=f"kafka://{brokers}",
    store="memory://",
    topic_partitions=int(partitions),
    topic_disable_leader=True,
    web_enabled=False,
    datadir=folder,
    broker_session_timeout=10,
    broker_heartbeat_interval=3,
    consumer_auto_offset_reset="earliest",
)


class Event(faust.Record):
    """A viewer event, as far as the job looks at it."""

    at: str
    viewers: int


events = app.topic(topic, key_type=bytes, value_type=Event)
figures = app.Table("figures", key_type=bytes, default=list)


@app.agent(events)
async def count(stream):
    """Count each event."""
    begun = False
    async for key, event in stream.items():
        if not begun:
            begun = True
            # (Faust takes `print` for a warning to be logged.)
            sys.__stdout__.write(f"begun {time.time()}\n")
            sys.__stdout__.flush()
        figures[key] = add(figures[key], millis(event.at), event.viewers)


if __name__ == "__main__":
    # (Below "info" Faust turns on a spinner that takes 14 % of a core.)
    sys.argv[1:] = ["worker", "--loglevel", "info", "--without-web"]
    app.main()
