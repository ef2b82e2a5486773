// The worker that a photo is decoded, coded and compared in, one at a time. It asks nobody anything.
//
//     { file, bytesMax } -> "coding" -> { hex, checks, sketches, width, height, animated } | { status, reason }
//     { rows }           -> { matches }, of the photo before

import { askedOf, sketchesOf } from "./asked.js";
import { givesTruePixels } from "./canvas.js";
import { UnreadableError } from "./container.js";
import { AlteredError, decode } from "./decode.js";
import { nearRows } from "./near.js";

let halves = [];
let trueCanvas = null;

self.addEventListener("message", async ({ data }) => {
  try {
    postMessage(data.rows ? { matches: nearRows(halves, data.rows) } : await code(data));
  } catch (error) {
    postMessage(outcome(error));
  }
});

async function code({ file, bytesMax }) {
  halves = [];
  if (file.size > bytesMax) throw new UnreadableError("too-large");
  const pixels = await decode(await bytesOf(file), await canvas());
  postMessage("coding");
  const { hex, halves: found, checks } = askedOf(pixels);
  halves = found;
  const { width, height, animated } = pixels;
  const facts = { hex, checks, sketches: sketchesOf(found), width, height, animated };
  return found.length ? facts : { ...facts, status: "too-plain", reason: "too-plain" };
}

async function bytesOf(file) {
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new UnreadableError("missing"); // moved or changed since it was chosen
  }
}

/** The canvas that pixels are read with, once it has proved that it changes none. */
async function canvas() {
  const found = new OffscreenCanvas(1, 1);
  trueCanvas ??= await givesTruePixels(found);
  if (!trueCanvas) throw new AlteredError("the known picture came out changed");
  return found;
}

function outcome(error) {
  if (error instanceof UnreadableError) return { status: "unreadable", reason: error.reason };
  if (error instanceof AlteredError) return { status: "altered", reason: "canvas" };
  return { status: "failed", reason: error instanceof RangeError ? "memory" : "browser" };
}
