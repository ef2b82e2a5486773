// phash256 version 1: the 16 x 16 lowest cosine frequencies of a 64 x 64 grey picture, each compared with their median.
// The same sums as checker/fingerprint/cosine.py and hashes.py, which imagehash defines.

export const SIDE_PX = 64;
const FREQUENCIES = 16;
const BITS = FREQUENCIES * FREQUENCIES;
const DETAIL_LEVELS_MIN = 2;

/** All ways a copy can lie: mirrored first or not, then quarter turns clockwise. */
export const ORIENTATIONS = [
  ...["as-is", "turned-90", "turned-180", "turned-270"],
  ...["mirrored", "mirrored-turned-90", "mirrored-turned-180", "mirrored-turned-270"],
];

const BASIS = Float64Array.from({ length: FREQUENCIES * SIDE_PX }, (_, i) => {
  const [frequency, at] = [Math.floor(i / SIDE_PX), i % SIDE_PX];
  return Math.cos((Math.PI * frequency * (2 * at + 1)) / (2 * SIDE_PX));
});

/**
 * The lowest frequencies, rows down and columns across.
 * @param {Uint8Array} grey 64 x 64
 * @returns {Float64Array} 16 x 16
 */
export function coefficients(grey) {
  const down = new Float64Array(FREQUENCIES * SIDE_PX);
  for (let row = 0; row < FREQUENCIES; row++) {
    for (let y = 0; y < SIDE_PX; y++) {
      const weight = BASIS[row * SIDE_PX + y];
      for (let x = 0; x < SIDE_PX; x++) down[row * SIDE_PX + x] += weight * grey[y * SIDE_PX + x];
    }
  }
  const values = new Float64Array(BITS);
  for (let row = 0; row < FREQUENCIES; row++) {
    for (let column = 0; column < FREQUENCIES; column++) {
      let sum = 0;
      for (let x = 0; x < SIDE_PX; x++) sum += down[row * SIDE_PX + x] * BASIS[column * SIDE_PX + x];
      values[row * FREQUENCIES + column] = sum;
    }
  }
  return values;
}

/** The coefficients of the picture turned: signs and a transposition, no pixels. */
export function turned(values, orientation) {
  const number = ORIENTATIONS.indexOf(orientation);
  let now = number >= 4 ? mirror(values) : values;
  for (let quarter = 0; quarter < number % 4; quarter++) {
    const before = now;
    now = mirror(before.map((_, i) => before[(i % FREQUENCIES) * FREQUENCIES + Math.floor(i / FREQUENCIES)]));
  }
  return now;
}

const mirror = (values) => values.map((value, i) => (i % 2 ? -value : value));

/**
 * The code of 16 x 16 coefficients, and whether a picture with detail can have it: exactly half of its bits set.
 * @returns {{ code: Uint8Array, balanced: boolean }} 32 bytes, the lowest frequency first
 */
export function codeOf(values) {
  const sorted = values.slice().sort();
  const median = (sorted[BITS / 2 - 1] + sorted[BITS / 2]) / 2;
  const code = new Uint8Array(BITS / 8);
  let set = 0;
  values.forEach((value, i) => {
    if (value <= median) return;
    code[i >> 3] |= 128 >> (i & 7);
    set++;
  });
  return { code, balanced: set === BITS / 2 };
}

/** Is a 64 x 64 grey picture, or a part of one, without detail? Its levels then lie near a plane. */
export function isFlat(grey) {
  const sum = (of) => grey.reduce((all, level, i) => all + of(level, i), 0);
  const [x, y] = [(i) => (2 * (i % SIDE_PX)) / (SIDE_PX - 1) - 1, (i) => (2 * Math.floor(i / SIDE_PX)) / (SIDE_PX - 1) - 1];
  const mean = sum((level) => level) / grey.length;
  const squares = sum((_, i) => x(i) ** 2);
  const across = sum((level, i) => (level - mean) * x(i)) / squares;
  const down = sum((level, i) => (level - mean) * y(i)) / squares;
  const rest = sum((level, i) => (level - mean - across * x(i) - down * y(i)) ** 2);
  return Math.sqrt(rest / grey.length) < DETAIL_LEVELS_MIN;
}

export const hexOf = (code) => Array.from(code, (byte) => byte.toString(16).padStart(2, "0")).join("");
