// What kind of file this is and whether it is whole, from its bytes, before any decoder sees it: browsers draw cut-off
// photos grey from there on and say nothing. Formats, limits and reasons are those of checker/fingerprint/decode.py and
// bounds.py.

import { orientationIn } from "./exif.js";

export const [JPEG, PNG] = ["image/jpeg", "image/png"];
const [JPEG_PASSES_MAX, JPEG_METADATA_SEGMENTS_MAX, PNG_CHUNKS_MAX] = [100, 600, 100_000];
const [JPEG_PIXELS_MAX, OTHER_PIXELS_MAX] = [50_000_000, 24_000_000];

/** Why a file cannot be read: `reason` is a machine name. */
export class UnreadableError extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

/**
 * The outline of a file: media type, size as stored, the EXIF turn and where it stands, whether a colour profile is to be
 * applied, and whether further frames follow.
 * @param {Uint8Array} bytes
 * @throws {UnreadableError} not read, cut off, damaged, or too costly to decode
 */
export function readContainer(bytes) {
  if (!bytes.length) throw new UnreadableError("empty");
  const read = READERS.find(([is]) => is(bytes))?.[1];
  if (!read) throw new UnreadableError(otherKind(bytes));
  const container = read(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
  if (!container.width || !container.height) throw new UnreadableError("damaged");
  const pixels = container.width * container.height;
  if (pixels > (container.type === JPEG ? JPEG_PIXELS_MAX : OTHER_PIXELS_MAX)) throw new UnreadableError("too-large");
  return container;
}

const outline = (type) => ({ type, width: 0, height: 0, orientation: null, profile: false, animated: false });
const ascii = (bytes, at, length) => String.fromCharCode(...bytes.subarray(at, at + length));
const begins = (...signature) => (bytes) => signature.every((byte, i) => bytes[i] === byte);
const isWebp = (bytes) => ascii(bytes, 0, 4) === "RIFF" && ascii(bytes, 8, 4) === "WEBP";

const READERS = [
  [begins(0xff, 0xd8, 0xff), readJpeg],
  [begins(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a), readPng],
  [begins(0x47, 0x49, 0x46, 0x38), readGif],
  [isWebp, readWebp],
];

function otherKind(bytes) {
  if (ascii(bytes, 4, 4) === "ftyp") {
    const brands = ascii(bytes, 8, 56);
    return /^(hei[cxfms]|hev|mif1|msf1)/.test(brands) && !/avi[fs]/.test(brands) ? "heic" : "format-not-read";
  }
  return /^(II\*\0|MM\0\*|8BPS|%PDF|BM)/.test(ascii(bytes, 0, 4)) ? "format-not-read" : "not-a-picture";
}

// --- JPEG: segments, then passes (ITU-T T.81 B.1) ---------------------------------------------------------------

const isAlone = (marker) => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
const isFrame = (marker) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

function readJpeg(bytes, view) {
  const found = outline(JPEG);
  let [passes, segments, at] = [0, 0, 2];
  while ((at = bytes.indexOf(0xff, at)) >= 0 && at + 1 < bytes.length) {
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    at += 2;
    if (marker === 0xd9) return found;
    if (marker === 0 || isAlone(marker)) continue;
    if (at + 2 > bytes.length) break;
    const length = Math.max(2, view.getUint16(at));
    const [body, end] = [at + 2, Math.min(at + length, bytes.length)];
    if (isFrame(marker) && end >= body + 5) [found.height, found.width] = [view.getUint16(body + 1), view.getUint16(body + 3)];
    if (marker === 0xe1 && ascii(bytes, body, 6) === "Exif\0\0") found.orientation ??= orientationIn(view, body + 6, end);
    if (marker === 0xe2 && ascii(bytes, body, 11) === "ICC_PROFILE") found.profile = true;
    passes += marker === 0xda ? 1 : 0;
    segments += marker === 0xfe || (marker >= 0xe0 && marker <= 0xef) ? 1 : 0;
    if (passes > JPEG_PASSES_MAX || segments > JPEG_METADATA_SEGMENTS_MAX) throw new UnreadableError("too-large");
    at += length;
  }
  throw new UnreadableError("cut-off");
}

// --- PNG: chunks (PNG, third edition, 5.3) ----------------------------------------------------------------------

function readPng(bytes, view) {
  const found = outline(PNG);
  let [pixels, deepGrey] = [false, false];
  for (let at = 8, count = 0; at + 8 <= bytes.length; count++) {
    if (count > PNG_CHUNKS_MAX) throw new UnreadableError("too-large");
    const [length, name, body] = [view.getUint32(at), ascii(bytes, at + 4, 4), at + 8];
    const whole = body + length <= bytes.length;
    if (name === "IDAT") pixels = true;
    if (!whole && name === "IDAT") throw new UnreadableError("cut-off");
    if (!whole) break;
    if (name === "IHDR" && length >= 13) {
      [found.width, found.height] = [view.getUint32(body), view.getUint32(body + 4)];
      deepGrey = bytes[body + 8] === 16 && bytes[body + 9] === 0;
    }
    if (name === "eXIf") found.orientation ??= orientationIn(view, body, body + length);
    if (name === "iCCP") found.profile = true;
    if (name === "acTL" && length >= 8) found.animated = view.getUint32(body) > 1;
    if (name === "IEND") break;
    at = body + length + 4;
  }
  // Before the limits on pixels: those of a file that only claims to have them are told as too many.
  if (!pixels && found.width * found.height <= OTHER_PIXELS_MAX) throw new UnreadableError("cut-off");
  // Pillow applies no profile to grey of 16 bits.
  return { ...found, profile: found.profile && !deepGrey };
}

// --- GIF: blocks up to the second frame (GIF89a, 17-26) ---------------------------------------------------------

function readGif(bytes, view) {
  const found = outline("image/gif");
  if (bytes.length < 13) throw new UnreadableError("damaged");
  [found.width, found.height] = [view.getUint16(6, true), view.getUint16(8, true)];
  const colours = (flags) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  const afterBlocks = (at) => {
    while (bytes[at]) at += bytes[at] + 1;
    return at + 1;
  };
  let [at, frames] = [13 + colours(bytes[10]), 0];
  while (at < bytes.length) {
    if (bytes[at] === 0x21) at = afterBlocks(at + 2);
    else if (bytes[at] === 0x2c) {
      if (frames) return { ...found, animated: true };
      at = afterBlocks(at + 11 + colours(bytes[at + 9]));
      if (at > bytes.length) break;
      frames++;
    } else break;
  }
  if (!frames) throw new UnreadableError(at < bytes.length ? "damaged" : "cut-off");
  return found;
}

// --- WebP: chunks in RIFF (RFC 9649, 2.3-2.7) -------------------------------------------------------------------

function readWebp(bytes, view) {
  const found = outline("image/webp");
  if (bytes.length < 30 || view.getUint32(4, true) + 8 > bytes.length) throw new UnreadableError("cut-off");
  for (let at = 12; at + 8 <= bytes.length; ) {
    const [name, length, body] = [ascii(bytes, at, 4), view.getUint32(at + 4, true), at + 8];
    const end = Math.min(body + length, bytes.length);
    if (!found.width && end >= body + 10) [found.width, found.height] = webpSize(name, view, body);
    if (name === "VP8X") found.animated = (bytes[body] & 0x02) !== 0;
    if (name === "ICCP") found.profile = true;
    if (name === "EXIF") {
      const start = ascii(bytes, body, 6) === "Exif\0\0" ? body + 6 : body;
      found.orientation ??= orientationIn(view, start, end);
    }
    at = body + length + (length & 1);
  }
  return found;
}

function webpSize(name, view, body) {
  const three = (at) => view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
  if (name === "VP8X") return [three(body + 4) + 1, three(body + 7) + 1];
  if (name === "VP8 ") return [view.getUint16(body + 6, true) & 0x3fff, view.getUint16(body + 8, true) & 0x3fff];
  if (name !== "VP8L") return [0, 0];
  const bits = view.getUint32(body + 1, true);
  return [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
}
