// The table of the largest broadcasts; those of one programme stand together.

import { fill, h, keyed, text } from "./dom.js";
import { ask, broadcastPath } from "./live.js";
import { sparkline } from "./curve.js";
import { Minutes } from "./minutes.js";
import { format, word } from "./settings.js";

const SPARK = 60;

/** Whether no two minutes in a row came near the peak: one false sample makes such a one. */
export function spike(figures) {
  return figures.peak > 20 && figures.minutes_observed >= 3 && figures.peak > 2 * (figures.peak_held ?? 0);
}

/** What is uncertain of a broadcast, in words. */
export function doubts(figures, at) {
  if (figures.status !== "live" || figures.fresh) return [];
  const silent = Math.max(0, Math.floor((at - Date.parse(figures.newest_at)) / 60000));
  return [
    h("span", { class: "doubt", title: word("staleHint") }, word("stale", { ago: format().length(silent) })),
  ];
}

/** A peak, and whether it was held. */
export function peak(figures) {
  return [
    format().count(figures.peak),
    spike(figures) ? h("span", { class: "doubt", title: word("notHeldHint") }, word("notHeld")) : null,
  ];
}

/** @param {import("./live.js").Live} live */
export function broadcastRows(live) {
  const body = h("tbody", {});
  const kept = new Map();
  const head = (name, kind = "number") => h("th", { scope: "col", class: kind }, word(name));
  const node = h(
    "div",
    { class: "scroll", role: "region", tabindex: "0", "aria-label": word("broadcasts") },
    h(
      "table",
      { class: "broadcasts" },
      h("caption", { class: "hidden" }, word("broadcasts")),
      h("thead", {}, h("tr", {}, head("broadcast", "name"), head("lastHour", "sparkcell"), head("viewers"),
        head("peak"), head("firstMinute"), head("coverage"))),
      body,
    ),
  );
  return {
    node,
    update(found, most) {
      keyed(body, kept, grouped(found, live.state.scopes).slice(0, most), (item) =>
        item.programme === undefined ? broadcastRow(live, item) : programmeRow(),
      );
      node.hidden = kept.size === 0;
    },
    close() {
      for (const view of kept.values()) view.close?.();
    },
  };
}

/** Broadcasts, the largest first; where a programme has several, it stands before its legs. */
function grouped(found, scopes) {
  const programmes = new Map();
  for (const each of found) {
    if (each.programme === null) continue;
    programmes.set(each.programme, [...(programmes.get(each.programme) ?? []), each]);
  }
  const size = (each) => each.viewers ?? -1;
  const groups = [];
  for (const each of found) {
    const legs = each.programme === null ? [each] : programmes.get(each.programme);
    if (legs.length < 2) groups.push({ size: size(each), items: [item(each)] });
    else if (legs[0] === each) {
      const scope = scopes.get(`programme:${each.programme}`);
      const sum = legs.reduce((total, leg) => total + Math.max(0, size(leg)), 0);
      groups.push({
        size: scope?.viewers ?? sum,
        items: [
          { key: `programme ${each.programme}`, programme: each.programme, scope },
          ...legs.toSorted((one, other) => size(other) - size(one)).map((leg) => item(leg, true)),
        ],
      });
    }
  }
  return groups.toSorted((one, other) => other.size - one.size).flatMap((group) => group.items);
}

function item(figures, leg = false) {
  return { key: `${figures.platform}:${figures.broadcast}`, figures, leg };
}

function programmeRow() {
  const name = h("a", {});
  const viewers = h("td", { class: "number strong" });
  const top = h("td", { class: "number" });
  return {
    node: h("tr", { class: "programme" }, h("th", { scope: "row", class: "name" }, name), h("td", { class: "sparkcell" }), viewers, top, h("td", {}), h("td", {})),
    update({ programme, scope }) {
      const { count } = format();
      name.setAttribute("href", `#/programme/${encodeURIComponent(programme)}`);
      text(name, `${word("programme")} ${programme}`);
      text(viewers, count(scope?.viewers ?? null));
      fill(top, count(scope?.peak ?? null), h("small", {}, word("peakOfSum")));
    },
  };
}

function broadcastRow(live, { figures: first }) {
  const name = h("a", { href: `#/broadcast/${broadcastPath(first.platform, first.broadcast)}`, class: "title" });
  const place = h("small", { class: "place" });
  const doubtful = h("span", { class: "doubts" });
  const viewers = h("td", { class: "number strong" });
  const top = h("td", { class: "number" });
  const firstMinute = h("td", { class: "number" });
  const coverage = h("td", { class: "number" });
  const spark = sparkline();
  const minutes = new Minutes();
  const row = h("tr", {}, h("th", { scope: "row", class: "name" }, name, place, doubtful), h("td", { class: "sparkcell" }, spark.node),
    viewers, top, firstMinute, coverage);
  let closed = false;
  let shown = -1;
  const from = new Date(Date.parse(first.newest_at) - SPARK * 60_000).toISOString();
  ask(`v1/broadcasts/${broadcastPath(first.platform, first.broadcast)}/minutes?from=${from}`)
    .then((found) => {
      if (closed || found === null) return;
      for (const { minute, audience } of found.minutes) {
        const second = Date.parse(minute) / 1000;
        if (minutes.audience(second) === null) minutes.set(second, audience);
      }
      shown = -1;
      live.tick();
    })
    .catch(() => {}); // the row is right without its picture
  return {
    node: row,
    update({ figures, leg }) {
      const at = live.now();
      const { count, percent, ago } = format();
      row.className = [leg ? "leg" : "", !figures.fresh ? "stale" : ""].join(" ").trim();
      text(name, figures.title ?? word("noTitle"));
      text(place, [figures.platform, figures.venue === "unknown" ? null : figures.venue].filter(Boolean).join(" · "));
      fill(doubtful, doubts(figures, at));
      text(viewers, count(figures.viewers));
      fill(top, peak(figures), figures.peak_at === null ? null : h("small", {}, ago((at - Date.parse(figures.peak_at)) / 1000)));
      text(firstMinute, count(figures.first_minute));
      text(coverage, percent(figures.coverage));
      const minute = Math.floor(at / 60000) * 60;
      if (figures.fresh) minutes.set(minute, figures.viewers);
      if (minute !== shown) {
        spark.draw(minutes.last(SPARK, at / 1000));
        minutes.forget();
        shown = minute;
      }
    },
    close() {
      closed = true;
    },
  };
}
