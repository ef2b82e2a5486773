// What one takes home: number, place in the list, receipt and withdraw code. The page forgets them when it is left, so it
// asks before that while a withdraw code was not saved.

import { byId, dayWords, link, numberWords, piece, say, show, tell, words } from "./page.js";
import { save, saveReceipt, saveReceiptPage, stayWhile } from "./page.js";

const unsaved = new Set();
stayWhile(() => unsaved.size > 0);

/** Is there a withdraw code that would be lost? */
export const isUnsaved = () => unsaved.size > 0;

/**
 * Show what was recorded, and of the rest why not.
 * @param {import("./optout.js").Recorded[]} recorded
 * @param {import("./sent.js").Sent} sent
 */
export function showRecorded(recorded, sent) {
  byId("recorded").replaceChildren(...recorded.map((one) => (one.answer ? receiptCard(one, sent) : failedCard(one))));
  const made = recorded.filter(({ answer }) => answer);
  const isHeld = made.every(({ answer }) => answer.held);
  for (const part of byId("done").querySelectorAll(":scope > [data-done]")) show(part, !isHeld);
  const sentence = isHeld ? words.held : words.recorded;
  const [n, of] = [made.length, recorded.length];
  tell(byId("done-status"), n < of ? `${say("recorded-some", { n, of })} ${sentence}` : sentence, n < of);
}

function receiptCard({ photos, answer }, sent) {
  const card = piece("receipt");
  const { number, receipt, held } = answer;
  for (const part of card.querySelectorAll("[data-done]")) show(part, (part.dataset.done === "held") === held);
  const fact = (name, text) => (card.querySelector(`[data-fact=${name}]`).textContent = text);
  card.querySelector(".number").textContent = number;
  fact("photos", photos.map(({ name }) => name).join(", "));
  fact("when", dayWords(new Date().toISOString(), true));
  if (receipt) fact("entry", numberWords(receipt.index));
  for (const [name, address] of [["address", `${link("/receipts")}#${number}`], ["alerts", answer.alerts]]) {
    fact(name, address);
    card.querySelector(`[data-save=${name}]`).dataset.copy = address;
  }
  unsaved.add(number);
  card.addEventListener("click", ({ target }) => saveOne(target.closest("[data-save]")?.dataset.save, answer, sent));
  return card;
}

async function saveOne(what, { number, receipt, withdraw_code: code, withdraw_text: text }, sent) {
  const status = byId("done-status");
  if (what === "code") {
    save(`${number}.withdraw.txt`, text, "text/plain");
    unsaved.delete(number);
    tell(status, words["code-saved"]);
  } else if (what === "receipt") {
    saveReceipt(receipt);
    tell(status, words.saved);
  } else if (what === "page") {
    tell(status, words.saving);
    const by = (path, options) => sent.send(path, words["request-receipt"], options);
    tell(status, ...(await saveReceiptPage(number, code, by)));
  }
}

function failedCard({ photos, trouble }) {
  const card = piece("failed");
  card.querySelector(".name").textContent = photos.map(({ name }) => name).join(", ");
  card.querySelector(".why").textContent = trouble;
  return card;
}
