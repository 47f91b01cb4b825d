// The first page, and the wall: the world now, its day, platforms, broadcasts and venues.

import { fill, h, keyed, text } from "./dom.js";
import { dayCurve, sparkline } from "./curve.js";
import { DayHistory } from "./history.js";
import { format, word } from "./settings.js";
import { broadcastRows } from "./rows.js";

const LARGEST = 12;
const VENUES = 12;
/** So many platforms have a curve of their day, drawn through every so many minutes. */
const CURVES = 12;
const STEP = 5;
/** A replay's are asked for so often, in milliseconds. */
const AGAIN_REPLAY = 15_000;

/** @param {import("./live.js").Live} live */
export function overview(live) {
  const history = new DayHistory(live, "world");
  const curve = dayCurve(history.minutes, () => history.today());
  const now = h("output", { class: "now", id: "watching", "aria-labelledby": "watching-label" });
  const detail = h("p", { class: "detail" });
  const platforms = bars("platform", live);
  const venues = bars("venue");
  const rows = broadcastRows(live);
  const empty = h("p", { class: "empty" });
  const node = h(
    "div",
    { class: "overview" },
    h(
      "section",
      { class: "world", "aria-labelledby": "watching-label" },
      h("h1", { id: "watching-label" }, word("watching")),
      now,
      detail,
    ),
    h("section", { class: "card today" }, h("h2", {}, word("today"), h("span", { class: "key" },
      h("span", { class: "swatch now" }), word("today"), h("span", { class: "swatch before" }), word("yesterday"))), curve.node),
    h("section", { class: "card platforms" }, h("h2", {}, word("platforms")), platforms.node),
    h("section", { class: "card largest" }, h("h2", {}, word("broadcasts")), rows.node, empty),
    h("section", { class: "card venues" }, h("h2", {}, word("venues")), venues.node),
  );
  return {
    node,
    update() {
      const { scopes, broadcasts, at } = live.state;
      const { count, full } = format();
      const world = scopes.get("world");
      history.update();
      text(now, count(world?.viewers ?? (at === null ? null : 0)));
      now.style.setProperty("--digits", Math.max(5, now.textContent.length));
      const known = world !== undefined && world.peak !== null;
      fill(
        detail,
        world === undefined
          ? null
          : [
              `${word("liveCount")} ${count(world.live)}`,
              known ? ` · ${word("peak")} ${count(world.peak)} ${word("at", { time: full(Date.parse(world.peak_at)) })}` : "",
            ].join(""),
      );
      const scopesOf = (kind) => [...scopes.values()].filter((scope) => scope.scope === kind);
      platforms.update(scopesOf("platform"));
      venues.update(scopesOf("venue").filter((scope) => scope.live > 0).slice(0, VENUES));
      const found = [...broadcasts.values()].filter((each) => each.status === "live");
      rows.update(found, LARGEST);
      text(empty, found.length > 0 || at === null ? "" : world === undefined ? word("nothingYet") : word("nothingLive"));
      curve.draw();
    },
    close() {
      history.close();
      curve.close();
      platforms.close();
      rows.close();
    },
  };
}

/** Scopes of one kind as bars, the largest first; with `live`, the largest have their day's curve. */
function bars(kind, live = null) {
  const list = h("ul", { class: "bars" });
  const kept = new Map();
  return {
    node: list,
    update(scopes) {
      const largest = Math.max(1, ...scopes.map((scope) => scope.viewers ?? 0));
      const items = scopes
        .toSorted((one, other) => (other.viewers ?? -1) - (one.viewers ?? -1) || (one.name < other.name ? -1 : 1))
        .map((scope) => ({ key: scope.name, scope, largest }));
      keyed(list, kept, items, ({ key }) => bar(kind, live !== null && kept.size < CURVES ? dayOf(live, `${kind}:${key}`) : null));
    },
    close() {
      for (const view of kept.values()) view.close();
    },
  };
}

/** The day of a scope as a small curve, from its first minute that is known to now. */
function dayOf(live, key) {
  const history = new DayHistory(live, key, AGAIN_REPLAY);
  const spark = sparkline();
  return {
    node: spark.node,
    update() {
      history.update();
      const { from } = history.today();
      const end = history.minutes.newest;
      const values = [];
      for (let at = from; at <= end; at += STEP * 60) {
        values.push(history.minutes.audience(Math.min(end, at + (STEP - 1) * 60)) ?? history.minutes.audience(at));
      }
      const first = values.findIndex((value) => value !== null);
      spark.draw(first < 0 ? [] : values.slice(first));
    },
    close: () => history.close(),
  };
}

function bar(kind, day) {
  const name = h("a", {});
  const value = h("span", { class: "value" });
  const live = h("span", { class: "live" });
  const length = h("meter", { min: 0, "aria-hidden": "true" });
  return {
    node: h("li", { class: day === null ? null : "curved" }, name, day?.node, live, value, length),
    close: () => day?.close(),
    update({ scope, largest }) {
      const { count } = format();
      name.setAttribute("href", `#/${kind}/${encodeURIComponent(scope.name)}`);
      text(name, scope.name === "unknown" && kind === "venue" ? word("unknownVenue") : scope.name);
      text(value, count(scope.viewers));
      text(live, `${count(scope.live)} ${word("live").toLocaleLowerCase()}`);
      length.max = largest;
      length.value = scope.viewers ?? 0;
      day?.update();
    },
  };
}
