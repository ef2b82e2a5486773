// "See exactly what is sent": every request that this page makes, in words and in order. It shows the records that the
// requests themselves are made with, so it cannot say less than was asked.

import { amountWords, ask, byId, say, show } from "./page.js";

/** @typedef {{ method: string, path: string, status: number, bytes: number, sketch?: string|null, what?: string }} Asked */

export class Sent {
  /** @type {Asked[]} */
  #all = [];
  #check = null;
  #taken = 0;

  constructor() {
    byId("panel").addEventListener("toggle", () => this.show());
  }

  /** Tell what a private check asks from now on. */
  follow(check) {
    this.#take();
    [this.#check, this.#taken] = [check, 0];
  }

  /**
   * Send something that is more than a question for codes, and tell of it.
   * @param {string} what it is, in words
   * @returns {Promise<Response | null>} null: nobody could be reached
   */
  async send(path, what, options) {
    const asked = { method: options.method ?? "GET", path, status: 0, bytes: 0, what };
    this.#take();
    this.#all.push(asked);
    const response = await ask(path, options);
    if (response) Object.assign(asked, { status: response.status, bytes: (await response.clone().arrayBuffer()).byteLength });
    this.show();
    return response;
  }

  show() {
    this.#take();
    show(byId("panel-nothing"), !this.#all.length);
    byId("requests").replaceChildren(...this.#all.map(line));
  }

  #take() {
    const requests = this.#check?.requests ?? [];
    this.#all.push(...requests.slice(this.#taken));
    this.#taken = requests.length;
  }
}

function line({ method, path, status, bytes, sketch, what }) {
  const [item, request] = [document.createElement("li"), document.createElement("code")];
  request.textContent = `${method} ${path}`;
  const said = what ?? (sketch ? say("request-piece", { piece: sketch }) : say("request-list"));
  item.append(request, ` ${said}; ${answered(status, bytes)}`);
  return item;
}

function answered(status, bytes) {
  if (!status) return say("request-none");
  if (status >= 400) return say("request-status", { status });
  return say("request-bytes", { bytes: bytes < 1000 ? amountWords(bytes, "byte") : amountWords(bytes / 1000, "kilobyte") });
}
