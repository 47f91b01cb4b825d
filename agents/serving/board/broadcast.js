// The page of one broadcast.

import { fill, h, text } from "./dom.js";
import { ask, broadcastPath } from "./live.js";
import { broadcastCurve, stateWord } from "./curve.js";
import { doubts, peak } from "./rows.js";
import { format, word } from "./settings.js";

const AGAIN = 5_000;
/** Minutes that are shown: two days. */
const MOST = 2_880;
/** What was missing is asked for again so often. */
const MISSING_AGAIN = 60_000;

/** @param {import("./live.js").Live} live */
export function broadcastPage(live, platform, broadcast) {
  const key = `${platform}:${broadcast}`;
  const path = `v1/broadcasts/${broadcastPath(platform, broadcast)}`;
  let figures = null;
  let minutes = [];
  const history = new MinutesOf(path);
  let missing = false;
  let asked = 0;
  let closed = false;
  const curve = broadcastCurve(
    () => minutes,
    () => {
      const second = (time) => (time === null || time === undefined ? null : Date.parse(time) / 1000);
      return {
        started: second(figures?.started_at),
        ended: second(figures?.ended_at),
        peak: figures?.peak ?? null,
        peakAt: second(figures?.peak_at),
      };
    },
  );
  const title = h("h1", { id: "broadcast-title" });
  const place = h("p", { class: "kind" });
  const now = h("output", { class: "now", "aria-labelledby": "broadcast-title" });
  const doubtful = h("p", { class: "doubts" });
  const list = h("dl", { class: "figures" });
  const body = h("tbody", {});
  const details = h(
    "details",
    { ontoggle: () => draw() },
    h("summary", {}, word("table")),
    h("table", {}, h("caption", { class: "hidden" }, word("viewers")), h("thead", {}, h("tr", {}, h("th", { scope: "col" }, word("minute")),
      h("th", { scope: "col", class: "number" }, word("viewers")), h("th", { scope: "col" }, word("state")))), body),
  );
  const key_ = h("p", { class: "key" },
    ["observed", "carried", "hole", "waiting", "corrected"].map((state) => [
      h("span", { class: `swatch ${state}` }),
      word(`legend${state[0].toUpperCase()}${state.slice(1)}`),
    ]));
  const node = h(
    "div",
    { class: "page" },
    h("p", {}, h("a", { href: "#/" }, `← ${word("back")}`)),
    place,
    title,
    now,
    doubtful,
    list,
    h("section", { class: "card" }, h("h2", {}, word("viewers")), curve.node, key_, details),
  );
  async function look() {
    asked = Date.now();
    try {
      const found = await ask(path);
      if (found !== null) await history.ask(found);
      if (closed) return;
      missing = found === null;
      figures = found ?? figures;
      minutes = states(history, figures);
      draw();
    } catch {
      // The connection's state tells of it.
    }
  }
  function draw() {
    const current = live.state.broadcasts.get(key) ?? figures;
    if (current === null || current === undefined) {
      text(title, missing ? word("notFound") : "");
      text(now, "");
      return;
    }
    const { count, full, length, percent } = format();
    text(title, current.title ?? word("noTitle"));
    fill(
      place,
      h("a", { href: `#/platform/${encodeURIComponent(current.platform)}` }, current.platform),
      " · ",
      h("a", { href: `#/venue/${encodeURIComponent(current.venue)}` }, current.venue === "unknown" ? word("unknownVenue") : current.venue),
      current.programme === null ? null : [" · ", h("a", { href: `#/programme/${encodeURIComponent(current.programme)}` }, current.programme)],
    );
    text(now, current.ended_at === null ? count(current.viewers) : word(current.status === "final" ? "statusFinal" : "statusEnded"));
    fill(doubtful, doubts(current, live.now()), notHere(history.missing));
    const at = (time) => (time === null ? count(null) : full(Date.parse(time)));
    const peakAt = current.peak_at === null ? null : ` ${word("at", { time: at(current.peak_at) })}`;
    fill(
      list,
      [
        ["started", at(current.started_at)],
        current.ended_at === null ? null : ["ended", at(current.ended_at)],
        ["length", length(current.minutes_live)],
        ["peak", [peak(current), peakAt]],
        ["peakHeld", count(current.peak_held)],
        current.ended_at === null ? ["peak5", count(current.peak_5m)] : null,
        current.ended_at === null ? ["peak60", count(current.peak_1h)] : null,
        ["firstMinute", count(current.first_minute)],
        ["firstAudience", count(current.first_audience)],
        current.waiting_peak === null ? null : ["waitingPeak", count(current.waiting_peak)],
        ["average", count(current.average)],
        ["viewerHours", count(Math.round(current.viewer_minutes / 60))],
        ["coverage", percent(current.coverage)],
        ["minutesCarried", count(current.minutes_carried)],
        ["holes", count(current.minutes_live - current.minutes_observed - current.minutes_carried)],
        ["joins", count(current.joins)],
        ["views", count(current.views)],
        ["events", count(current.events)],
        ["late", count(current.late)],
      ]
        .filter(Boolean)
        .map(([label, value]) => h("div", {}, h("dt", {}, word(label)), h("dd", {}, value))),
    );
    curve.draw();
    if (details.open) {
      const { clock } = format();
      fill(
        body,
        minutes.toReversed().map((minute) =>
          h("tr", {}, h("th", { scope: "row" }, clock(minute.second * 1000)), h("td", { class: "number" }, count(minute.audience)),
            h("td", {}, word(stateWord(minute))))),
      );
    }
  }
  return {
    node,
    update() {
      if (Date.now() - asked > AGAIN) look();
      draw();
    },
    close() {
      closed = true;
      curve.close();
    },
  };
}

/** What is said of minutes that cannot be had. */
function notHere(gaps) {
  if (gaps.length === 0) return null;
  const { full } = format();
  const [first, last] = [gaps[0].first, gaps.at(-1).last].map((time) => full(Date.parse(time)));
  return h("span", { class: "doubt", title: gaps.map((gap) => gap.why).join("\n") }, word("missingMinutes", { first, last }));
}

/** The minutes of a broadcast as the API has them: sealed ones, which stay, are asked for once. */
class MinutesOf {
  /** By their second. */
  told = new Map();
  /** @type {Array<{first: string, last: string, why: string}>} What the API cannot tell. */
  missing = [];
  carry = 0;

  #path;
  #run = null;
  #sealed = null;
  #whole = -Infinity;

  /** @param {string} path Of the broadcast. */
  constructor(path) {
    this.#path = path;
  }

  /** @param {object} figures What the broadcast's figures are now. */
  async ask(figures) {
    const newest = Date.parse(figures.newest_at);
    const again = this.missing.length > 0 && Date.now() - this.#whole > MISSING_AGAIN;
    const whole = this.#sealed === null || again || figures.run !== this.#run;
    const first = whole ? new Date(newest - MOST * 60_000).toISOString() : this.#sealed;
    const found = await ask(`${this.#path}/minutes?from=${first}`);
    if (found === null) return;
    if (whole) {
      this.told.clear();
      this.missing = found.missing;
      this.#whole = Date.now();
    }
    this.#run = found.run;
    this.#sealed = found.sealed_until;
    this.carry = found.carry;
    for (const { minute, audience, high, revision } of found.minutes) {
      const second = secondOf(minute);
      this.told.set(second, { second, audience, high, corrected: revision > 0 });
    }
    for (const second of this.told.keys()) {
      if (second < newest / 1000 - MOST * 60) this.told.delete(second);
    }
  }

  /** Whether the API cannot tell of a minute. */
  lacks(second) {
    return this.missing.some((gap) => secondOf(gap.first) <= second && second <= secondOf(gap.last));
  }
}

function secondOf(time) {
  return Math.floor(Date.parse(time) / 60_000) * 60;
}

/**
 * Every minute from the first that is known to the last of the span, and how well it is known
 * (contract, section 3).
 * @param {MinutesOf} history
 * @param {object|null} figures
 */
function states(history, figures) {
  const known = [...history.told.keys()].sort((one, other) => one - other);
  if (figures === null || known.length === 0) return [];
  const started = secondOf(figures.started_at);
  const last = figures.ended_at === null ? known.at(-1) : secondOf(figures.ended_at);
  const minutes = [];
  let observed = null;
  for (let at = known[0]; at <= last; at += 60) {
    const minute = history.told.get(at) ?? { second: at, audience: null, high: null, corrected: false };
    const heard = minute.audience !== null;
    // In the minute of the start, what was told before it was told of the waiting room.
    const waits = at < started || (at === started && figures.first_minute === null);
    if (waits) {
      if (heard) minutes.push({ ...minute, state: "waiting" });
    } else if (heard) {
      observed = minute;
      minutes.push({ ...minute, state: "observed" });
    } else if (observed !== null && at - observed.second <= history.carry * 60) {
      minutes.push({ ...minute, audience: observed.audience, state: "carried" });
    } else {
      minutes.push({ ...minute, state: history.lacks(at) ? "missing" : "hole" });
    }
  }
  return minutes;
}
