"""Quix Streams as its documentation shows it: a streaming data frame with state.

    python quix.py BROKERS GROUP TOPIC GUARANTEE FOLDER

It prints `begun SECONDS` with the first event. State is in RocksDB with a changelog topic, as by
default; checkpoints are made each second, where the default is five.
"""

import itertools
import sys
import time

from figures import add, millis
from quixstreams import Application

brokers, group, topic, guarantee, folder = sys.argv[1:]
app = Application(
    broker_address=brokers,
    consumer_group=group,
    auto_offset_reset="earliest",
    processing_guarantee=guarantee,
    commit_interval=1.0,
    state_dir=folder,
    loglevel="WARNING",
    consumer_extra_config={"session.timeout.ms": 10_000},
)
numbers = itertools.count(1)


def count(event, state):
    """Count an event."""
    if next(numbers) == 1:
        print("begun", time.time(), flush=True)
    state.set("figures", add(state.get("figures"), millis(event["at"]), event["viewers"]))


events = app.topic(topic, value_deserializer="json", key_deserializer="bytes")
app.dataframe(events).update(count, stateful=True)

if __name__ == "__main__":
    app.run()
