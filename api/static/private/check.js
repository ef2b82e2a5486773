// The private check of photos in the browser (docs/private.md, section 7). No page, no words: whoever shows it puts steps,
// states and reasons into sentences.

import { givesTruePixels } from "./canvas.js";
import { RowSource } from "./rows.js";
import { NoAnswerError, Traffic } from "./traffic.js";

const BYTES_MAX = 20 * 2 ** 20;

/**
 * @typedef {object} Result
 * @property {"checked"|"too-plain"|"unreadable"|"altered"|"offline"|"corpus-empty"|"busy"|"failed"} status
 * @property {string|null} reason machine name, of every status but `checked`
 * @property {number|null} retryAfterS
 * @property {import("./near.js").Near[]} matches the surest and nearest first
 * @property {{ version: "1", hex: string }|null} code phash256 of the whole photo as it lies
 * @property {import("./list.js").Coverage|null} coverage
 * @property {import("./asked.js").Checks|null} checks what was compared: turns, trimmed, inner, shapes
 * @property {number} compared rows
 * @property {string[]} sketches shown for this photo, four hex digits each; none: the whole list was here
 * @property {number|null} width of the photo as it is seen, in pixels
 * @property {number|null} height
 * @property {boolean} animated there are further frames; the first was compared
 */

const NOTHING = { reason: null, retryAfterS: null, matches: [], code: null, coverage: null, checks: null };
const NONE = { ...NOTHING, compared: 0, sketches: [], width: null, height: null, animated: false };

/** One private check after the other; the list or answers are fetched once and shared by all photos of the page. */
export class PrivateCheck {
  #traffic = new Traffic();
  #rows = new RowSource(this.#traffic);
  #last = Promise.resolve();
  /** @type {Worker|null} */
  #worker = null;
  /** Breaks off what the worker was asked. */
  #refuse = () => {};
  #trueCanvas = null;
  #closed = false;

  /**
   * @param {{ onStep?: (name: "decoding"|"coding"|"asking"|"comparing"|"done", detail?: object) => void,
   *   bytesMax?: number }} options detail: `{ sketches }` of asking, `{ compared }` of comparing, the result of done
   */
  constructor({ onStep = () => {}, bytesMax = BYTES_MAX } = {}) {
    Object.assign(this, { onStep, bytesMax });
    // Loaded at once: from now on a photo is coded without a network.
    if ("Worker" in globalThis) this.#begin();
  }

  /** Every request made so far, in order. */
  get requests() {
    return this.#traffic.requests;
  }

  /**
   * @param {Blob} file
   * @returns {Promise<Result>} never rejects
   */
  photo(file) {
    this.#last = this.#last.then(() => this.#result(file));
    return this.#last;
  }

  /** End the worker and what is under way; photos that wait come back as failed, `closed`. */
  close() {
    this.#closed = true;
    this.#traffic.close();
    this.#end();
    this.#refuse();
  }

  async #result(file) {
    const result = { ...NONE };
    try {
      await this.#check(file, result);
    } catch (error) {
      const told = this.#closed ? new NoAnswerError("failed", "closed") : error;
      const { status, reason, retryAfterS } = told instanceof NoAnswerError ? told : new NoAnswerError("failed", "browser");
      Object.assign(result, { status, reason, retryAfterS });
    }
    this.onStep("done", result);
    return result;
  }

  async #check(file, result) {
    if (this.#closed) throw new Error("closed");
    this.onStep("decoding");
    this.#trueCanvas ??= await pageGivesTruePixels();
    if (!this.#trueCanvas) throw new NoAnswerError("altered", "canvas");
    const { hex, checks, sketches, ...facts } = await this.#inWorker({ file, bytesMax: this.bytesMax });
    Object.assign(result, facts);
    if (facts.status) return;
    result.code = { version: "1", hex };
    this.onStep("asking", { sketches: sketches.length });
    const { rows, coverage, sketches: shown } = await this.#rows.rowsFor(sketches);
    const compared = rows.length / 4;
    this.onStep("comparing", { compared });
    const { matches } = await this.#inWorker({ rows });
    Object.assign(result, { status: "checked", matches, coverage, checks, compared, sketches: shown });
  }

  /** Ask the worker one thing and wait for its answer. */
  #inWorker(message) {
    return new Promise((resolve, reject) => {
      this.#begin();
      this.#refuse = reject;
      this.#worker.onmessage = ({ data }) => (data === "coding" ? this.onStep("coding") : resolve(data));
      this.#worker.postMessage(message);
    });
  }

  #begin() {
    if (this.#worker) return;
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.#worker.onerror = () => {
      this.#end(); // the next photo gets a new one
      this.#refuse(navigator.onLine ? new NoAnswerError("failed", "browser") : new NoAnswerError("offline", "network"));
    };
  }

  #end() {
    this.#worker?.terminate();
    this.#worker = null;
  }
}

/** Noise may be switched on for pages and not for workers, or the other way round: both are asked. */
async function pageGivesTruePixels() {
  const canvases = [document.createElement("canvas"), new OffscreenCanvas(1, 1)];
  return (await Promise.all(canvases.map(givesTruePixels))).every(Boolean);
}
