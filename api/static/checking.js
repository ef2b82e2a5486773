// The photos that were chosen, and their private checks: one after the other, each with a card, each step in words.

import { drawPhoto, outcome, showResult, showWaiting } from "./card.js";
import { byId, numberWords, piece, say, tell, view, words } from "./page.js";
import { PrivateCheck } from "./private/check.js";

/**
 * @typedef {object} Photo
 * @property {File} file
 * @property {string} name as shown
 * @property {string | null} url to draw it from; null: it is never drawn
 * @property {HTMLElement} card
 * @property {import("./private/check.js").Result | null} result null: not checked yet
 */

export class Checking {
  /** @type {Photo[]} */
  photos = [];
  #check = null;
  #running = null;

  /**
   * @param {import("./sent.js").Sent} sent told of every request
   * @param {boolean} isIntimate nothing of a photo is drawn or named
   */
  constructor(sent, isIntimate) {
    this.sent = sent;
    this.isIntimate = isIntimate;
  }

  /** Check these photos, besides those that are there. The newest ones are shown first when it is done. */
  async add(files) {
    const added = files.map((file, i) => this.#photo(file, this.photos.length + i + 1));
    this.photos.push(...added);
    byId("cards").append(...added.map(({ card }) => card));
    await this.#run(added);
  }

  /** Ask once more for a photo that got no answer. */
  async again(photo) {
    await this.#run([photo]);
    photo.card.focus({ preventScroll: true }); // the button is gone
  }

  /** Forget all photos. */
  forget() {
    this.#running = null;
    this.#check?.close();
    this.#check = null;
    for (const { url } of this.photos) URL.revokeObjectURL(url);
    this.photos = [];
    byId("cards").replaceChildren();
  }

  /** The photo that a card shows. */
  of(element) {
    const card = element.closest(".result");
    return this.photos.find((photo) => photo.card === card);
  }

  #photo(file, number) {
    const card = piece("card");
    const name = this.isIntimate ? say("photo", { n: number }) : file.name || say("photo", { n: number });
    card.querySelector(".filename").textContent = name;
    showWaiting(card, words.waiting);
    const url = this.isIntimate ? null : URL.createObjectURL(file);
    if (url) drawPhoto(card.querySelector(".own"), url);
    return { file, name, card, result: null, url };
  }

  async #run(photos) {
    const run = (this.#running = {});
    const check = this.#open();
    for (const photo of photos) {
      check.onStep = (name, detail) => this.#tell(photo, photos, name, detail);
      const result = await check.photo(photo.file);
      if (this.#running !== run) return;
      photo.result = result;
      showResult(photo.card, photo, this.isIntimate);
      this.sent.show();
    }
    tell(byId("status"), summary(photos));
  }

  #open() {
    if (this.#check) return this.#check;
    this.#check = new PrivateCheck({ bytesMax: Number(byId("chooser").dataset.bytesMax) });
    this.sent.follow(this.#check);
    return this.#check;
  }

  #tell(photo, photos, name, detail) {
    this.sent.show();
    if (name === "done") return;
    const rows = name === "comparing" ? detail?.compared : undefined;
    const step = rows === undefined ? words[`step-${name}`] : say("step-comparing-rows", { n: numberWords(rows) });
    showWaiting(photo.card, step);
    const [n, of] = [photos.indexOf(photo) + 1, photos.length];
    tell(byId("status"), of === 1 ? step : say("of-photos", { n, of, step }));
  }
}

function summary(photos) {
  if (photos.length === 1) {
    const heading = photos[0].card.querySelector("[data-slot=heading]").textContent;
    return outcome(photos[0].result) === "none" ? heading : say("done", { result: heading });
  }
  const happened = photos.map(({ result }) => outcome(result));
  const number = (wanted) => happened.filter((one) => one === wanted).length;
  const [found, possible, missed, failed] = ["found", "possible", "missed", "none"].map(number);
  return say("done-many", { found, possible, missed, failed });
}

/** Show the results, and bring the reader to the first of these. */
export function showCards([first]) {
  view("results");
  first?.card.focus({ preventScroll: true });
  first?.card.scrollIntoView({ block: "nearest" });
}
