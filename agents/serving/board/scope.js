// The page of a platform, a venue or a programme.

import { fill, h, text } from "./dom.js";
import { ask } from "./live.js";
import { dayCurve } from "./curve.js";
import { DayHistory } from "./history.js";
import { broadcastRows } from "./rows.js";
import { format, word } from "./settings.js";

const MOST = 200;
const AGAIN = 5_000;

/** @param {import("./live.js").Live} live @param {"platform"|"venue"|"programme"} kind */
export function scopePage(live, kind, name) {
  const key = `${kind}:${name}`;
  const history = new DayHistory(live, key);
  const curve = dayCurve(history.minutes, () => history.today());
  const now = h("output", { class: "now", "aria-labelledby": "scope-name" });
  const figures = h("dl", { class: "figures" });
  const rows = broadcastRows(live);
  const empty = h("p", { class: "empty" });
  let scope = null;
  let members = [];
  let asked = 0;
  let closed = false;
  const shown = kind === "venue" && name === "unknown" ? word("unknownVenue") : name;
  const node = h(
    "div",
    { class: "page" },
    h("p", {}, h("a", { href: "#/" }, `← ${word("back")}`)),
    h("p", { class: "kind" }, word(kind)),
    h("h1", { id: "scope-name" }, word("watchingIn", { name: shown })),
    now,
    figures,
    h("section", { class: "card" }, h("h2", {}, word("today")), curve.node),
    h("section", { class: "card" }, h("h2", {}, word("broadcasts")), rows.node, empty),
  );
  async function look() {
    asked = Date.now();
    try {
      // What /v1/live does not bring, because it is not among the largest, is asked for.
      const query = kind === "programme" ? "" : `&${kind}=${encodeURIComponent(name)}`;
      const [found, list] = await Promise.all([
        ask(`v1/scopes/${kind}/${encodeURIComponent(name)}`),
        kind === "programme" ? null : ask(`v1/broadcasts?limit=${MOST}${query}`),
      ]);
      if (closed) return;
      scope = found;
      members = list?.broadcasts ?? [];
      draw();
    } catch {
      // The connection's state tells of it.
    }
  }
  function draw() {
    const fresh = live.state.scopes.get(key);
    const current = fresh ?? scope;
    const { count, full } = format();
    text(now, count(current?.viewers ?? null));
    history.update();
    if (current) {
      fill(
        figures,
        [
          ["liveCount", count(current.live)],
          ["broadcasts", count(current.broadcasts)],
          ["peakOfSum", current.peak === null ? count(null) : `${count(current.peak)} ${word("at", { time: full(Date.parse(current.peak_at)) })}`],
          ["peakSum", count(current.peak_sum)],
          ["viewerHours", count(Math.round(current.viewer_minutes / 60))],
          ["joins", count(current.joins)],
          ["views", count(current.views)],
        ].map(([label, value]) => h("div", {}, h("dt", {}, word(label)), h("dd", {}, value))),
      );
    }
    const known = new Map(members.map((each) => [`${each.platform}:${each.broadcast}`, each]));
    for (const [each, figuresNow] of live.state.broadcasts) {
      if (figuresNow[kind] === name) known.set(each, figuresNow);
    }
    rows.update([...known.values()], MOST);
    text(empty, known.size > 0 || live.state.at === null ? "" : word("nothingLive"));
    curve.draw();
  }
  return {
    node,
    update() {
      if (Date.now() - asked > AGAIN) look();
      draw();
    },
    close() {
      closed = true;
      history.close();
      curve.close();
      rows.close();
    },
  };
}
