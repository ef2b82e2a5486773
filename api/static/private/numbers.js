// Rounding, medians and bit counts as numpy and Pillow do them, so that the codes are those of `hibs fingerprint`.

/** To the nearest whole number, halves to the even one (Python's `round`). */
export function roundEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** To 0-255, halves up, as Pillow rounds a level after each pass. */
export const toLevel = (value) => (value <= 0 ? 0 : value >= 255 ? 255 : Math.floor(value + 0.5));

/** The median of levels, cut to a whole one; they are sorted in place. */
export function medianLevel(levels) {
  levels.sort();
  const middle = levels.length >> 1;
  return levels.length % 2 ? levels[middle] : (levels[middle - 1] + levels[middle]) >> 1;
}

/** How many of 32 bits are set (Hacker's Delight, 5-1). */
export function popcount32(word) {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
