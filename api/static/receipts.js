// The receipts page: a withdraw code in, the status out. The code travels in a header, never in an address.

import { byId, dayWords, problemSentence, show, tell, words } from "./page.js";

const form = byId("ask");
const status = byId("status");
show(form);
tell(status, words["begin-receipts"]);

byId("code-file").addEventListener("change", async (event) => {
  const file = event.target.files[0];
  if (!file) return;
  const text = await file.slice(0, 4096).text();
  const code = text.match(/hibs-w1-[0-9A-Z]{32}/i);
  const number = `${file.name} ${text}`.match(/\b[0-9A-Z]{4}-[0-9A-Z]{4}\b/);
  if (!code || !number) return void tell(status, words["no-code"], true);
  byId("code").value = code[0];
  byId("number").value = number[0];
  await ask("GET");
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  await ask("GET");
});
byId("withdraw-sure").addEventListener("click", () => ask("DELETE"));

async function ask(method) {
  tell(status, words.asking);
  show(byId("result"), false);
  let response;
  try {
    response = await fetch(`/v1/opt-outs/${encodeURIComponent(byId("number").value.trim())}`, {
      method,
      headers: { Authorization: `Receipt ${byId("code").value.trim()}` },
      credentials: "omit",
      cache: "no-store",
    });
  } catch {
    return void tell(status, words["failed-receipts"], true);
  }
  if (!response.ok) return void tell(status, await problemSentence(response), true);
  showResult(await response.json());
}

function showResult(found) {
  const ends = found.withdraw_at ? dayWords(found.withdraw_at) : "";
  const values = {
    number: found.number,
    state: words[`state-${found.state}`].replace("{day}", ends),
    recorded_at: dayWords(found.recorded_at, true),
    uses: found.uses.map((use) => document.querySelector(`[data-use="${use}"]`).textContent).join(", "),
    pictures: found.pictures,
    index: found.index === null ? "–" : found.index + 1,
  };
  for (const [name, value] of Object.entries(values)) document.querySelector(`[data-fact="${name}"]`).textContent = value;
  show(byId("withdraw"), ["recorded", "held", "disputed"].includes(found.state));
  show(byId("result"));
  tell(status, words["status-shown"]);
  byId("result").focus();
}
