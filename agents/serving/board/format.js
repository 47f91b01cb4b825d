// Numbers and times as each language writes them, in the chosen time zone.

const made = new Map();

function once(key, make) {
  if (!made.has(key)) made.set(key, make());
  return made.get(key);
}

/** @param {string} locale @param {string} zone IANA name of a time zone. */
export function formats(locale, zone) {
  return once(`${locale} ${zone}`, () => make(locale, zone));
}

function make(locale, zone) {
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const short = new Intl.NumberFormat(locale, {
    notation: "compact",
    maximumSignificantDigits: 3,
  });
  const percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
  const time = (options) => new Intl.DateTimeFormat(locale, { timeZone: zone, ...options });
  const clock = time({ hour: "2-digit", minute: "2-digit", hourCycle: locale === "en" ? undefined : "h23" });
  const day = time({ weekday: "short", day: "numeric", month: "short" });
  const full = time({ dateStyle: "medium", timeStyle: "short" });
  const ago = new Intl.RelativeTimeFormat(locale, { numeric: "always", style: "short" });
  const units = (unit) =>
    new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "narrow" });
  const hours = units("hour");
  const minutes = units("minute");
  return {
    /** A count; a dash where it is unknown, which is not 0. */
    count: (value) => (value === null || value === undefined ? "–" : whole.format(value)),
    /** A count where there is little room. */
    short: (value) => (value === null || value === undefined ? "–" : short.format(value)),
    percent: (value) => (value === null || value === undefined ? "–" : percent.format(value)),
    clock: (at) => (at === null ? "–" : clock.format(at)),
    day: (at) => day.format(at),
    full: (at) => (at === null ? "–" : full.format(at)),
    /** How long ago, in the largest unit that fits. @param {number} seconds */
    ago: (seconds) => {
      if (seconds < 60) return ago.format(-Math.max(0, Math.round(seconds)), "second");
      if (seconds < 3600) return ago.format(-Math.floor(seconds / 60), "minute");
      if (seconds < 172800) return ago.format(-Math.floor(seconds / 3600), "hour");
      return ago.format(-Math.floor(seconds / 86400), "day");
    },
    /** How long. @param {number} length Minutes. */
    length: (length) => {
      const parts = [];
      if (length >= 60) parts.push(hours.format(Math.floor(length / 60)));
      if (length % 60 || length < 60) parts.push(minutes.format(length % 60));
      return parts.join(" ");
    },
  };
}

/**
 * The instant at which the day of an instant began in a time zone.
 * @param {number} at Milliseconds since 1970.
 * @param {string} zone
 * @param {number} [days] Of the day so many days before.
 */
export function midnight(at, zone, days = 0) {
  const parts = wall(at, zone);
  const start = Date.UTC(parts.year, parts.month - 1, parts.day - days);
  // The zone's distance from UTC is asked for at the place found: it differs across a change of
  // clocks, so it is asked twice.
  let found = start - distance(start, zone);
  found = start - distance(found, zone);
  return found;
}

function distance(at, zone) {
  const parts = wall(at, zone);
  return (
    Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute) -
    Math.floor(at / 60000) * 60000
  );
}

function wall(at, zone) {
  const format = once(`wall ${zone}`, () =>
    new Intl.DateTimeFormat("en-u-ca-gregory-nu-latn", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
    }),
  );
  const found = {};
  for (const { type, value } of format.formatToParts(at)) found[type] = Number(value);
  return found;
}

/** Time zones that this browser knows. */
export function zones() {
  const all = Intl.supportedValuesOf?.("timeZone") ?? [];
  return ["UTC", ...all.filter((name) => name !== "UTC")];
}
