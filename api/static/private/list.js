// An answer of the private check: a line of JSON, rows of 16 bytes, zeros (docs/private.md, section 4).

import { FACTS, HALF_BYTES } from "./halves.js";

const HEADER_BYTES_MAX = 16 * 1024;

/** @typedef {{ images: number, sources: number, newest: string|null, checks: string[] }} Coverage */
/** @typedef {{ coverage: Coverage, nextAt: number, rows: Uint32Array }} List nextAt in milliseconds; four words a row */

/**
 * @param {ArrayBuffer} body
 * @returns {List}
 * @throws {SyntaxError | TypeError} it is no such list, is cut off, or holds other bits of the codes
 */
export function readList(body) {
  const bytes = new Uint8Array(body);
  const end = bytes.subarray(0, HEADER_BYTES_MAX).indexOf(10);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(0, Math.max(0, end))));
  const ours = Object.entries(FACTS).every(([name, fact]) => JSON.stringify(header[name]) === JSON.stringify(fact));
  const { images, sources, newest } = header.coverage;
  const nextAt = Date.parse(header.next_at);
  const whole = [header.rows, images, sources].every((count) => Number.isSafeInteger(count) && count >= 0);
  if (!ours || !whole || Number.isNaN(nextAt)) throw new SyntaxError("this is no private list of this version");
  if (bytes.length < end + 1 + header.rows * HALF_BYTES) throw new SyntaxError("the list is cut off");
  // Copied: words have to begin at a multiple of four.
  const rows = new Uint32Array(body.slice(end + 1, end + 1 + header.rows * HALF_BYTES));
  return { coverage: { images, sources, newest, checks: ["phash256-half"] }, nextAt, rows };
}
