// The picture inside of a picture: a photo in a screenshot, under a caption, before its own blurred enlargement. The
// guesses, thresholds and order of checker/fingerprint/inner.py, which says why.

import { medianLevel, roundEven } from "./numbers.js";
import { Rectangle } from "./rectangle.js";

const [CELLS, SIDE_PX_MIN, GUESSES_MAX] = [64, 48, 3];
const [COLOUR_LEVELS, COLOUR_SHARE_MIN, DETAIL_LEVELS_MIN] = [12, 0.08, 3];
const [SHARE_MIN, SHARE_MAX, FILLS_SHARE_MIN] = [0.08, 0.95, 0.9];
const [EVENED_SHARE_MIN, SLIVER_SHARE_MAX] = [0.5, 0.03];
const [CLEAR_EDGE_SHARE_MIN, EDGE_STRENGTH_MIN] = [0.45, 0.35];

/**
 * The picture-like rectangles of a view, the best guess first.
 * @param {import("./resample.js").Plane[]} view red, green, blue
 * @returns {{ box: Rectangle, clear: boolean }[]} at most three that differ; clear: straight edges stand around it
 */
export function innerPictures(view) {
  const { width, height } = view[0];
  if (Math.min(width, height) < 2 * SIDE_PX_MIN) return [];
  const reach = Math.max(2, roundEven((1.2 * Math.max(width, height)) / CELLS));
  const [rows, columns] = [height, width].map((side) => cellCount(side, Math.max(width, height)));
  const found = [];
  for (const cells of [unlikeSurroundings(view, rows, columns), detailed(view, rows, columns)]) {
    const rough = cells && best(cells, width, height);
    if (!rough) continue;
    const box = snapped(view, rough, reach);
    const clear = edgeShare(view, box) >= CLEAR_EDGE_SHARE_MIN;
    const even = evened(box, width);
    const fills = even.width === width && box.width >= FILLS_SHARE_MIN * width;
    for (const guess of fills ? [even, box] : [box, even]) {
      const share = guess.area / (width * height);
      const fits = share >= SHARE_MIN && share <= SHARE_MAX && Math.min(guess.width, guess.height) >= SIDE_PX_MIN;
      if (fits && found.every((other) => !guess.equals(other.box))) found.push({ box: guess, clear });
    }
  }
  return found.slice(0, GUESSES_MAX);
}

// --- marks, cell by cell ----------------------------------------------------------------------------------------

const cellCount = (side, longest) => Math.max(1, Math.min(roundEven((side * CELLS) / longest), Math.floor(side / 4)));

const edges = (side, count) => Array.from({ length: count + 1 }, (_, i) => roundEven((i * side) / count));

/** Above 0 for cells of other colours than the commonest one, below for cells of that colour. */
function unlikeSurroundings(view, rows, columns) {
  const { width, height } = view[0];
  const small = { width: Math.ceil(width / 2), height: Math.ceil(height / 2) };
  const planes = view.map(({ data }) => {
    const place = (i) => 2 * Math.floor(i / small.width) * width + 2 * (i % small.width);
    return Uint8Array.from({ length: small.width * small.height }, (_, i) => data[place(i)]);
  });
  const [red, green, blue] = planes;
  const keys = Uint16Array.from(red, (level, i) => ((level >> 3) << 10) | ((green[i] >> 3) << 5) | (blue[i] >> 3));
  const counts = new Uint32Array(1 << 15);
  for (const key of keys) counts[key]++;
  const commonest = counts.reduce((most, count, key) => (count > counts[most] ? key : most), 0);
  const colour = planes.map((levels) => medianLevel(levels.filter((_, i) => keys[i] === commonest)));
  const like = keys.map((_, i) => planes.every((levels, channel) => Math.abs(levels[i] - colour[channel]) <= COLOUR_LEVELS));
  if (like.reduce((sum, is) => sum + is, 0) / like.length < COLOUR_SHARE_MIN) return null;
  const grid = cellMeans(like, small.width, small.height, rows, columns);
  return { ...grid, values: grid.values.map((share) => (share > 0.5 ? -1.5 * share : 1 - share)) };
}

/** Above 0 for cells with fine detail, below for cells without. */
function detailed([red, green, blue], rows, columns) {
  const { width, height } = red;
  const grey = Int16Array.from(red.data, (level, i) => level + green.data[i] + blue.data[i]);
  const steps = new Uint16Array((width - 1) * (height - 1));
  for (let y = 1, i = 0; y < height; y++) {
    for (let x = 1; x < width; x++, i++) {
      const at = y * width + x;
      steps[i] = Math.abs(grey[at] - grey[at - width]) + Math.abs(grey[at] - grey[at - 1]);
    }
  }
  const grid = cellMeans(steps, width - 1, height - 1, rows, columns);
  return { ...grid, values: grid.values.map((mean) => Math.min(1, Math.max(-1, mean / 6 / DETAIL_LEVELS_MIN - 1))) };
}

/** Means over the cells of a coarse grid. */
function cellMeans(values, width, height, rows, columns) {
  const [down, across] = [edges(height, rows), edges(width, columns)];
  const means = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let y = down[row]; y < down[row + 1]; y++) {
        for (let x = across[column]; x < across[column + 1]; x++) sum += values[y * width + x];
      }
      means[row * columns + column] = sum / ((down[row + 1] - down[row]) * (across[column + 1] - across[column]));
    }
  }
  return { values: means, rows, columns };
}

/** The rectangle of cells with the largest sum: Kadane's scan over every pair of rows. Null: none is above 0. */
function best({ values, rows, columns }, width, height) {
  const sums = new Float64Array((rows + 1) * columns);
  for (let i = 0; i < values.length; i++) sums[i + columns] = sums[i] + values[i];
  let [most, found] = [0, null];
  for (let first = 0; first < rows; first++) {
    for (let last = first + 1; last <= rows; last++) {
      let [running, start] = [0, 0];
      for (let column = 0; column < columns; column++) {
        if (running <= 0) [running, start] = [0, column];
        running += sums[last * columns + column] - sums[first * columns + column];
        if (running > most) [most, found] = [running, [start, first, column + 1, last]];
      }
    }
  }
  if (!found) return null;
  const [across, down] = [edges(width, columns), edges(height, rows)];
  return new Rectangle(across[found[0]], down[found[1]], across[found[2]], down[found[3]]);
}

// --- sides ------------------------------------------------------------------------------------------------------

/** The largest step of any channel. */
const step = (view, at, before) => Math.max(...view.map(({ data }) => Math.abs(data[at] - data[at - before])));

/** How colours change between two columns (else rows) along a side: the share that changes, the mean step in levels. */
function change(view, box, across, at) {
  const { width } = view[0];
  const [from, to] = across ? [box.top, box.bottom] : [box.left, box.right];
  let [far, sum] = [0, 0];
  for (let i = from; i < to; i++) {
    const size = across ? step(view, i * width + at, 1) : step(view, at * width + i, width);
    far += size > COLOUR_LEVELS ? 1 : 0;
    sum += size;
  }
  return { share: far / (to - from), mean: sum / (to - from) };
}

/** Share of the rectangle's sides along which colours change; sides on the picture's own edge do not count. */
function edgeShare(view, box) {
  const { width, height } = view[0];
  const sides = [[true, box.left, width], [true, box.right, width], [false, box.top, height], [false, box.bottom, height]];
  const inside = sides.filter(([, at, side]) => at > 0 && at < side);
  const shares = inside.map(([across, at]) => change(view, box, across, at).share);
  return shares.length ? shares.reduce((sum, share) => sum + share, 0) / shares.length : 0;
}

/** Each side moved to the line near it where colours change most along the whole side. */
function snapped(view, box, reach) {
  for (let round = 0; round < 2; round++) {
    const [left, right] = [edge(view, box, true, box.left, reach), edge(view, box, true, box.right, reach)];
    const [top, bottom] = [edge(view, box, false, box.top, reach), edge(view, box, false, box.bottom, reach)];
    if (right - left < SIDE_PX_MIN || bottom - top < SIDE_PX_MIN) return box;
    box = new Rectangle(left, top, right, bottom);
  }
  return box;
}

function edge(view, box, across, at, reach) {
  const side = across ? view[0].width : view[0].height;
  let [strongest, place] = [-1, 0];
  for (let line = Math.max(1, at - reach); line <= Math.min(side - 1, at + reach); line++) {
    const { share, mean } = change(view, box, across, line);
    if (share + mean / 255 > strongest) [strongest, place] = [share + mean / 255, line];
  }
  if (strongest >= EDGE_STRENGTH_MIN) return place;
  return at <= reach ? 0 : at + reach >= side ? side : at;
}

/** The rectangle with margins as wide on one side as on the other; a sliver of a margin is none. */
function evened(box, width) {
  if (box.width < EVENED_SHARE_MIN * width) return box;
  const margin = Math.min(box.left, width - box.right);
  const wide = margin < SLIVER_SHARE_MAX * width ? 0 : margin;
  return new Rectangle(wide, box.top, width - wide, box.bottom);
}
