// The rows near to a photo; checker/private_check/asking.py, near_rows. A part of the photo has to be nearer than all of
// it: many parts are tried, and each could meet a stranger.

import { popcount32 } from "./numbers.js";
import { TRIMMED, WHOLE } from "./views.js";

const WORDS = 4;
/** Of 128 bits: up to the first a row is surely near, up to the second at all. docs/private.md, section 4a. */
const [WHOLE_LIMITS, PART_LIMITS] = [[18, 22], [14, 18]];
const MATCHES_MAX = 100;

/** @typedef {{ kind: "same"|"edited"|"possible", orientation: string, crop: number[]|null, bits: number }} Near */

/**
 * The surest and nearest first, each row once, at most 100.
 * @param {import("./asked.js").AskedHalf[]} halves
 * @param {Uint32Array} rows four words each
 */
export function nearRows(halves, rows) {
  /** @type {Map<number, number[]>} row to [1 where only possible, bits, number of the half] */
  const best = new Map();
  halves.forEach(({ half, variant }, number) => {
    const [sure, limit] = limitsOf(variant);
    const hits = hitsOf(half, rows, limit).sort(([, one], [, other]) => one - other).slice(0, MATCHES_MAX);
    for (const [row, bits] of hits) {
      const found = [bits > sure ? 1 : 0, bits, number];
      if (!best.has(row) || order(found, best.get(row)) < 0) best.set(row, found);
    }
  });
  return [...best.values()].sort(order).slice(0, MATCHES_MAX).map(([, bits, number]) => nearOf(halves[number], bits));
}

/** As `[row, bits]`. */
function hitsOf(half, rows, limit) {
  const [a, b, c, d] = half;
  const hits = [];
  for (let at = 0; at < rows.length; at += WORDS) {
    // Most rows are past the limit after half of their words.
    let bits = popcount32(rows[at] ^ a) + popcount32(rows[at + 1] ^ b);
    if (bits > limit) continue;
    bits += popcount32(rows[at + 2] ^ c) + popcount32(rows[at + 3] ^ d);
    if (bits <= limit) hits.push([at / WORDS, bits]);
  }
  return hits;
}

function nearOf({ orientation, variant, crop }, bits) {
  const isSame = orientation === "as-is" && (variant === WHOLE || variant === TRIMMED);
  const kind = bits > limitsOf(variant)[0] ? "possible" : isSame ? "same" : "edited";
  return { kind, orientation, crop: crop?.map((share) => Math.round(share * 10_000) / 10_000) ?? null, bits };
}

const limitsOf = (variant) => (variant === WHOLE ? WHOLE_LIMITS : PART_LIMITS);
const order = (one, other) => one[0] - other[0] || one[1] - other[1] || one[2] - other[2];
