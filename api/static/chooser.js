// Choosing photos: by the button, by dropping, by pasting. They live in this page and nowhere else.

import { byId, say, show, tell, words } from "./page.js";

const PHOTOS_MAX = 10;

/**
 * Let photos be chosen.
 * @param {(files: File[], trouble: string) => void} onFiles at least one; trouble: a sentence to be shown, or empty
 */
export function startChoosing(onFiles) {
  const [form, input] = [byId("chooser"), byId("photo")];
  const take = (files) => {
    const chosen = [...files];
    const trouble = chosen.length > PHOTOS_MAX ? say("too-many", { n: PHOTOS_MAX }) : "";
    if (chosen.length) onFiles(chosen.slice(0, PHOTOS_MAX), trouble);
  };
  // The same file chosen again is a new choice; without this a browser says nothing about it.
  input.addEventListener("click", () => (input.value = ""));
  input.addEventListener("change", () => take(input.files));
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault(); // or the browser would open the photo in place of this page
      form.classList.toggle("over", kind === "dragover");
      if (kind === "drop" && !form.hidden) take(event.dataTransfer.files);
    });
  }
  document.addEventListener("paste", (event) => {
    if (!form.hidden) take(event.clipboardData?.files ?? []);
  });
  show(form);
  show(byId("panel"));
  tell(byId("status"), form.dataset.mode === "intimate" ? words["begin-intimate"] : words.begin);
}
