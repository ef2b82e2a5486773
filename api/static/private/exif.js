// The turn that EXIF asks for. Browsers differ in which files they obey it in, so it is read and undone here, and taken
// out of the copy that the browser decodes.

const ORIENTATION = 0x0112;
const [SHORT, LONG] = [3, 4];

/**
 * Find the orientation in the TIFF block from `start` to `end` of a file (EXIF 2.32, tag 0x0112).
 * @returns {{ value: number, at: number, bytes: number, little: boolean } | null} null: none, or damaged, and says nothing
 */
export function orientationIn(view, start, end) {
  if (end - start < 8) return null;
  const order = view.getUint16(start);
  if (order !== 0x4949 && order !== 0x4d4d) return null;
  const little = order === 0x4949;
  const directory = start + view.getUint32(start + 4, little);
  if (view.getUint16(start + 2, little) !== 42 || directory + 2 > end) return null;
  const entries = view.getUint16(directory, little);
  for (let entry = directory + 2, i = 0; i < entries && entry + 12 <= end; entry += 12, i++) {
    if (view.getUint16(entry, little) !== ORIENTATION) continue;
    const kind = view.getUint16(entry + 2, little);
    if (kind !== SHORT && kind !== LONG) return null;
    const value = kind === SHORT ? view.getUint16(entry + 8, little) : view.getUint32(entry + 8, little);
    return { value: value >= 1 && value <= 8 ? value : 1, at: entry + 8, bytes: kind === SHORT ? 2 : 4, little };
  }
  return null;
}

/** Write "as it lies" over the orientation, so that the browser turns nothing. */
export function neutralise(bytes, { at, bytes: length, little }) {
  bytes.fill(0, at, at + length);
  bytes[little ? at : at + length - 1] = 1;
}

/** What undoes orientations 1 to 8: swap rows and columns, then mirror left to right, then top to bottom. */
const STEPS = ["", "", "across", "across down", "down", "swap", "swap across", "swap across down", "swap down"];

/** A plane as it is meant to be seen. */
export function upright(plane, orientation) {
  const [swap, across, down] = ["swap", "across", "down"].map((step) => STEPS[orientation].includes(step));
  const [width, height] = swap ? [plane.height, plane.width] : [plane.width, plane.height];
  const data = new Uint8Array(plane.data.length);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const [u, v] = [across ? width - 1 - x : x, down ? height - 1 - y : y];
      data[i] = plane.data[swap ? u * plane.width + v : v * plane.width + u];
    }
  }
  return { data, width, height };
}
