// A file -> a 64 x 64 grey picture and a coloured view of at most 640 px: the recipe of checker/fingerprint/decode.py.
// The browser decodes and knows colour profiles, CMYK and transparency; everything after that is ours, since browsers
// scale in ways of their own. Of the picture one bitmap is held, and one tile of its pixels at a time.

import { TileReader } from "./canvas.js";
import { JPEG, PNG, readContainer, UnreadableError } from "./container.js";
import { neutralise, upright } from "./exif.js";
import { roundEven, toLevel } from "./numbers.js";
import { SIDE_PX } from "./phash.js";
import { BILINEAR, BoxReducer, boxSide, filtered, LANCZOS } from "./resample.js";

const DRAFT_SIDE_PX = 512;
const VIEW_SIDE_PX_MAX = 640;
const [GREY_GAP, VIEW_GAP] = [3, 2];

/**
 * A picture as it is meant to be seen: 64 x 64 in grey; red, green and blue of at most 640 px; size of all of it.
 * @typedef {{ grey64: Uint8Array, view: import("./resample.js").Plane[], width: number, height: number,
 *   animated: boolean }} Pixels
 */

/** The canvas did not give back what was drawn. */
export class AlteredError extends Error {}

/**
 * @param {Uint8Array} bytes is changed: the EXIF turn is taken out
 * @param {OffscreenCanvas} canvas to read pixels with
 * @returns {Promise<Pixels>}
 * @throws {UnreadableError | AlteredError}
 */
export async function decode(bytes, canvas) {
  const { type, width, height, orientation, profile, animated } = readContainer(bytes);
  if (orientation) neutralise(bytes, orientation);
  const bitmap = await bitmapOf(bytes, type, profile);
  try {
    const { grey, view } = shrink(bitmap, new TileReader(canvas), type === JPEG);
    const turn = orientation?.value ?? 1;
    return {
      grey64: upright(grey, turn).data,
      view: view.map((plane) => upright(plane, turn)),
      width: turn >= 5 ? height : width,
      height: turn >= 5 ? width : height,
      animated,
    };
  } finally {
    bitmap.close();
  }
}

async function bitmapOf(bytes, type, profile) {
  try {
    // What else than a profile a PNG says of its colours Pillow does not read. Elsewhere "none" changes nothing, and costs
    // Chromium a second copy of the picture.
    const colorSpaceConversion = type === PNG && !profile ? "none" : "default";
    return await createImageBitmap(new Blob([bytes], { type }), { colorSpaceConversion });
  } catch {
    throw new UnreadableError("damaged");
  }
}

function shrink(bitmap, reader, isJpeg) {
  const draft = isJpeg ? draftSide(bitmap) : 1;
  const [width, height] = [Math.ceil(bitmap.width / draft), Math.ceil(bitmap.height / draft)];
  const scale = Math.min(1, VIEW_SIDE_PX_MAX / Math.max(width, height));
  const seen = [width, height].map((side) => Math.max(1, roundEven(side * scale)));
  const reducers = [0, 1, 2, 3].map((channel) => {
    const [across, down, gap] = channel === 3 ? [SIDE_PX, SIDE_PX, GREY_GAP] : [...seen, VIEW_GAP];
    return new BoxReducer(width, height, boxSide(width, across, gap), boxSide(height, down, gap));
  });
  readRows(bitmap, reader, draft, (rows) => reducers.forEach((reducer, channel) => reducer.push(rows[channel])));
  const [red, green, blue, grey] = reducers.map((reducer, channel) => {
    const [across, down, filter] = channel === 3 ? [SIDE_PX, SIDE_PX, LANCZOS] : [...seen, BILINEAR];
    return filtered(reducer.plane, width / reducer.across, height / reducer.down, across, down, filter);
  });
  return { grey, view: [red, green, blue] };
}

/** libjpeg's scale that keeps both sides at 512 px or more: it decodes to means of so many pixels squared. */
function draftSide(bitmap) {
  const fits = Math.floor(Math.min(bitmap.width, bitmap.height) / DRAFT_SIDE_PX);
  return [8, 4, 2].find((side) => side <= fits) ?? 1;
}

/** Hand over each row of the (reduced) picture as red, green, blue and grey. */
function readRows(bitmap, reader, draft, take) {
  const width = Math.ceil(bitmap.width / draft);
  const tiles = [...TileReader.tiles(bitmap.width, bitmap.height)];
  if (!reader.readsTwiceAlike(bitmap, ...tiles[tiles.length >> 1])) throw new AlteredError("two readings differ");
  let band;
  for (const [left, top, wide, high] of tiles) {
    if (left === 0) band = Array.from({ length: Math.ceil(high / draft) }, () => channels(width));
    putTile(reader.read(bitmap, left, top, wide, high), [wide, high], draft, band, left / draft);
    if (left + wide === bitmap.width) band.forEach(take);
  }
}

const channels = (width) => Array.from({ length: 4 }, () => new Uint8Array(width));

/** Means of boxes of `draft` x `draft` pixels of one tile, into the rows that it belongs to. */
function putTile(rgba, [wide, high], draft, band, place) {
  for (let top = 0; top < high; top += draft) {
    const [reds, greens, blues, greys] = band[top / draft];
    const bottom = Math.min(top + draft, high);
    for (let left = 0, x = place; left < wide; left += draft, x++) {
      const right = Math.min(left + draft, wide);
      let [red, green, blue] = [0, 0, 0];
      for (let y = top; y < bottom; y++) {
        for (let i = 4 * (y * wide + left), end = 4 * (y * wide + right); i < end; i += 4) {
          red += rgba[i];
          green += rgba[i + 1];
          blue += rgba[i + 2];
        }
      }
      const count = (bottom - top) * (right - left);
      [reds[x], greens[x], blues[x]] = [toLevel(red / count), toLevel(green / count), toLevel(blue / count)];
      greys[x] = greyOf(red, green, blue, count);
    }
  }
}

/** ITU-R 601-2 luma in Pillow's whole numbers (libImaging/Convert.c, L24), of sums of `count` pixels. */
export const greyOf = (red, green, blue, count = 1) =>
  Math.floor((19595 * red + 38470 * green + 7471 * blue) / (65536 * count) + 0.5);
