// The page for intimate pictures: the private check alone. Nothing here sends a photo, draws one or names one.

import { Checking, showCards } from "./checking.js";
import { startChoosing } from "./chooser.js";
import { byId, tell, view, words } from "./page.js";
import { Sent } from "./sent.js";

const checking = new Checking(new Sent(), true);

async function check(files, trouble) {
  checking.forget();
  view("results");
  await checking.add(files);
  if (trouble) tell(byId("status"), trouble, true);
  showCards(checking.photos);
}

if (byId("chooser")) startChoosing(check);

const ACTS = {
  retry: (button) => checking.again(checking.of(button)),
  again: () => {
    checking.forget();
    view("begin");
    tell(byId("status"), words["begin-intimate"]);
    byId("photo").focus();
  },
};
byId("results").addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (button) ACTS[button.dataset.act]?.(button);
});
