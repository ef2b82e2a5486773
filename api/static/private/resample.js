// Scaling as Pillow does it: boxes first where that is nearly fair (`reducing_gap`), then a filter across and down, each
// pass rounded to whole levels (libImaging/Reduce.c, Resample.c). No canvas scales: each browser does so in its own way.

import { toLevel } from "./numbers.js";

/** @typedef {{ data: Uint8Array, width: number, height: number }} Plane one channel, row by row */

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
export const LANCZOS = { support: 3, at: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) };
export const BILINEAR = { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) };

/** Means of boxes of `across` x `down` pixels, fed row by row, so that the picture itself need not be held. */
export class BoxReducer {
  constructor(width, height, across, down) {
    Object.assign(this, { across, down, rows: 0, sourceWidth: width, sourceHeight: height });
    const [wide, high] = [Math.ceil(width / across), Math.ceil(height / down)];
    /** @type {Plane} */
    this.plane = { data: new Uint8Array(wide * high), width: wide, height: high };
    this.sums = new Float64Array(wide);
  }

  push(row) {
    const { across, sums } = this;
    for (let x = 0, box = 0, end = across; x < row.length; x++) {
      if (x === end) {
        box++;
        end += across;
      }
      sums[box] += row[x];
    }
    this.rows++;
    if (this.rows % this.down === 0 || this.rows === this.sourceHeight) this.#finishBoxes();
  }

  /** The boxes at the right and the bottom may hold fewer pixels. */
  #finishBoxes() {
    const { plane, sums, across, down } = this;
    const high = this.rows % down || down;
    const start = (Math.ceil(this.rows / down) - 1) * plane.width;
    for (let box = 0; box < plane.width; box++) {
      const count = high * Math.min(across, this.sourceWidth - box * across);
      plane.data[start + box] = Math.floor((sums[box] + (count >> 1)) / count);
    }
    sums.fill(0);
  }
}

/** How many pixels become one before the filter has its turn; Pillow's rule for `reducing_gap`. */
export const boxSide = (from, to, gap) => Math.max(1, Math.floor(from / to / gap));

/** Pillow's `resize(..., reducing_gap=gap)`. */
export function resize(plane, width, height, filter, gap) {
  if (plane.width === width && plane.height === height) return plane;
  const across = boxSide(plane.width, width, gap);
  const down = boxSide(plane.height, height, gap);
  if (across === 1 && down === 1) return filtered(plane, plane.width, plane.height, width, height, filter);
  const reducer = new BoxReducer(plane.width, plane.height, across, down);
  for (let y = 0; y < plane.height; y++) reducer.push(plane.data.subarray(y * plane.width, (y + 1) * plane.width));
  return filtered(reducer.plane, plane.width / across, plane.height / down, width, height, filter);
}

/**
 * The filter alone, across and then down. `fromWidth` and `fromHeight` are those of the picture, which may end inside of
 * the last pixel of `plane`: a box that was not full.
 */
export function filtered(plane, fromWidth, fromHeight, width, height, filter) {
  return turnedOver(onePass(turnedOver(onePass(plane, fromWidth, width, filter)), fromHeight, height, filter));
}

function onePass(plane, from, width, filter) {
  if (from === width && plane.width === width) return plane;
  const data = new Uint8Array(width * plane.height);
  for (let x = 0; x < width; x++) {
    const [first, weights] = weightsAt(x, from, width, plane.width, filter);
    for (let y = 0; y < plane.height; y++) {
      let sum = 0;
      const start = y * plane.width + first;
      for (let i = 0; i < weights.length; i++) sum += weights[i] * plane.data[start + i];
      data[y * width + x] = toLevel(sum);
    }
  }
  return { data, width, height: plane.height };
}

function weightsAt(x, from, to, pixels, filter) {
  const scale = from / to;
  const wide = Math.max(1, scale);
  const centre = (x + 0.5) * scale;
  const reach = filter.support * wide;
  const first = Math.max(0, Math.trunc(centre - reach + 0.5));
  const last = Math.min(pixels, Math.trunc(centre + reach + 0.5));
  const weights = Float64Array.from({ length: last - first }, (_, i) => filter.at((first + i - centre + 0.5) / wide));
  const sum = weights.reduce((all, weight) => all + weight, 0);
  return [first, weights.map((weight) => weight / sum)];
}

/** Rows as columns. */
function turnedOver({ data, width, height }) {
  const over = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) over[x * height + y] = data[y * width + x];
  return { data: over, width: height, height: width };
}

/** A part of a plane. */
export function cut(plane, box) {
  const data = new Uint8Array(box.area);
  for (let y = 0; y < box.height; y++) {
    const start = (box.top + y) * plane.width + box.left;
    data.set(plane.data.subarray(start, start + box.width), y * box.width);
  }
  return { data, width: box.width, height: box.height };
}
