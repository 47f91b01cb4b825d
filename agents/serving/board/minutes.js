// Minutes of one scope: those that the API keeps, and those that were seen since.

const KEPT = 2 * 86400 + 3600;

export class Minutes {
  #values = new Map();

  /** Seconds since 1970 of the newest minute; 0 before there is any. */
  newest = 0;

  /** @param {number} second Of the minute's start. @param {number|null} audience */
  set(second, audience) {
    this.#values.set(second, audience);
    if (second > this.newest) this.newest = second;
  }

  /** The audience of a minute; null where it is not known. */
  audience(second) {
    return this.#values.get(second) ?? null;
  }

  /** The newest `count` minutes up to a time. */
  last(count, until) {
    const end = Math.floor(until / 60) * 60;
    return Array.from({ length: count }, (_, place) => this.audience(end - (count - 1 - place) * 60));
  }

  /** Forgets what no picture shows any more, so that a page that stays open does not grow. */
  forget() {
    for (const second of this.#values.keys()) {
      if (second < this.newest - KEPT) this.#values.delete(second);
    }
  }
}
