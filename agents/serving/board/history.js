// The minutes of one scope over today and yesterday: from the API once, then from what is live.

import { ask } from "./live.js";
import { midnight } from "./format.js";
import { Minutes } from "./minutes.js";
import { settings } from "./settings.js";

/** Minutes are asked for so often: late events change them. A replay runs through them faster. */
const AGAIN = 300_000;
const AGAIN_REPLAY = 4_000;

export class DayHistory {
  minutes = new Minutes();

  #live;
  #key;
  #replay;
  #asked = 0;
  #closed = false;

  /**
   * @param {import("./live.js").Live} live
   * @param {string} key `world`, `venue:louvre`.
   * @param {number} [replay] How often a replay's are asked for, in milliseconds.
   */
  constructor(live, key, replay = AGAIN_REPLAY) {
    this.#live = live;
    this.#key = key;
    this.#replay = replay;
  }

  /** Today in the chosen time zone, in seconds since 1970. */
  today() {
    const now = this.#live.now() ?? Date.now();
    const from = midnight(now, settings.zone) / 1000;
    return { from, to: midnight(now, settings.zone, -1) / 1000 };
  }

  /** Takes what is live, and asks for minutes now and then. */
  update() {
    const scope = this.#live.state.scopes.get(this.#key);
    const at = this.#live.now();
    if (at === null) return;
    if (scope !== undefined) this.minutes.set(Math.floor(at / 60000) * 60, scope.viewers);
    if (Date.now() - this.#asked > this.#pause()) this.#ask();
  }

  #pause() {
    return this.#live.replays() ? this.#replay : AGAIN;
  }

  async #ask() {
    this.#asked = Date.now();
    const { from, to } = this.today();
    const path = this.#key === "world" ? "world" : this.#key.split(":").map(encodeURIComponent).join("/");
    const query = new URLSearchParams({
      from: new Date((from - 86400) * 1000).toISOString(),
      to: new Date(to * 1000).toISOString(),
    });
    try {
      const found = await ask(`v1/scopes/${path}/minutes?${query}`);
      if (this.#closed || found === null) return;
      const first = Date.parse(found.first) / 1000;
      const scope = this.#live.state.scopes.get(this.#key);
      // Behind its newest minute there is only what some broadcasts carry.
      const newest = scope === undefined ? Infinity : Date.parse(scope.minute) / 1000;
      found.audience.forEach((audience, place) => {
        const second = first + place * 60;
        if (audience !== null && second <= newest) this.minutes.set(second, audience);
      });
      this.minutes.forget();
      this.#live.tick();
    } catch {
      // The connection's state tells of it; asked again in a minute.
      this.#asked = Date.now() - this.#pause() + 60_000;
    }
  }

  close() {
    this.#closed = true;
  }
}
