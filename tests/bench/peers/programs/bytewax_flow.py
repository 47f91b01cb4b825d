"""Bytewax as its documentation shows it: a Kafka source, `stateful_map`, a recovery store.

    python bytewax_flow.py BROKERS TOPIC EVENTS FOLDER

It reads the topic to its end (`tail=False`), prints `begun SECONDS` with the first event, `half
SECONDS` at half of the events, and `done SECONDS` when the last snapshot is in the recovery store.
Then it waits for the end of its input, so that it can be looked at. Bytewax has no changelog in
Kafka and no consumer group: SQLite files in a folder are all that it recovers from. A snapshot of
what has changed is made every 10 s, as by default, and at the end.
"""

import itertools
import sys
import time
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSource
from bytewax.connectors.stdio import StdOutSink
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import run_main
from figures import add, millis

brokers, topic, events, folder = sys.argv[1:]
half = int(events) // 2
numbers = itertools.count(1)


def read(message):
    """Read an event, and say who it is of."""
    event = orjson.loads(message.value)
    return message.key.decode(), (millis(event["at"]), event["viewers"])


def count(row, told):
    """Count an event."""
    if (number := next(numbers)) in (1, half):
        print("begun" if number == 1 else "half", time.time(), flush=True)
    return add(row, *told), None


flow = Dataflow("peers")
messages = op.input("events", flow, KafkaSource([brokers], [topic], tail=False))
counted = op.stateful_map("count", op.map("read", messages, read), count)
# A flow needs an output; nothing goes there, for what is kept is in the recovery store.
op.output("none", op.filter("nothing", counted, lambda _: False), StdOutSink())

if __name__ == "__main__":
    store = Path(folder)
    if not store.exists():
        store.mkdir(parents=True)
        init_db_dir(store, 1)
    run_main(flow, recovery_config=RecoveryConfig(store), epoch_interval=timedelta(seconds=10))
    print("done", time.time(), flush=True)
    sys.stdin.read()
