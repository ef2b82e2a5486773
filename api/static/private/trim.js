// Uniform borders of any colour, as checker/fingerprint/trim.py takes them off: repeated until nothing is left to trim.

import { medianLevel } from "./numbers.js";
import { Rectangle } from "./rectangle.js";

const [LEVELS_MAX, STRAY_SHARE_MAX, LEFT_SHARE_MIN, SIDE_PX_MIN] = [14, 0.02, 0.1, 24];

/**
 * What is left of a view, or of a part of it, without its uniform borders.
 * @param {import("./resample.js").Plane[]} view red, green, blue
 * @param {Rectangle} whole
 * @returns {Rectangle | null} null: it has no borders, or is all border
 */
export function trim(view, whole) {
  let box = whole;
  for (;;) {
    const smaller = trimOnce(view, box);
    if (smaller?.equals(box)) return box.equals(whole) ? null : box;
    if (!smaller || smaller.area < LEFT_SHARE_MIN * whole.area) return null;
    box = smaller;
  }
}

function trimOnce(view, box) {
  const [top, bottom] = [run(view, box, "top"), run(view, box, "bottom")];
  if (top + bottom >= box.height) return null;
  const between = new Rectangle(box.left, box.top + top, box.right, box.bottom - bottom);
  const [left, right] = [run(view, between, "left"), run(view, between, "right")];
  if (left + right >= box.width) return null;
  // One line more where there is a border: it bleeds into the picture.
  const [l, t, r, b] = [left, top, right, bottom].map((lines) => (lines ? lines + 1 : 0));
  const smaller = new Rectangle(box.left + l, box.top + t, box.right - r, box.bottom - b);
  return Math.min(smaller.width, smaller.height) >= SIDE_PX_MIN ? smaller : null;
}

/** How many lines from one side on lie near the colour of the first. */
function run(view, box, side) {
  const upright = side === "left" || side === "right";
  const [lines, length] = upright ? [box.width, box.height] : [box.height, box.width];
  const stride = view[0].width;
  const [along, onwards] = upright ? [stride, 1] : [1, stride];
  const start = box.top * stride + box.left;
  const line = (n) => start + (side === "top" || side === "left" ? n : lines - 1 - n) * onwards;
  const colour = view.map(({ data }) => medianLevel(Uint8Array.from({ length }, (_, i) => data[line(0) + i * along])));
  for (let n = 0; n < lines; n++) {
    let far = 0;
    for (let i = 0, at = line(n); i < length; i++, at += along) {
      if (view.some(({ data }, channel) => Math.abs(data[at] - colour[channel]) > LEVELS_MAX)) far++;
    }
    if (far / length > STRAY_SHARE_MAX) return n;
  }
  return lines;
}
