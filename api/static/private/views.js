// The parts of a picture that are worth a code of their own; checker/fingerprint/views.py.

import { greyOf } from "./decode.js";
import { innerPictures } from "./inner.js";
import { roundEven } from "./numbers.js";
import { SIDE_PX } from "./phash.js";
import { Rectangle } from "./rectangle.js";
import { cut, LANCZOS, resize } from "./resample.js";
import { trim } from "./trim.js";

export const WHOLE = "whole";
export const TRIMMED = "trimmed";
export const INNER = ["inner", "inner-2", "inner-3"];
/** Width by height of what platforms cut pictures to, from the middle. */
export const SHAPES = {
  "crop-1x1": 1,
  "crop-4x5": 4 / 5,
  "crop-16x9": 16 / 9,
  "crop-9x16": 9 / 16,
  "crop-3x2": 3 / 2,
  "crop-4x3": 4 / 3,
  "crop-3x1": 3,
};
const [SHAPE_DIFFERS, SAME_OVERLAP, SIDE_PX_MIN, GAP] = [0.015, 0.985, 16, 3];

/** @typedef {{ variant: string, box: Rectangle, grey64: Uint8Array, clear: boolean }} Part */

/**
 * The parts of a picture; `content` is the photo itself: the clear picture inside, else without borders, else the whole.
 * @param {import("./decode.js").Pixels} pixels
 * @returns {{ whole: Part, contents: Part[], content: Part, shapesOf: (part: Part) => Part[] }}
 */
export function partsOf({ grey64, view }) {
  const { width, height } = view[0];
  const [red, green, blue] = view.map(({ data }) => data);
  const grey = { data: red.map((level, i) => greyOf(level, green[i], blue[i])), width, height };
  const part = (variant, box, clear = true) => {
    return { variant, box, clear, grey64: resize(cut(grey, box), SIDE_PX, SIDE_PX, LANCZOS, GAP).data };
  };
  const whole = { variant: WHOLE, box: new Rectangle(0, 0, width, height), grey64, clear: true };
  const contents = [whole];
  const trimmed = trim(view, whole.box);
  if (trimmed) contents.push(part(TRIMMED, trimmed));
  innerPictures(view).forEach((guess, i) => {
    const box = trim(view, guess.box) ?? guess.box; // a letterbox inside of a page
    if (contents.every((other) => box.overlap(other.box) < SAME_OVERLAP)) contents.push(part(INNER[i], box, guess.clear));
  });
  const clear = contents.find(({ variant, clear }) => variant === INNER[0] && clear);
  const content = clear ?? contents.find(({ variant }) => variant === TRIMMED) ?? whole;
  return { whole, contents, content, shapesOf: ({ box }) => shapes(box).map(([variant, shape]) => part(variant, shape)) };
}

/** The middle of a part in every shape that platforms cut to and that it does not have already. */
function shapes(box) {
  const own = box.width / box.height;
  return Object.entries(SHAPES).flatMap(([variant, shape]) => {
    const width = Math.min(box.width, roundEven(box.height * shape));
    const height = Math.min(box.height, roundEven(box.width / shape));
    if (Math.abs(shape / own - 1) < SHAPE_DIFFERS || Math.min(width, height) < SIDE_PX_MIN) return [];
    const [left, top] = [box.left + ((box.width - width) >> 1), box.top + ((box.height - height) >> 1)];
    return [[variant, new Rectangle(left, top, left + width, top + height)]];
  });
}
