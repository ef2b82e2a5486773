// What every page has: leaving quickly, copying an address, and a few functions for the other scripts.
// Nothing is stored in the browser: no cookie, no local storage.

const page = document.documentElement;
const locale = page.lang === "en" ? "en-GB" : page.lang;
export const words = JSON.parse(document.getElementById("words").textContent);
export const byId = (id) => document.getElementById(id);

/** What every request carries: pages and errors are answered in the reader's language. */
export const SPEAKING = { "Accept-Language": page.lang };

/** The text of a key, with `{name}` filled in. */
export const say = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

/** The counted text of a key, with `{n}` as people write it. */
export const count = (key, n, values) => say(`${key}.${n === 1 ? "one" : "other"}`, { n: numberWords(n), ...values });

export const numberWords = (n) => new Intl.NumberFormat(locale).format(n);

/** `4 minutes`, `48 kilobytes`, as the reader's language writes it. */
export const amountWords = (n, unit) =>
  new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 0 }).format(n);

/** The address of a page of ours, in the reader's language. */
export const link = (path) => `${location.origin}${page.dataset.base}${path}`;

export function show(element, visible = true) {
  element.hidden = !visible;
}

/** A new copy of what a `<template>` holds. */
export const piece = (id) => byId(id).content.firstElementChild.cloneNode(true);

/** Show what belongs to one state of the page, and hide what belongs to others. */
export function view(name) {
  byId("content").dataset.view = name;
  for (const part of document.querySelectorAll("[data-views]")) show(part, part.dataset.views === name);
  scrollTo(0, 0);
}

/** Save `text` as a file on the device. */
export function save(name, text, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The receipt file. It has one spelling, byte for byte: ASCII, two spaces of indent, a line feed at the end. */
export function saveReceipt(receipt) {
  const text = JSON.stringify(receipt, null, 2);
  const ascii = text.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  save(`${receipt.number}.receipt.json`, `${ascii}\n`, "application/json");
}

/** Ask this service something; null: nobody could be reached. No cookie goes along, and nothing is kept. */
export async function ask(path, options) {
  try {
    return await fetch(path, { ...options, credentials: "omit", cache: "no-store" });
  } catch {
    return null;
  }
}

/**
 * Ask about an opt-out. The code travels in a header, never in an address.
 * @returns {[Response | null, string]} the answer, or null and a sentence of what went wrong.
 */
export async function askAbout(number, code, path = "", { method = "GET", accept = "application/json", by = ask } = {}) {
  const headers = { Authorization: `Receipt ${code}`, Accept: accept, ...SPEAKING };
  const response = await by(`/v1/opt-outs/${encodeURIComponent(number)}${path}`, { method, headers });
  if (!response) return [null, words["failed-receipts"]];
  return response.ok ? [response, ""] : [null, await problemSentence(response)];
}

/** Save the receipt to read and to print; the sentence to show, and whether it is one of trouble. */
export async function saveReceiptPage(number, code, by = ask) {
  const [response, trouble] = await askAbout(number, code, "/receipt", { accept: "text/html", by });
  if (!response) return [trouble, true];
  save(`${number}.receipt.html`, await response.text(), "text/html");
  return [words.saved, false];
}

/** The sentence of an error answer (RFC 9457): what happened, then what to do. */
export async function problemSentence(response) {
  try {
    const problem = await response.json();
    return `${problem.detail} ${problem.next}`;
  } catch {
    // Something in between answered, a proxy for one: the status is all there is.
    return words[`status-${response.status}`] ?? words.failed;
  }
}

/** `2026-11-22T14:03:00Z` as the reader's language writes it, with the month as a word. */
export function dayWords(text, withTime = false) {
  const day = { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" };
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" };
  return new Intl.DateTimeFormat(locale, withTime ? { ...day, ...time } : day).format(new Date(text));
}

/** Show a sentence of trouble where it is seen: stronger than the others. */
export function tell(place, sentence, trouble = false) {
  place.textContent = sentence;
  place.classList.toggle("trouble", trouble);
}

const staying = new Set();
/** Ask before this page is left while `reason()` is true; leaving quickly never asks. */
export function stayWhile(reason) {
  staying.add(reason);
}
window.addEventListener("beforeunload", (event) => {
  if ([...staying].some((reason) => reason())) event.preventDefault();
});

function leave() {
  staying.clear();
  // A page without an address of its own takes the place of this one in the history.
  page.replaceChildren();
  location.replace("about:blank");
}

let escapes = [];
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  escapes = [...escapes.filter((at) => event.timeStamp - at < 2000), event.timeStamp];
  if (escapes.length >= 3) leave();
});
byId("leave").addEventListener("click", leave);
show(byId("leave"));

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = words.copied;
  } catch {
    // Without a secure connection there is no clipboard: mark the text, so that the keyboard can copy it.
    getSelection().selectAllChildren(button.parentElement.querySelector("code"));
  }
});
