// The start page: choose, send on a click, read the answer, say no. The photo lives in this page and nowhere else.

import { byId, dayWords, problemSentence, save, saveReceipt, saveReceiptPage, show, stayWhile, tell, words } from "./page.js";

const form = byId("chooser");
const input = byId("photo");
const status = byId("status");
const answer = byId("answer");
const preview = byId("preview");
let photo = null;
let receipt = null;
let codeSaved = true;
stayWhile(() => !codeSaved);

if (form) {
  show(form);
  tell(status, words.begin);
}

// --- choose -----------------------------------------------------------------------------------------------------

function choose(file) {
  if (!file) return;
  if (!codeSaved) return void tell(status, words["save-first"], true);
  const trouble = unusable(file);
  photo = trouble ? null : file;
  for (const part of [answer, byId("filename")]) part.replaceChildren();
  for (const part of ["no", "done"]) show(byId(part), false);
  for (const part of ["ground", "sent"]) show(byId(part));
  byId("mine").checked = false;
  form.classList.toggle("chosen", photo !== null);
  for (const part of form.querySelectorAll("[data-when]")) show(part, (part.dataset.when === "chosen") === (photo !== null));
  show(byId("send"), photo !== null);
  URL.revokeObjectURL(preview.src);
  show(preview, photo !== null);
  tell(status, trouble ?? words.chosen, trouble !== null);
  if (!photo) return;
  byId("filename").textContent = photo.name;
  preview.src = URL.createObjectURL(photo);
  byId("send").focus();
}

/** Why this file is not worth sending, or null. The server looks again. */
function unusable(file) {
  if (/\.hei[cf]$/i.test(file.name) || /^image\/hei[cf]$/.test(file.type)) return words.heic;
  if (file.size > Number(form.dataset.bytesMax)) return words["too-large"];
  return file.type.startsWith("image/") ? null : words["not-a-picture"];
}

// A format that this browser cannot draw may still be one that the server reads.
preview.addEventListener("error", () => show(preview, false));
// The same file chosen again is a new choice; without this a browser says nothing about it.
input?.addEventListener("click", () => (input.value = ""));
input?.addEventListener("change", () => choose(input.files[0]));
for (const kind of ["dragover", "dragleave", "drop"]) {
  form?.addEventListener(kind, (event) => {
    event.preventDefault();
    form.classList.toggle("over", kind === "dragover");
    if (kind === "drop") choose(event.dataTransfer.files[0]);
  });
}

byId("door").addEventListener("toggle", (event) => {
  if (!form) return;
  show(form, !event.target.open);
});

// --- look up ----------------------------------------------------------------------------------------------------

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = byId("send");
  button.disabled = true;
  tell(status, words.sending);
  const response = await post("/v1/lookups", { Accept: "text/html" });
  button.disabled = false;
  if (!response) return void tell(status, words.offline, true);
  if (!response.ok) return void tell(status, await problemSentence(response), true);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  answer.replaceChildren(...page.body.children);
  if (!preview.hidden) for (const figure of answer.querySelectorAll(".own")) draw(figure);
  tell(status, words.answered);
  show(byId("no"));
  show(button, false); // the same photo would get the same answer
  // The answer says both again, of this look-up.
  for (const part of ["ground", "sent"]) show(byId(part), false);
  answer.focus();
});

/** Draw the photo, which is on the device anyway, with a frame around the part that was found. */
function draw(figure) {
  const [left, top, right, bottom] = figure.dataset.frame.split(",").map((share) => `${100 * share}%`);
  const frame = document.createElement("span");
  Object.assign(frame.style, { left, top, width: `calc(${right} - ${left})`, height: `calc(${bottom} - ${top})` });
  frame.className = "frame";
  const photo = new Image();
  photo.src = preview.src;
  photo.alt = preview.alt;
  figure.firstElementChild.replaceChildren(photo, frame);
  show(figure);
}

/** Send the photo. Null: nobody could be reached. */
async function post(path, headers) {
  try {
    return await fetch(path, {
      method: "POST",
      body: photo,
      headers: { "Content-Type": photo.type, ...headers },
      credentials: "omit",
      cache: "no-store",
    });
  } catch {
    return null;
  }
}

// --- say no -----------------------------------------------------------------------------------------------------

byId("no-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const told = byId("no-status");
  const uses = [...document.querySelectorAll("[name=use]:checked")].map((tick) => tick.value);
  if (!uses.length) return void tell(told, words["uses-first"], true);
  if (!byId("mine").checked) return void tell(told, words["mine-first"], true);
  tell(told, words.recording);
  const response = await post(`/v1/opt-outs?uses=${uses.join(",")}`, { Accept: "application/json" });
  if (!response) return void tell(told, words.offline, true);
  if (!response.ok) return void tell(told, await problemSentence(response), true);
  showReceipt(await response.json());
  tell(told, "");
});

function showReceipt(recorded) {
  receipt = recorded;
  codeSaved = false;
  byId("done-number").textContent = receipt.number;
  byId("done-when").textContent = dayWords(new Date().toISOString(), true);
  for (const part of document.querySelectorAll("[data-done]")) show(part, (part.dataset.done === "held") === receipt.held);
  if (!receipt.held) byId("done-entry").textContent = receipt.receipt.index.toLocaleString(document.documentElement.lang);
  byId("done-command").textContent = byId("done-command").dataset.command.replace("NUMBER", receipt.number);
  tell(byId("done-status"), "");
  show(byId("no"), false);
  show(byId("done"));
  tell(status, receipt.held ? words.held : words.recorded);
  byId("done").focus();
}

byId("save-receipt").addEventListener("click", () => {
  saveReceipt(receipt.receipt);
  tell(byId("done-status"), words.saved);
});
byId("save-page").addEventListener("click", async () => {
  tell(byId("done-status"), words.saving);
  tell(byId("done-status"), ...(await saveReceiptPage(receipt.number, receipt.withdraw_code)));
});
byId("save-code").addEventListener("click", () => {
  save(`${receipt.number}.withdraw.txt`, receipt.withdraw_text, "text/plain");
  codeSaved = true;
  tell(byId("done-status"), words["code-saved"]);
});
