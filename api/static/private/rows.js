// What a photo is compared with: the whole list where the service gives it, else the rows around a few sketches. Held in
// memory, for all photos of a page.

import { FACTS, sketchHex, sketchOf } from "./halves.js";
import { readList } from "./list.js";
import { popcount32 } from "./numbers.js";
import { NoAnswerError } from "./traffic.js";

const LIST = "/v1/private/list";
const SKETCHES = "/v1/private/sketches";
const WORDS = 4;
const REMEMBERED_MAX = 64;
const OTHERWISE = "ask-otherwise";

/** @typedef {import("./list.js").List & { sketches: string[] }} Rows sketches: that stand for it; none: all rows are here */

export class RowSource {
  /** @type {Map<string, import("./list.js").List>} */
  #kept = new Map();
  #bySketch = false;

  constructor(traffic) {
    this.traffic = traffic;
  }

  /**
   * The rows among which a copy of a photo would be; `sketches` may be sent for it, rising.
   * @param {number[]} sketches
   * @returns {Promise<Rows>}
   */
  async rowsFor(sketches) {
    // A collection may grow past the whole list from one day to the next, or shrink: then its other way is taken.
    const ways = [() => this.#whole(), () => this.#around(sketches)];
    if (this.#bySketch) ways.reverse();
    try {
      return await ways[0]();
    } catch (refused) {
      if (!(refused instanceof NoAnswerError) || refused.reason !== OTHERWISE) throw refused;
    }
    this.#bySketch = !this.#bySketch;
    return ways[1]();
  }

  async #whole() {
    return { ...(await this.#list(LIST)), sketches: [] };
  }

  async #around(sketches) {
    const lists = [];
    for (const sketch of sketches) lists.push(await this.#list(`${SKETCHES}/${sketchHex(sketch)}`, sketchHex(sketch)));
    const parts = lists.map(({ rows }, i) => without(rows, sketches.slice(0, i)));
    const rows = new Uint32Array(parts.reduce((length, part) => length + part.length, 0));
    parts.reduce((at, part) => (rows.set(part, at), at + part.length), 0);
    return { ...lists[0], rows, sketches: sketches.map(sketchHex) };
  }

  async #list(path, sketch = null) {
    const kept = this.#kept.get(path);
    if (kept && Date.now() < kept.nextAt) return kept;
    const body = await this.traffic.get(path, sketch);
    try {
      if (this.#kept.size >= REMEMBERED_MAX) this.#kept.clear();
      this.#kept.set(path, readList(body));
    } catch {
      throw new NoAnswerError("failed", "unexpected-answer");
    }
    return this.#kept.get(path);
  }
}

/** Rows that are not already in the answers to other sketches: those hold all within two bits. */
function without(rows, others) {
  if (!others.length) return rows;
  const left = [];
  for (let at = 0; at < rows.length; at += WORDS) {
    const sketch = sketchOf(rows.subarray(at, at + WORDS));
    if (others.every((other) => popcount32(sketch ^ other) > FACTS.spread_bits)) left.push(...rows.subarray(at, at + WORDS));
  }
  return Uint32Array.from(left);
}
