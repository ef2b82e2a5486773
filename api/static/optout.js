// Saying no, in four screens: photos, what to say no to, who gets it, record. Nothing is sent before the last button.

import { mayBeRecorded } from "./card.js";
import { byId, count, numberWords, piece, problemSentence, say, show, SPEAKING, tell, words } from "./page.js";

const STEPS = 4;

/**
 * @typedef {object} Recorded one answer of `POST /v1/opt-outs`, or why there is none
 * @property {import("./checking.js").Photo[]} photos
 * @property {object | null} answer
 * @property {string} trouble
 */

export class OptOut {
  #step = 1;
  #photos = [];

  /**
   * @param {import("./sent.js").Sent} sent
   * @param {{ onRecorded: (recorded: Recorded[]) => void, onLeave: () => void }} handlers onLeave: back from the first screen
   */
  constructor(sent, { onRecorded, onLeave }) {
    Object.assign(this, { sent, onRecorded, onLeave, form: byId("no-form"), status: byId("no-status") });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#forward();
    });
    this.form.querySelector("[data-act=back]").addEventListener("click", () => this.#back());
    byId("picked").addEventListener("change", () => this.#showCodes());
  }

  /**
   * Begin, or begin again with more photos.
   * @param {import("./checking.js").Photo[]} photos all that were chosen
   * @param {import("./checking.js").Photo[]} ticked those of them that the no is about, until their owner changes it
   */
  begin(photos, ticked) {
    this.#photos = photos.filter(({ result }) => result);
    byId("picked").replaceChildren(...this.#photos.map((photo) => pictureRow(photo, ticked.includes(photo))));
    byId("mine").checked = false;
    this.#showCodes();
    this.#go(1);
  }

  /** The photos that are ticked. */
  get picked() {
    const ticks = [...this.form.querySelectorAll("[name=picture]")];
    return this.#photos.filter((_, i) => ticks[i].checked);
  }

  get #uses() {
    return [...this.form.querySelectorAll("[name=use]:checked")];
  }

  /** Is the photo itself to be sent? Where the browser made no code of one, there is no other way. */
  get #sendsPhotos() {
    return this.form.elements.code.value === "photo";
  }

  #showCodes() {
    const isNeeded = this.picked.some(({ result }) => !result.code);
    const [plain, photo] = ["plain", "photo"].map((name) => byId("codes").querySelector(`[data-code=${name}]`));
    show(plain, !isNeeded);
    show(photo, isNeeded || byId("codes").dataset.strong === "yes");
    this.form.elements.code.value = isNeeded ? "photo" : "plain";
  }

  #go(step) {
    this.#step = step;
    for (const part of this.form.querySelectorAll("[data-step]")) show(part, Number(part.dataset.step) === step);
    for (const button of this.form.querySelectorAll("[data-go]")) show(button, (button.dataset.go === "record") === (step === STEPS));
    tell(this.status, "");
    if (step === STEPS) this.#showLast();
    byId(`step-${step}`).focus();
  }

  #back() {
    if (this.#step === 1) this.onLeave();
    else this.#go(this.#step - 1);
  }

  #forward() {
    const trouble = this.#missing();
    if (trouble) return void tell(this.status, trouble, true);
    if (this.#step < STEPS) this.#go(this.#step + 1);
    else this.#record();
  }

  #missing() {
    if (this.#step === 1 && !this.picked.length) return words["photos-first"];
    if (this.#step === 1 && !byId("mine").checked) return words["mine-first"];
    return this.#step === 2 && !this.#uses.length ? words["uses-first"] : "";
  }

  #showLast() {
    const last = (name) => this.form.querySelector(`[data-last=${name}]`);
    const photos = this.picked;
    last("photos").textContent = photos.map(({ name }) => name).join(", ");
    last("uses").textContent = this.#uses.map((tick) => tick.nextElementSibling.textContent).join(", ");
    last("sent").textContent = count(this.#sendsPhotos ? "send-photos" : "send-codes", photos.length);
  }

  async #record() {
    const button = this.form.querySelector("[data-go=record]");
    button.disabled = true;
    tell(this.status, words.recording);
    const recorded = this.#sendsPhotos ? await this.#recordPhotos() : [await this.#recordCodes()];
    button.disabled = false;
    const [first] = recorded;
    if (recorded.every(({ answer }) => !answer)) return void tell(this.status, first.trouble, true);
    this.onRecorded(recorded);
  }

  /** One no for all photos, from the codes that were made here. */
  #recordCodes() {
    const photos = this.picked;
    const pictures = photos.map(({ result }) => ({ codes: { phash256: result.code } }));
    const body = JSON.stringify({ pictures, uses: this.#uses.map(({ value }) => value) });
    return this.#post(photos, "", count("request-no-codes", photos.length), body, "application/json");
  }

  /** A no for each photo, which is sent. */
  async #recordPhotos() {
    const photos = this.picked;
    const query = `?uses=${this.#uses.map(({ value }) => value).join(",")}`;
    const recorded = [];
    for (const photo of photos) {
      const n = numberWords(recorded.length + 1);
      if (photos.length > 1) tell(this.status, say("recording-of", { n, of: numberWords(photos.length) }));
      const type = photo.file.type || "application/octet-stream";
      recorded.push(await this.#post([photo], query, words["request-no-photo"], photo.file, type));
    }
    return recorded;
  }

  /** @returns {Promise<Recorded>} */
  async #post(photos, query, what, body, type) {
    const headers = { "Content-Type": type, Accept: "application/json", ...SPEAKING };
    const response = await this.sent.send(`/v1/opt-outs${query}`, what, { method: "POST", body, headers });
    if (!response) return { photos, answer: null, trouble: words.offline };
    if (!response.ok) return { photos, answer: null, trouble: await problemSentence(response) };
    return { photos, answer: await response.json(), trouble: "" };
  }
}

function pictureRow({ name, url, result }, isTicked) {
  const row = piece("picture");
  const [tick, picture, note] = [row.querySelector("input"), row.querySelector("img"), row.querySelector(".note")];
  const allowed = mayBeRecorded(result);
  Object.assign(tick, { checked: allowed && isTicked, disabled: !allowed });
  picture.addEventListener("error", () => show(picture, false));
  if (allowed) picture.src = url;
  show(picture, allowed);
  row.querySelector(".name").textContent = name;
  if (!allowed) note.textContent = words[result.status === "too-plain" ? "picked-plain" : "picked-unreadable"];
  else if (!result.code) note.textContent = words["picked-codeless"];
  return row;
}
