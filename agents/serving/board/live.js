// What the board shows, kept up to date from `/v1/live`; and what else it asks the API for.

/**
 * @typedef {Object} State
 * @property {number|null} at Milliseconds since 1970 of the newest news.
 * @property {Map<string, object>} broadcasts By `platform:broadcast`.
 * @property {Map<string, object>} scopes By `world`, `venue:louvre`.
 * @property {{answered: number, missing: number}|null} seen Partitions that have answered, or not.
 * @property {"connecting"|"connected"|"lost"|"refused"} connection
 * @property {number|null} lostAt
 */

const RETRY = 3000;
const MINUTE = 60_000;
/** Platforms tell some minutes late; what is further away is a replay. */
const REPLAY = 130 * MINUTE;

/** Asks the API. @returns {Promise<object|null>} null where there is no such thing. */
export async function ask(path, seconds = 15) {
  const response = await fetch(path, {
    signal: AbortSignal.timeout(seconds * 1000),
    headers: { accept: "application/json" },
    cache: "no-store",
  });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

/** The path of a broadcast in the API and in the address of its page. */
export function broadcastPath(platform, broadcast) {
  return `${encodeURIComponent(platform)}/${encodeURIComponent(broadcast)}`;
}

export class Live {
  /** @type {State} */
  state = {
    at: null,
    broadcasts: new Map(),
    scopes: new Map(),
    seen: null,
    connection: "connecting",
    lostAt: null,
  };

  #listeners = new Set();
  /** What the server told, with all changes since. */
  #document = null;

  /** Calls back after each change. */
  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start() {
    this.#connect();
  }

  /**
   * Now in the time of what is shown, in milliseconds since 1970; null before anything is known.
   * That is the server's clock, but for a replay of other times, where the newest minute is far from
   * it though something is live.
   */
  now() {
    const { at, scopes } = this.state;
    return this.replays() ? Date.parse(scopes.get("world").minute) + MINUTE : at;
  }

  /** Seconds by which the newest minute is behind now; 0 where that is as it must be. */
  behind() {
    const world = this.state.scopes.get("world");
    if (world === undefined || world.live === 0 || this.replays()) return 0;
    return Math.max(0, (Date.now() - Date.parse(world.minute) - MINUTE) / 1000);
  }

  /** Whether what is live is of another time than now. */
  replays() {
    const { at, scopes } = this.state;
    const world = scopes.get("world");
    if (at === null || world === undefined || world.live === 0) return false;
    return Math.abs(at - Date.parse(world.minute)) > REPLAY;
  }

  #connect() {
    const source = new EventSource("v1/live");
    source.addEventListener("state", (event) => this.#take(JSON.parse(event.data)));
    source.addEventListener("change", (event) => {
      this.#take(patched(this.#document, JSON.parse(event.data)));
    });
    source.addEventListener("open", () => this.#opened());
    source.addEventListener("error", () => this.#failed(source));
  }

  #take(found) {
    this.#document = found;
    const state = this.state;
    state.broadcasts = figures(found.broadcasts, BROADCAST);
    state.scopes = figures(found.scopes, SCOPE);
    const parts = Object.values(found.partitions);
    state.seen = {
      answered: parts.reduce((sum, part) => sum + part.answered.length, 0),
      missing: parts.reduce((sum, part) => sum + part.missing.length, 0),
    };
    this.#opened();
  }

  #opened() {
    const state = this.state;
    if (this.#document !== null) {
      state.at = Date.now();
      state.connection = "connected";
      state.lostAt = null;
    }
    this.#tell();
  }

  async #failed(source) {
    // The browser tries again by itself, unless it was refused.
    const state = this.state;
    if (state.connection === "connected") state.lostAt = Date.now();
    state.connection = state.lostAt === null ? "connecting" : "lost";
    this.#tell();
    if (source.readyState !== EventSource.CLOSED) return;
    try {
      const response = await fetch("v1/scopes/world", { cache: "no-store" });
      if (response.status === 401 || response.status === 403) state.connection = "refused";
    } catch {
      // Nobody answers: it is tried again below.
    }
    this.#tell();
    setTimeout(() => this.#connect(), RETRY);
  }

  /** While nothing changes nothing is told: what is shown is still of now. */
  tick() {
    if (this.state.connection === "connected") this.state.at = Date.now();
    this.#tell();
  }

  #tell() {
    for (const listener of this.#listeners) listener(this.state);
  }
}

/** Figures that may be null; a merge patch cannot say that, so there it is absent. */
const BROADCAST = nulls("run programme title ended_at peak peak_at peak_held waiting_peak first_minute "
  + "first_audience first_audience_at average views viewers peak_5m peak_1h");
const SCOPE = nulls("viewers peak peak_at");

function nulls(names) {
  return Object.fromEntries(names.split(" ").map((name) => [name, null]));
}

function figures(found, absent) {
  return new Map(Object.entries(found).map(([key, each]) => [key, { ...absent, ...each }]));
}

/** A document with a JSON Merge Patch (RFC 7396) applied; neither is changed. */
export function patched(document, patch) {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const result = isObject(document) ? { ...document } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = patched(result[name], value);
  }
  return result;
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
