"""A broadcast told line by line, for tests that work figures out by hand.

`at("12:00:30")` is a time of 20 November 2026, and `tell` an event that is read when it happens.
"""

from contract.reading import record
from contract.twin import Twin

from streams import rfc3339

KEY = "twitch:b1"


def at(clock, day="2026-11-20"):
    """A time as events write it; with `day` for another than the usual one."""
    return f"{day}T{clock}Z"


def ms(clock, day="2026-11-20"):
    """The same in milliseconds since 1970."""
    return rfc3339.microseconds(at(clock, day)) // 1000


class Told:
    """A twin, and events told to it. `told.b1` are the figures of the usual broadcast."""

    def __init__(self, **settings):
        self.twin = Twin({f"AUDIENCE_{name.upper()}": text for name, text in settings.items()})

    def tell(self, clock, viewers=None, *, day="2026-11-20", read=None, **fields):
        """An event, read when it happened or at the time `read`; None, or why it is refused."""
        event = {"platform": "twitch", "broadcast": "b1", "at": at(clock, day), **fields}
        if viewers is not None:
            event["viewers"] = viewers
        refused = self.twin.feed(record(event, ms(clock, day) if read is None else read))
        return None if refused is None else refused.reason.value

    def minutes(self, first, last, viewers, second=30, **fields):
        """A sample each minute from `first` to `last` (`12:00`), both included."""
        hour, minute = map(int, first.split(":"))
        until_hour, until = map(int, last.split(":"))
        for number in range(hour * 60 + minute, until_hour * 60 + until + 1):
            self.tell(f"{number // 60:02}:{number % 60:02}:{second:02}", viewers, **fields)

    def advance(self, clock, day="2026-11-20", behind=()):
        self.twin.advance(ms(clock, day), behind)

    @property
    def b1(self):
        return self.twin.summary(KEY)

    def figures(self, *names, key=KEY):
        told = self.twin.summary(key)
        return [told[name] for name in names]

    def scope(self, *names, scope="world"):
        told = self.twin.scope(scope)
        return [told[name] for name in names]
