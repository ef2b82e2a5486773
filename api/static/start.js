// The start page, and the page to say no on: choose, compare in the browser, ask for a closer look, say no.

import { mayBeRecorded } from "./card.js";
import { Checking, showCards } from "./checking.js";
import { startChoosing } from "./chooser.js";
import { lookCloser } from "./closer.js";
import { keepResults } from "./keep.js";
import { OptOut } from "./optout.js";
import { byId, tell, view, words } from "./page.js";
import { isUnsaved, showRecorded } from "./recorded.js";
import { Sent } from "./sent.js";

const status = byId("status");
const saysNo = byId("chooser")?.dataset.mode === "opt-out";
const sent = new Sent();
const checking = new Checking(sent, false);
const optOut = new OptOut(sent, { onRecorded, onLeave: showResults });
/** Those that were ticked when further ones were asked for; null: the next choice takes the place of all. */
let kept = null;

if (byId("chooser")) startChoosing(choose);

async function choose(files, trouble) {
  const ticked = kept;
  kept = null;
  if (!ticked) checking.forget();
  const before = checking.photos.length;
  view("results");
  byId("results").focus();
  await checking.add(files);
  if (trouble) tell(status, trouble, true);
  const added = checking.photos.slice(before);
  if (ticked) sayNo([...ticked, ...added]);
  else if (saysNo && added.some(({ result }) => result && mayBeRecorded(result))) sayNo(added);
  else showCards(added);
}

function sayNo(ticked) {
  view("no");
  tell(status, "");
  optOut.begin(checking.photos, ticked);
}

function onRecorded(recorded) {
  view("done");
  tell(status, "");
  showRecorded(recorded, sent);
  byId("done").focus();
}

function showResults() {
  showCards(checking.photos);
}

function chooseOthers() {
  if (isUnsaved()) return void tell(byId("done-status"), words["save-first"], true);
  checking.forget();
  view("begin");
  tell(status, words.begin);
  byId("photo").focus();
}

const ACTS = {
  print: () => print(),
  save: keepResults,
  again: chooseOthers,
  results: showResults,
  retry: (button) => checking.again(checking.of(button)),
  no: (button) => sayNo([checking.of(button)]),
  more: () => {
    kept = optOut.picked;
    byId("photo").click();
  },
};
for (const id of ["results", "no", "done"]) {
  byId(id).addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (!button || !ACTS[button.dataset.act]) return;
    event.preventDefault();
    ACTS[button.dataset.act](button);
  });
}
byId("cards").addEventListener("submit", (event) => {
  event.preventDefault();
  lookCloser(event.target, checking.of(event.target), sent);
});
