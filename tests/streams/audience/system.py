"""Rows, deltas and scopes put together as the agents do it, with an injected clock.

All that is kept between batches is kept as bytes. Only reading, refusing and the timers' memory are
of the tests: the first two are those of the twin.
"""

from contract.reading import check, read
from contract.rules import Settings

from streams.audience.codec import decode
from streams.audience.codec import encode as encode_row
from streams.audience.delta import Delta, add_to_groups
from streams.audience.figures import compute_figures, summary
from streams.audience.minute import MINUTE
from streams.audience.row import Row
from streams.audience.rules import Rules
from streams.audience.runs import Tombstone, begins_run, gap_end, summary_key
from streams.audience.scope import CHUNK, ScopeChunk, ScopeHead, ScopeUpdate, scope_summary
from streams.audience.scope_codec import (
    decode_delta,
    decode_scope,
    encode_delta,
    encode_scope,
)
from streams.audience.scope_delta import ScopeDelta
from streams.audience.snapshot import NO_ROW, snapshot
from streams.rejections import Rejected
from streams.summaries import decode_broadcast_summary, decode_scope_summary, encode

HISTORY = 10**6


def rules_of(settings, platform):
    rules = settings.rules(platform)
    return Rules(rules.lateness, rules.carry, rules.tolerance, rules.restart_gap, rules.run_gap)


def as_dict(struct):
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


class Timer:
    def __init__(self):
        self.read_at = 0
        self.busy_at = 0


class System:
    """Give it records and let its clock go on; what is kept is in bytes after each batch."""

    def __init__(self, environment, most=10**6):
        self.settings = Settings(environment)
        self.published = {}
        self.relabelled = 0
        self.rows = {}
        self.heads = {}
        self.chunks = {}
        self.missed = 0
        self.largest_row = 0
        self._most = most
        self._timers = {}
        self._batch = []
        self._groups = {}

    # -- records ---------------------------------------------------------------------------------

    def feed(self, record):
        try:
            event, at, _ = read(record.value)
            check(record, event, at, self.settings.future_ms, None)
        except Rejected:
            return
        self._batch.append((record, (event, at, record.effective_timestamp)))

    def end_batch(self):
        by_key = {}
        for record, timed in self._batch:
            by_key.setdefault(record.key, []).append((record.read_at, timed))
        self._batch = []
        for key, items in by_key.items():
            self._process(key, items)
        self._send()

    def _process(self, key, items):
        platform = items[0][1][0].platform
        rules = rules_of(self.settings, platform)
        while items:
            read_at, (event, at, _) = items[0]
            state = self.state(key)
            if isinstance(state, Tombstone) and read_at >= state.expires:
                state = None
            before = NO_ROW
            if begins_run(state, event, at, rules):
                run = None if state is None else at // MINUTE
                if isinstance(state, Row):
                    self._close(key, state)
                timed = [timed for _, timed in items]
                row, result = Row.begin(timed, rules, run, gap_end(state, rules))
                self._timers[key] = Timer()
            elif isinstance(state, Tombstone):
                items = items[1:]
                continue
            else:
                row, before = state, snapshot(state)
                result = row.accept_all([timed for _, timed in items], before)
            self.relabelled += result.relabelled
            self._note(key, items, result)
            add_to_groups(
                lambda venue, programme: self._delta(platform, venue, programme),
                before,
                row,
                result,
            )
            if result.publish:
                self._publish(key, row, result.live_again)
            if row.newest - row.lateness > row.folded_until or row.past_end is not None:
                row.fold_sealed()
            self._keep(key, row)
            items = items[result.stopped :]

    def _note(self, key, items, result):
        timer = self._timers[key]
        late = set(result.late)
        for place, (read_at, _) in enumerate(items[: result.stopped]):
            if place not in late:
                timer.read_at = read_at
            if place == result.last_busy:
                timer.busy_at = read_at

    def state(self, key):
        value = self.rows.get(key)
        return None if value is None else decode(value)

    def _keep(self, key, state):
        self.rows[key] = encode_row(state)
        self.largest_row = max(self.largest_row, len(self.rows[key]))

    def _publish(self, key, row, figures=None):
        platform, broadcast = key.decode().split(":", 1)
        status = row.status if figures is None else "live"
        told = summary(platform, broadcast, row, status, figures)
        told = decode_broadcast_summary(encode(told))
        self.published[summary_key(platform, broadcast, row.run)] = as_dict(told)
        row.note_published()

    # -- the clock -------------------------------------------------------------------------------

    def advance(self, now, behind=()):
        self.end_batch()
        for key in list(self.rows):
            state = self.state(key)
            if isinstance(state, Tombstone):
                if now >= state.expires:
                    del self.rows[key]
                continue
            self._age(key, state, now, bool(behind))
        self._send()

    def _age(self, key, row, now, behind):
        rules = self.settings.rules(key.decode().split(":")[0])
        delta = self._delta_of(key, row)
        if row.fresh and not behind and now - row.viewers_timestamp >= rules.stale_ms:
            delta.go_stale(row)
            self._keep(key, row)
        if behind:
            return
        margin = self.settings.margin_ms
        timer = self._timers[key]
        if not row.final:
            if row.ended_at is not None:
                due = timer.busy_at + row.lateness * 60_000 + margin
            else:
                due = timer.read_at + rules.silence_ms + margin
            if now < due:
                return
            delta.finalise(row)
            self._publish(key, row)
            self._keep(key, row)
        if now - row.timestamp > (row.run_gap + row.lateness) * 60_000 + margin:
            self._close(key, row)
            self._keep(key, Tombstone(row.last_minute, now + self.settings.tombstone_ms))

    def _close(self, key, row):
        was_final = row.final
        self._delta_of(key, row).close(row)
        if not was_final or row.counts_changed:
            self._publish(key, row)

    # -- scopes ----------------------------------------------------------------------------------

    def _delta_of(self, key, row):
        return self._delta(key.decode().split(":")[0], row.venue, row.programme)

    def _delta(self, platform, venue, programme):
        return self._groups.setdefault((platform, venue, programme), Delta())

    def _send(self):
        scopes = {}
        for (platform, venue, programme), delta in self._groups.items():
            names = ["world", f"platform:{platform}", f"venue:{venue or 'unknown'}"]
            if programme is not None:
                names.append(f"programme:{programme}")
            for name in names:
                scopes.setdefault(name, Delta()).add(delta)
        self._groups = {}
        for name, delta in scopes.items():
            change = ScopeDelta.from_delta(delta)
            if change is not None:
                for part in change.split(self._most):
                    self._update(name, decode_delta(encode_delta(part)))

    def head(self, name):
        return decode_scope(self.heads[name])

    def _update(self, name, change):
        head = self.head(name) if name in self.heads else ScopeHead()

        def load(number):
            value = self.chunks.get((name, number))
            return ScopeChunk() if value is None else decode_scope(value)

        update = ScopeUpdate(head, load)
        before = self.scope(name) if name in self.heads else None
        self.missed += update.add(change, HISTORY)
        changed = update.update_head()
        for number, chunk in update.changed.items():
            if chunk is None:
                self.chunks.pop((name, number), None)
            else:
                self.chunks[name, number] = encode_scope(chunk)
        self.heads[name] = encode_scope(head)
        if head.minute >= 0:
            assert changed == (before != self.scope(name))

    def scope(self, name):
        head = self.head(name)
        if head.minute < 0:
            return None
        return as_dict(decode_scope_summary(encode(scope_summary(name, head))))

    def minutes(self, name):
        """The audiences of a scope's minutes, of those in which one is known."""
        return {
            number * CHUNK + offset: audience
            for (scope, number), value in self.chunks.items()
            if scope == name
            for offset, audience in decode_scope(value).minutes.items()
        }

    # -- what comes out --------------------------------------------------------------------------

    def summary(self, key):
        row = self.state(key)
        platform, broadcast = key.decode().split(":", 1)
        figures = compute_figures(row)
        return as_dict(summary(platform, broadcast, row, row.status)) | {
            name: getattr(figures, name) for name in ("viewers", "peak_5m", "peak_1h")
        }
