// The receipts page: a withdraw code in, how it stands out. The code travels in a header, never in an address.

import { askAbout, byId, saveReceipt, saveReceiptPage, show, tell, words } from "./page.js";

const form = byId("ask");
const status = byId("status");
const CODE = /hibs-w1-[0-9A-Z]{32}/i;
const NUMBER = /\b[0-9A-Z]{4}-[0-9A-Z]{4}\b/i;
let asked = null;
show(form);
tell(status, words["begin-receipts"]);

/** The QR code of a receipt leads here with its number behind a `#`, which no browser sends. */
function readFragment() {
  const number = location.hash.slice(1);
  if (!/^[0-9A-Z]{4}-[0-9A-Z]{4}$/i.test(number)) return;
  byId("number").value = number.toUpperCase();
  tell(status, words["number-there"]);
}
readFragment();
window.addEventListener("hashchange", readFragment);

byId("code-file").addEventListener("click", (event) => (event.target.value = ""));
byId("code-file").addEventListener("change", async (event) => {
  const file = event.target.files[0];
  if (!file) return;
  const text = await file.slice(0, 4096).text();
  const code = text.match(CODE);
  // What stands in the file counts: whoever saves it may name it as they like.
  const number = text.replace(CODE, "").match(NUMBER) ?? file.name.match(NUMBER);
  if (!code && text.trimStart().startsWith("{")) return void tell(status, words["is-receipt"], true);
  if (!code || !number) return void tell(status, words["no-code"], true);
  byId("code").value = code[0];
  byId("number").value = number[0].toUpperCase();
  await showStanding();
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  showStanding();
});

/** Ask with what is typed in, and show the answer. */
async function showStanding(sentence = words["status-shown"]) {
  tell(status, words.asking);
  show(byId("result"), false);
  asked = [byId("number").value.trim(), byId("code").value.trim()];
  const [response, trouble] = await askAbout(...asked, "", { accept: "text/html" });
  if (!response) return void tell(status, trouble, true);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  byId("standing").replaceChildren(...page.body.children);
  show(byId("result"));
  tell(status, sentence);
  byId("result").focus();
}

const ACTS = {
  withdraw: () => end("", words.withdrawn),
  erase: () => end("?erase=true", words.erased),
  "save-page": async () => tell(status, ...(await saveReceiptPage(...asked))),
  "save-receipt": async () => {
    const [response, trouble] = await askAbout(...asked, "/receipt");
    if (!response) return void tell(status, trouble, true);
    saveReceipt(await response.json());
    tell(status, words.saved);
  },
};
byId("result").addEventListener("click", async (event) => {
  const button = event.target.closest("[data-act]");
  if (!button) return;
  button.disabled = true;
  await ACTS[button.dataset.act]();
  button.disabled = false;
});

async function end(query, sentence) {
  const [response, trouble] = await askAbout(...asked, query, { method: "DELETE" });
  if (!response) return void tell(status, trouble, true);
  await showStanding(sentence);
}
