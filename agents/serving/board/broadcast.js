// The page of one broadcast.

import { fill, h, text } from "./dom.js";
import { ask, broadcastPath } from "./live.js";
import { broadcastCurve, stateWord } from "./curve.js";
import { doubts, peak } from "./rows.js";
import { format, word } from "./settings.js";

const AGAIN = 5_000;
/** Minutes that are kept while the page stays open: two days. */
const MOST = 2_880;

/** @param {import("./live.js").Live} live */
export function broadcastPage(live, platform, broadcast) {
  const key = `${platform}:${broadcast}`;
  const path = `v1/broadcasts/${broadcastPath(platform, broadcast)}`;
  let figures = null;
  let minutes = [];
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
      const [found, history] = await Promise.all([ask(path), ask(`${path}/minutes`)]);
      if (closed) return;
      missing = found === null;
      figures = found ?? figures;
      minutes = states(history, figures, minutes);
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
    fill(doubtful, doubts(current, live.now()));
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

/**
 * Every minute from the first that is known to the last of the span, and how well it is known
 * (contract, section 3).
 * @param {object|null} found What the API keeps of its minutes.
 * @param {object|null} figures
 * @param {Array<object>} before What was known when it was asked last: sealed minutes are not kept.
 */
function states(found, figures, before) {
  if (found === null || figures === null) return before;
  const second = (time) => Math.floor(Date.parse(time) / 60000) * 60;
  const started = second(figures.started_at);
  const told = new Map();
  for (const minute of before) if (["observed", "waiting"].includes(minute.state)) told.set(minute.second, minute);
  for (const each of found.minutes) {
    told.set(second(each.minute), {
      second: second(each.minute),
      audience: each.audience,
      high: each.high,
      corrected: each.revision > 0,
    });
  }
  const known = [...told.keys()].sort((one, other) => one - other);
  if (known.length === 0) return before;
  const last = figures.ended_at === null ? known.at(-1) : second(figures.ended_at);
  const minutes = [];
  let observed = null;
  for (let at = Math.max(known[0], known.at(-1) - MOST * 60); at <= last; at += 60) {
    const minute = told.get(at) ?? { second: at, audience: null, high: null, corrected: false };
    const heard = minute.audience !== null;
    if (at < started) {
      if (heard) minutes.push({ ...minute, state: "waiting" });
    } else if (heard) {
      observed = minute;
      minutes.push({ ...minute, state: "observed" });
    } else if (observed !== null && at - observed.second <= found.carry * 60) {
      minutes.push({ ...minute, audience: observed.audience, state: "carried" });
    } else {
      minutes.push({ ...minute, state: "hole" });
    }
  }
  return minutes;
}
