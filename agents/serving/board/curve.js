// Curves: minutes of a scope beside the day before, and the minutes of one broadcast.

import uPlot from "./vendor/uplot.js";
import { h, text } from "./dom.js";
import { format, settings, theme, word } from "./settings.js";

const DAY = 86400;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** What all curves share: axes in the chosen language and zone, no legend of uPlot's own. */
function options(series, width, height, hooks = {}) {
  const { short, clock } = format();
  // On the wall the axes are read from afar, too.
  const points = document.body.classList.contains("wall") ? Math.max(13, Math.round(innerHeight * 0.024)) : 13;
  const axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 }, font: `${points}px system-ui, sans-serif` };
  return {
    width,
    height,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), settings.zone),
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false, points: { size: 7 } },
    scales: { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(10, high * 1.08)] } },
    axes: [
      { ...axis, size: points * 2.6, space: points * 5.4, values: (_, splits) => splits.map((at) => clock(at * 1000)) },
      { ...axis, size: points * 4.5, values: (_, splits) => splits.map((value) => short(value)) },
    ],
    series: [{}, ...series],
    hooks,
    padding: [10, points * 1.9, 0, 0],
  };
}

/**
 * A figure that draws itself anew when its size, the colours or the language change.
 * @param {string} name Its class, by which its height is set.
 * @param {(width: number, height: number) => {look: string, label: string, options: object,
 *   data: Array, range?: number[], read: (index: number) => string}} describe `look` differs where
 *   another plot is needed; `read` says what stands under the pointer.
 */
function figure(name, describe) {
  const area = h("div", { class: "plot", role: "img" });
  const reading = h("p", { class: "reading", "aria-hidden": "true" });
  const node = h("figure", { class: `curve ${name}` }, area, reading);
  let plot = null;
  let drawn = "";
  let current = null;
  function draw() {
    const { clientWidth: width, clientHeight: height } = area;
    if (width < 40 || height < 40) return;
    current = describe(width, height);
    area.setAttribute("aria-label", current.label);
    const look = [current.look, settings.language, settings.zone, theme()].join(" ");
    if (plot === null || look !== drawn) {
      plot?.destroy();
      plot = new uPlot(complete(current.options), current.data, area);
      drawn = look;
      return;
    }
    if (plot.width !== width || plot.height !== height) plot.setSize({ width, height });
    plot.setData(current.data);
  }
  // What a plot asks for while it lives is answered by what was described last.
  function complete(wanted) {
    wanted.scales.x.range = (_, low, high) => current.range ?? [low, high];
    wanted.hooks.setCursor = [
      ({ cursor: { idx } }) => text(reading, idx === null || idx === undefined ? "" : current.read(idx)),
    ];
    return wanted;
  }
  const observer = new ResizeObserver(draw);
  observer.observe(area);
  return {
    node,
    draw,
    close() {
      observer.disconnect();
      plot?.destroy();
      plot = null;
    },
  };
}

/**
 * The curve of a scope's day with yesterday's behind it.
 * @param {import("./minutes.js").Minutes} minutes
 * @param {() => {from: number, to: number}} today Seconds since 1970.
 */
export function dayCurve(minutes, today) {
  return figure("day", (width, height) => {
    const { from, to } = today();
    const end = Math.min(to, Math.max(minutes.newest, from + 3600));
    const at = [];
    const now = [];
    const before = [];
    for (let second = from; second < to; second += 60) {
      at.push(second);
      now.push(second <= end ? minutes.audience(second) : null);
      before.push(minutes.audience(second - DAY));
    }
    const { count, clock } = format();
    let peak = null;
    let place = null;
    now.forEach((value, index) => {
      if (value !== null && (peak === null || value > peak)) {
        peak = value;
        place = at[index];
      }
    });
    const last = minutes.audience(minutes.newest);
    const label =
      peak === null
        ? word("curveEmpty")
        : word("curveOf", { now: count(last), peak: count(peak), time: clock(place * 1000) });
    // Where nothing is known of yesterday, the hours before the first broadcast would be empty.
    const first = now.findIndex((value) => value !== null);
    const whole = first < 0 || before.some((value) => value !== null);
    const range = whole ? [from, to] : [at[first], Math.max(end, at[first] + 3600)];
    return {
      look: "day",
      label,
      range,
      data: [at, before, now],
      options: options(
        [
          { stroke: colour("faint"), width: 1.5, points: { show: false }, spanGaps: false },
          { stroke: colour("accent"), fill: colour("wash"), width: 2.5, points: { show: false }, spanGaps: false },
        ],
        width,
        height,
      ),
      read: (index) =>
        `${clock(at[index] * 1000)} · ${word("today")} ${count(now[index])} · ${word("yesterday")} ${count(before[index])}`,
    };
  });
}

/**
 * The curve of one broadcast: observed, carried and missing minutes look different.
 * @param {() => Array<{second: number, audience: number|null, high: number|null, state: string,
 *   corrected: boolean}>} found Its minutes, the earliest first.
 * @param {() => {started: number, ended: number|null, peak: number|null, peakAt: number|null}} span
 *   Times in seconds since 1970.
 */
export function broadcastCurve(found, span) {
  return figure("broadcast", (width, height) => {
    const minutes = found();
    const at = minutes.map((minute) => minute.second);
    const by = (...states) => minutes.map((minute) => (states.includes(minute.state) ? minute.audience : null));
    const { count, clock } = format();
    const { peak, peakAt } = span();
    const last = minutes.findLast((minute) => minute.audience !== null);
    const label =
      peak === null || last === undefined
        ? word("curveEmpty")
        : word("curveOf", { now: count(last.audience), peak: count(peak), time: clock(peakAt * 1000) });
    return {
      look: `broadcast ${minutes.length > 0}`,
      label,
      data: [at, by("observed", "carried"), by("waiting"), by("carried"), by("observed")],
      options: options(
        [
          // Thin where it is carried: the observed minutes are drawn over it.
          { stroke: colour("accent"), fill: colour("wash"), width: 1, points: { show: false } },
          { stroke: colour("faint"), width: 2, dash: [2, 4], points: { show: false } },
          { stroke: colour("accent"), width: 0, points: { show: true, size: 5, fill: colour("page"), stroke: colour("accent") } },
          { stroke: colour("accent"), width: 2.5, points: { show: minutes.length < 3 } },
        ],
        width,
        height,
        { drawClear: [(plot) => background(plot, found(), span())], draw: [(plot) => marks(plot, found())] },
      ),
      read: (index) => {
        const minute = found()[index];
        if (minute === undefined) return "";
        return `${clock(minute.second * 1000)} · ${count(minute.audience)} · ${word(stateWord(minute))}`;
      },
    };
  });
}

/** The word for how well a minute is known. */
export function stateWord(minute) {
  if (minute.corrected) return "legendCorrected";
  return {
    observed: "legendObserved", carried: "legendCarried", waiting: "legendWaiting", missing: "legendMissing",
  }[minute.state] ?? "legendHole";
}

/** Bands behind the curve where no sample is. */
function background(plot, minutes, span) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = colour("hole");
  let first = null;
  minutes.forEach((minute, place) => {
    if (minute.state !== "hole") return;
    first ??= minute.second;
    if (minutes[place + 1]?.state === "hole") return;
    const left = plot.valToPos(first - 30, "x", true);
    const right = plot.valToPos(minute.second + 30, "x", true);
    ctx.fillRect(left, bbox.top, Math.max(1, right - left), bbox.height);
    first = null;
  });
  ctx.strokeStyle = colour("quiet");
  ctx.setLineDash([6, 4]);
  for (const at of [span.started, span.ended]) {
    if (at === null) continue;
    const x = plot.valToPos(at, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** A diamond at each minute that was corrected. */
function marks(plot, minutes) {
  const { ctx } = plot;
  ctx.save();
  ctx.fillStyle = colour("warn");
  for (const minute of minutes) {
    if (!minute.corrected || minute.audience === null) continue;
    const x = plot.valToPos(minute.second, "x", true);
    const y = plot.valToPos(minute.audience, "y", true);
    const size = 6 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x, y - size);
    ctx.lineTo(x + size, y);
    ctx.lineTo(x, y + size);
    ctx.lineTo(x - size, y);
    ctx.fill();
  }
  ctx.restore();
}

/** Minutes from one known to the next that a sparkline draws through. */
const BRIDGED = 4;
const SVG = "http://www.w3.org/2000/svg";

/** A sparkline: a small picture beside a number, which it adds nothing to for those who hear it. */
export function sparkline() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", "0 0 120 28");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  svg.append(path);
  return {
    node: svg,
    /** @param {Array<number|null>} values One a minute, the newest last. */
    draw(values) {
      const high = Math.max(1, ...values.map((value) => value ?? 0));
      let d = "";
      let before = -Infinity;
      values.forEach((value, index) => {
        if (value === null) return;
        const x = (index / Math.max(1, values.length - 1)) * 120;
        const y = 26 - (value / high) * 24;
        // A minute or two without a sample are usual.
        d += `${index - before <= BRIDGED ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
        before = index;
      });
      path.setAttribute("d", d);
    },
  };
}
