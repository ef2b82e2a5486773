// The closer look: the photo itself is sent, once, after a tick and a press. Nothing else ever leads here.

import { drawPhoto } from "./card.js";
import { problemSentence, show, SPEAKING, tell, words } from "./page.js";

/**
 * Send a photo that its owner ticked, and show what came back: a piece of a page, in the reader's language.
 * @param {HTMLFormElement} form of the photo's card
 * @param {import("./checking.js").Photo} photo
 * @param {import("./sent.js").Sent} sent
 */
export async function lookCloser(form, photo, sent) {
  const status = form.querySelector(".status");
  if (!form.elements.agreed.checked) return void tell(status, words["tick-first"], true);
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  tell(status, words.sending);
  const response = await sent.send("/v1/lookups", words["request-photo"], {
    method: "POST",
    body: photo.file,
    headers: { "Content-Type": photo.file.type || "application/octet-stream", Accept: "text/html", ...SPEAKING },
  });
  button.disabled = false;
  if (!response) return void tell(status, words.offline, true);
  if (!response.ok) return void tell(status, await problemSentence(response), true);
  tell(status, words.answered);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const place = photo.card.querySelector(".closer-answer");
  place.replaceChildren(...page.body.children);
  for (const figure of place.querySelectorAll(".own")) {
    drawPhoto(figure, photo.url, figure.dataset.frame.split(",").map(Number), "mirrored" in figure.dataset);
  }
  show(form, false); // the same photo would get the same answer
  photo.card.classList.add("looked-at");
  place.firstElementChild.tabIndex = -1;
  place.firstElementChild.focus();
}
