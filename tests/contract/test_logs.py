"""The logs hold what the contract names: each of it comes up, or the properties show nothing."""

import contextlib

from contract.logs import drive, driven, environments, logs
from contract.twin import Twin
from hypothesis import Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from streams.rfc3339 import microseconds

DEFAULT_CARRY = 2


def _longest_carried(run):
    """How many minutes on end are carried at most."""
    audiences = {minute: audience for minute, (audience, _) in run.observed().items()}
    carried = run.carried(audiences, run.last())
    longest = 0
    for minute in audiences:
        more = 0
        while minute + more + 1 in carried:
            more += 1
        longest = max(longest, more)
    return longest


class Watched(Twin):
    """A twin that notes what befell it."""

    def __init__(self, environment):
        super().__init__(environment)
        self.seen = set()

    def feed(self, record):
        before = {life.key: self.summary(life.key) for life in self.runs[-3:]}
        refused = super().feed(record)
        for key, was in before.items():
            self._compare(was, self.summary(key))
        return refused

    def _compare(self, was, now):
        ended = was["ended_at"], now["ended_at"]
        if was["status"] == "final" and now["status"] == "live":
            self.seen.add("final and live again")
        if ended[0] and not ended[1]:
            self.seen.add("an end taken back")
            if now["minutes_observed"] > was["minutes_observed"] + 1:
                self.seen.add("what waited after an end counts")
        if ended[0] and ended[1] and ended[0] != ended[1]:
            self.seen.add("an end moved on")
        moved = microseconds(now["started_at"]) - microseconds(was["started_at"])
        if moved:
            self.seen.add("a start moved later" if moved > 0 else "a start moved earlier")
        if ended[0] == ended[1] and ended[0] and now["events"] > was["events"]:
            self.seen.add("told after an end that stands")
        if was["venue"] == "unknown" != now["venue"]:
            self.seen.add("a late name")
        if None not in (was["views"], now["views"]) and now["views"] < was["views"]:
            self.seen.add("views taken back")
        if (was["peak"] or 0) > (now["peak"] or 0):
            self.seen.add("a peak taken back")

    def finish(self):
        for life in self.runs:
            told = self.summary(life.key)
            self.seen.update(
                what
                for what, is_so in {
                    "a waiting room": told["waiting_peak"],
                    "a hole": told["minutes_live"]
                    > told["minutes_observed"] + told["minutes_carried"]
                    and told["peak"],
                    "carried": told["minutes_carried"],
                    "carried by platform": _longest_carried(life.run) > DEFAULT_CARRY,
                    "nothing known": told["peak"] is None,
                    "an absurd peak": (told["peak"] or 0) > 10**6 > (told["peak_held"] or 10**9),
                    "zeros at first": told["first_minute"] == 0 and told["first_audience"],
                    "a straggler": told["late"],
                    "a run of an id used again": told["run"],
                    "only zeros": told["peak"] == 0,
                }.items()
                if is_so
            )
        self.seen.update(self.refused)
        self.seen.update(f"mended {what}" for what in self.mended)
        self.seen.update({"relabelled"} if self.relabelled() else ())
        self.seen.update({"an old row went"} if self.went else ())
        if any(self.scope(name)["broadcasts"] == 0 for name in self.scopes()):
            self.seen.add("a scope that was left")
        return self.seen

    went = False

    def _age(self, key, life):
        super()._age(key, life)
        self.went |= self._state[key] is not life


EVERYTHING = (
    "a waiting room",
    "a hole",
    "carried",
    "carried by platform",
    "nothing known",
    "only zeros",
    "an absurd peak",
    "a peak taken back",
    "views taken back",
    "zeros at first",
    "told after an end that stands",
    "an end taken back",
    "what waited after an end counts",
    "an end moved on",
    "a start moved later",
    "a start moved earlier",
    "a late name",
    "relabelled",
    "a scope that was left",
    "a straggler",
    "a run of an id used again",
    "final and live again",
    "an old row went",
    "late",
    "future",
    "mended title",
    "mended surrogate",
)


def test_all_of_it_comes_up():
    found = set()

    def comes_up(drawn):
        environment, actions = drawn
        twin = drive(Watched(environment), actions)
        found.update(twin.finish())
        return found.issuperset(EVERYTHING)

    told = environments().flatmap(
        lambda environment: st.tuples(st.just(environment), logs(environment).flatmap(driven))
    )
    until_all = settings(
        max_examples=3_000, deadline=None, phases=[Phase.generate], database=None, derandomize=True
    )
    with contextlib.suppress(NoSuchExample):
        find(told, comes_up, settings=until_all)
    assert found.issuperset(EVERYTHING), set(EVERYTHING) - found
