// Half of a code, and its sketch: docs/private.md, sections 1 and 2. Both sides of a question have to cut alike.

const ROWS = 16;
export const HALF_BYTES = 16;
/** Of a list that this can be compared with. */
export const FACTS = {
  version: 1,
  kind: "phash256",
  kind_version: "1",
  mask: "aaaa5555".repeat(8),
  sketch_bits: [10, 23, 27, 40, 44, 53, 55, 70, 85, 102, 113, 130, 145, 147, 162, 213],
  spread_bits: 2,
};

/** The bits of even row + column of a code, byte r those of row r; as four words, in the order of this machine. */
export function halfOf(code) {
  const half = new Uint8Array(HALF_BYTES);
  for (let row = 0; row < ROWS; row++) {
    const bits = (code[2 * row] << 8) | code[2 * row + 1];
    for (let kept = 0; kept < 8; kept++) {
      const column = 2 * kept + (row % 2);
      half[row] |= ((bits >> (15 - column)) & 1) << (7 - kept);
    }
  }
  return new Uint32Array(half.buffer);
}

/** The 16 bits by which a half code is asked for. */
export function sketchOf(half) {
  const bytes = new Uint8Array(half.buffer, half.byteOffset, HALF_BYTES);
  return FACTS.sketch_bits.reduce((sketch, bit) => {
    const [row, column] = [bit >> 4, bit & 15];
    return (sketch << 1) | ((bytes[row] >> (7 - (column >> 1))) & 1);
  }, 0);
}

export const sketchHex = (sketch) => sketch.toString(16).padStart(4, "0");
