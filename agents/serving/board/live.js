// What the board shows, kept up to date from `/v1/live`; and what else it asks the API for.

/**
 * @typedef {Object} State
 * @property {number|null} at Milliseconds since 1970 of the newest news.
 * @property {Map<string, object>} broadcasts By `platform:broadcast`.
 * @property {Map<string, object>} scopes By `world`, `venue:louvre`.
 * @property {object|null} seen How much of the system has answered.
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
  #source = null;

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

  /** Whether what is live is of another time than now. */
  replays() {
    const { at, scopes } = this.state;
    const world = scopes.get("world");
    if (at === null || world === undefined || world.live === 0) return false;
    return Math.abs(at - Date.parse(world.minute)) > REPLAY;
  }

  #connect() {
    const source = new EventSource("v1/live");
    this.#source = source;
    source.addEventListener("state", (event) => this.#take(JSON.parse(event.data), true));
    source.addEventListener("change", (event) => this.#take(JSON.parse(event.data), false));
    source.addEventListener("error", () => this.#failed(source));
  }

  #take(message, whole) {
    const state = this.state;
    if (whole) {
      state.broadcasts.clear();
      state.scopes.clear();
    }
    for (const each of message.broadcasts ?? []) {
      state.broadcasts.set(`${each.platform}:${each.broadcast}`, each);
    }
    for (const each of message.scopes ?? []) state.scopes.set(scopeKey(each), each);
    for (const key of message.gone?.broadcasts ?? []) state.broadcasts.delete(key);
    for (const key of message.gone?.scopes ?? []) state.scopes.delete(key);
    state.seen = message.partitions ?? state.seen;
    state.at = Date.parse(message.at);
    state.connection = "connected";
    state.lostAt = null;
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

  #tell() {
    for (const listener of this.#listeners) listener(this.state);
  }
}

/** `world`, or the kind and name: `venue:louvre`. */
export function scopeKey(scope) {
  return scope.scope === "world" ? "world" : `${scope.scope}:${scope.name}`;
}
