"""The pipeline in memory, driven by the actions that the contract's twin is driven by."""

import orjson
from contract.logs import Advance
from memory_pipeline import Line

from agents.pipeline.broadcasts.lifecycle import Timers
from streams.audience import Row


class Exact(Timers):
    """Looks at every key each time: buckets make a timer late by some seconds."""

    def due(self, now, wall, most):
        del now, wall, most
        return iter(list(self._entries))


class Code(Line):
    """The pipeline, driven as the twin is."""

    def __init__(self, environment):
        names = {name.removeprefix("AUDIENCE_").lower(): v for name, v in environment.items()}
        super().__init__(1, retention="1d", scope_history="3650d", minutes="on", **names)

    def drive(self, action):
        if isinstance(action, Advance):
            self.at(action.now)
            if not action.behind:
                self.broadcasts.batch(0, 0, caught_up=True)
        else:
            self.at(action.read_at)
            self.append(
                self.topics.events.name,
                0,
                action.key,
                action.value,
                action.timestamp,
                log_append=action.log_append,
            )
            self.broadcasts.batch(0, 1)
        while self.scopes.waiting(0):
            self.scopes.batch(0, 1_000)

    def at(self, milliseconds):
        self.now = milliseconds / 1000

    def last_published(self):
        log = self.log[self.topics.broadcast_summaries.name, 0]
        return {record.key.decode(): orjson.loads(record.value) for record in log}

    def row(self, key):
        row = self.broadcasts.rows[0].read(key.encode())
        return row if isinstance(row, Row) else None
