// Pixels out of a canvas, and the proof that they are the picture's own. Brave, Tor and others add noise to what a
// canvas gives back, against fingerprinting of devices: a photo would silently not be found.

const TILE_PX = 1024;
const TILE_ROWS = 256;
/** A multiple of 8, so that no box of a reduced JPEG lies across two tiles. */
const PATTERN_PX = 32;

/** Reads pixels of bitmaps tile by tile: canvases have limits, and a phone has little memory. */
export class TileReader {
  constructor(canvas) {
    Object.assign(canvas, { width: TILE_PX, height: TILE_ROWS });
    this.context = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
    this.context.imageSmoothingEnabled = false;
  }

  /** The tiles of a picture, from the top, left to right: `[left, top, width, height]`. */
  static *tiles(width, height) {
    for (let top = 0; top < height; top += TILE_ROWS) {
      for (let left = 0; left < width; left += TILE_PX) {
        yield [left, top, Math.min(TILE_PX, width - left), Math.min(TILE_ROWS, height - top)];
      }
    }
  }

  /** @returns {Uint8ClampedArray} RGBA, drawn over white */
  read(bitmap, left, top, width, height) {
    this.context.fillStyle = "#fff";
    this.context.fillRect(0, 0, width, height);
    this.context.drawImage(bitmap, left, top, width, height, 0, 0, width, height);
    return this.context.getImageData(0, 0, width, height).data;
  }

  /** Is this tile the same when it is read again? */
  readsTwiceAlike(bitmap, ...tile) {
    return sameBytes(this.read(bitmap, ...tile), this.read(bitmap, ...tile));
  }
}

/** Does a known picture come out of this canvas as it went in? */
export async function givesTruePixels(canvas) {
  const bitmap = await createImageBitmap(new Blob([pattern()], { type: "image/bmp" }), { colorSpaceConversion: "none" });
  const read = new TileReader(canvas).read(bitmap, 0, 0, PATTERN_PX, PATTERN_PX);
  bitmap.close();
  return read.every((level, i) => level === (i % 4 === 3 ? 255 : levelAt(i >> 2, i % 4)));
}

/** Levels that look like noise, by pixel and channel: nothing plain, or a browser may leave it alone. */
const levelAt = (pixel, channel) => (Math.imul(pixel * 3 + channel + 1, 0x9e3779b1) >>> 24) & 0xff;

/** The known picture as BMP: a header, then blue, green and red of each pixel; rows from the top by the height's sign. */
function pattern() {
  const file = new Uint8Array(54 + 3 * PATTERN_PX ** 2);
  const header = new DataView(file.buffer);
  file.set([0x42, 0x4d]);
  const fields = { 2: file.length, 10: 54, 14: 40, 18: PATTERN_PX, 22: -PATTERN_PX, 26: (24 << 16) | 1 };
  for (const [at, value] of Object.entries(fields)) header.setInt32(Number(at), value, true);
  for (let i = 0; i < 3 * PATTERN_PX ** 2; i++) file[54 + i] = levelAt(Math.floor(i / 3), 2 - (i % 3));
  return file;
}

const sameBytes = (one, other) => one.every((byte, i) => byte === other[i]);
