// What one photo is compared by, in the order in which it may be shown; checker/fingerprint/asked.py and
// checker/private_check/asking.py.

import { halfOf, sketchOf } from "./halves.js";
import { codeOf, coefficients, hexOf, isFlat, ORIENTATIONS, turned } from "./phash.js";
import { INNER, partsOf, SHAPES, TRIMMED, WHOLE } from "./views.js";

const CODES_MAX = 64;
const SKETCHES_MAX = 4;
/** Four turns stand for eight: half a code cannot tell a picture from itself upside down. */
const TURNS = ["as-is", "mirrored", "turned-90", "mirrored-turned-90"];
const SHAPE_TURNS = ["as-is", "mirrored"];
const SUREST = [WHOLE, TRIMMED, INNER[0]];
const VARIANTS = [WHOLE, TRIMMED, ...INNER, ...Object.keys(SHAPES)];
/** A part that covers more of the photo than this is all of it. */
const ALL_OF_IT = 0.97;

/** @typedef {{ orientation: string, variant: string, crop: number[] | null, half: Uint32Array }} AskedHalf */

/** @typedef {{ turns: number, trimmed: boolean, inner: number, shapes: number }} Checks what is compared */

/**
 * The half codes of a photo, and the code of all of it as it lies; null: too plain to tell it from others.
 * @param {import("./decode.js").Pixels} pixels
 * @returns {{ hex: string | null, halves: AskedHalf[], checks: Checks }}
 */
export function askedOf(pixels) {
  const { whole, contents, content, shapesOf } = partsOf(pixels);
  const { code, balanced } = codeOf(coefficients(whole.grey64));
  if (!balanced || isFlat(whole.grey64)) return { hex: null, halves: [], checks: checksOf([]) };
  const halves = labels(whole, contents, content, shapesOf)
    .flatMap(([part, orientation]) => asHalf(part, orientation, whole))
    .map((half) => [showRank(half, content.variant), half])
    .sort(([[one, first]], [[other, second]]) => one - other || first - second)
    .map(([, half]) => half);
  return { hex: hexOf(code), halves, checks: checksOf(halves) };
}

/** The sketches that may be sent for a photo, rising: so their order does not tell which is of the photo as it lies. */
export function sketchesOf(halves) {
  const different = [...new Set(halves.map(({ half }) => sketchOf(half)))];
  return different.slice(0, SKETCHES_MAX).sort((one, other) => one - other);
}

/** Which parts are coded in which turns, at most 64, in the order of docs/matching.md. */
function labels(whole, contents, content, shapesOf) {
  const inAll = (part, turns) => turns.map((turn) => [part, turn]);
  const isSure = ({ variant }) => SUREST.includes(variant);
  const shapes = (part) => shapesOf(part).flatMap((shape) => inAll(shape, SHAPE_TURNS));
  return [
    ...contents.filter(isSure).flatMap((part) => inAll(part, ORIENTATIONS)),
    ...shapes(whole),
    ...contents.filter((part) => !isSure(part)).flatMap((part) => inAll(part, ORIENTATIONS)),
    ...(content === whole ? [] : shapes(content)),
  ].filter(([part]) => !isFlatPart(part)).slice(0, CODES_MAX);
}

const isFlatPart = (part) => (part.flat ??= isFlat(part.grey64));

function asHalf(part, orientation, whole) {
  if (!TURNS.includes(orientation)) return [];
  part.coefficients ??= coefficients(part.grey64);
  const { code, balanced } = codeOf(turned(part.coefficients, orientation));
  if (!balanced) return [];
  const isAll = part.box.overlap(whole.box) > ALL_OF_IT;
  const crop = isAll ? null : part.box.fractions(whole.box.width, whole.box.height);
  return [{ orientation, variant: part.variant, crop, half: halfOf(code) }];
}

/** Likely copies first: as it lies, mirrored, cut to a shape, turned; then guesses of what is a picture in it. */
function showRank({ orientation, variant }, content) {
  const asIs = orientation === "as-is";
  const isContent = variant === WHOLE || variant === content;
  const likely = [
    asIs && isContent,
    orientation === "mirrored" && variant === WHOLE,
    asIs && variant in SHAPES,
    isContent,
    true,
  ];
  return [likely.indexOf(true), VARIANTS.indexOf(variant)];
}

function checksOf(halves) {
  const variants = new Set(halves.map(({ variant }) => variant));
  const among = (wanted) => wanted.filter((variant) => variants.has(variant)).length;
  const turns = new Set(halves.map(({ orientation }) => orientation)).size;
  return { turns, trimmed: variants.has(TRIMMED), inner: among(INNER), shapes: among(Object.keys(SHAPES)) };
}
