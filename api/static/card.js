// The result of the private check of one photo, in words: found, possible, not found, or why there is none. It says what
// was tried and sent from what was tried and sent.

import { amountWords, byId, count, dayWords, numberWords, say, show, words } from "./page.js";

const KINDS_SHOWN = 4;
const STALE_AFTER_DAYS = 30;

/** What a photo without an answer is told, by status or reason, and what it can do next. */
const TROUBLES = {
  heic: ["heic", "again"],
  "cut-off": ["unreadable", "again"],
  "too-large": ["too-large", "again"],
  unreadable: ["unreadable", "again"],
  "too-plain": ["too-plain", "again"],
  altered: ["altered", "how", "command", "closer"],
  browser: ["browser", "command", "closer"],
  offline: ["offline-check", "retry"],
  "rate-limited": ["rate-limited", "retry"],
  busy: ["busy", "retry"],
  "corpus-empty": ["corpus-empty"],
  failed: ["went-wrong", "retry", "closer"],
};

/** May a no be recorded for it? A plain picture has the code of every plain picture. */
export const mayBeRecorded = ({ status }) => status !== "too-plain" && status !== "unreadable";

/** found, possible, missed, or none where nothing was compared. */
export function outcome({ status, matches }) {
  if (status !== "checked") return "none";
  if (matches.some(({ kind }) => kind !== "possible")) return "found";
  return matches.length ? "possible" : "missed";
}

/** Say what a photo waits for. */
export function showWaiting(card, sentence) {
  slot(card, "heading").textContent = sentence;
  card.classList.add("waiting");
}

/** Show a result in its card. `isIntimate`: nothing that sends or shows the photo. */
export function showResult(card, { result, url }, isIntimate) {
  card.classList.remove("waiting", "found");
  const happened = outcome(result);
  slot(card, "when").textContent = say("private-check", { when: dayWords(new Date().toISOString(), true) });
  if (happened === "none") return showTrouble(card, result, isIntimate);
  card.classList.toggle("found", happened === "found");
  slot(card, "heading").textContent = words[happened];
  put(slot(card, "lead"), happened === "missed" ? words["no-proof"] : "");
  put(slot(card, "means"), happened === "missed" ? "" : forMode(`${happened}-means`, isIntimate));
  showList(card.querySelector(".kinds"), kinds(result.matches));
  showParagraphs(card.querySelector(".limits"), limits(result, happened));
  offer(card, isIntimate ? [] : ["closer"]);
  if (happened === "missed" && !isIntimate) card.querySelector("[data-act=no]").textContent = words["no-future"];
  if (isIntimate) return void show(card.querySelector(".now"), happened !== "missed");
  const [first] = result.matches;
  drawPhoto(card.querySelector(".own"), url, first?.crop, first?.orientation.startsWith("mirrored"));
}

/**
 * Draw the photo, which is on the device anyway, with a frame around a part of it and an arrow where it was mirrored.
 * @param {number[] | null | undefined} crop shares of its width and height: x0, y0, x1, y1
 */
export function drawPhoto(figure, url, crop, isMirrored) {
  const [drawn, caption] = [figure.querySelector(".drawn"), figure.querySelector("figcaption")];
  const photo = drawn.querySelector("img") ?? drawn.appendChild(new Image());
  photo.alt ||= words["own-photo"];
  photo.addEventListener("error", () => show(figure, false), { once: true }); // the browser does not know the format
  photo.src = url;
  drawn.querySelector(".frame")?.remove();
  if (crop || isMirrored) {
    const [left, top, right, bottom] = (crop ?? [0, 0, 1, 1]).map((share) => `${100 * share}%`);
    const frame = drawn.appendChild(document.createElement("span"));
    Object.assign(frame.style, { left, top, width: `calc(${right} - ${left})`, height: `calc(${bottom} - ${top})` });
    frame.className = "frame";
  }
  figure.toggleAttribute("data-mirrored", Boolean(isMirrored));
  const part = [crop && "part", isMirrored && "mirrored"].filter(Boolean).join("-");
  if (!caption.textContent.trim() && part) caption.textContent = words[`frame-${part}`];
  show(figure);
}

function showTrouble(card, { status, reason, retryAfterS }, isIntimate) {
  const known = [reason, status].find((name) => Object.hasOwn(TROUBLES, name)) ?? "failed";
  const [key, ...offered] = TROUBLES[known];
  slot(card, "heading").textContent = say(key, { wait: waitWords(retryAfterS) });
  put(slot(card, "lead"), "");
  put(slot(card, "means"), forMode(`${key}-next`, isIntimate));
  // Browsers draw what they can of a file that is cut off, and that is not the photo.
  if (!isIntimate && status === "unreadable") show(card.querySelector(".own"), false);
  offer(card, isIntimate ? offered.filter((name) => name !== "closer" && name !== "command") : offered);
}

/** Show what can be done next, and hide the rest. */
function offer(card, offered) {
  const places = {
    ...{ retry: "[data-act=retry]", again: "[data-act=again]", how: ".how", command: ".command", closer: ".closer" },
  };
  for (const [name, place] of Object.entries(places)) {
    const part = card.querySelector(place);
    if (part) show(part, offered.includes(name));
  }
}

function kinds(matches) {
  const told = new Map();
  for (const match of matches) told.set(kindWords(match), (told.get(kindWords(match)) ?? 0) + 1);
  const lines = [...told.keys()];
  const more = lines.length - KINDS_SHOWN;
  return more > 0 ? [...lines.slice(0, KINDS_SHOWN), count("more", more)] : lines;
}

function kindWords({ kind, orientation, crop }) {
  const lies = byId("orientations").content.querySelector(`[data-name="${orientation}"]`)?.textContent;
  const how = [lies, crop && words.part].filter(Boolean).join(", ");
  return how ? say("kind-how", { kind: words[`kind-${kind}`], how }) : words[`kind-${kind}`];
}

function* limits({ coverage: { images, sources, newest }, sketches, animated }, happened) {
  const day = dayWords(newest ?? new Date().toISOString());
  yield say("looked", { pictures: count("pictures", images), sources: count("sources", sources), day });
  const daysAgo = newest ? Math.floor((Date.now() - Date.parse(newest)) / 86_400_000) : 0;
  if (daysAgo > STALE_AFTER_DAYS) yield count("stale", daysAgo);
  if (happened !== "found") {
    yield words.misses;
    if (sketches.length) yield words["misses-pieces"];
    yield sketches.length ? words["misses-share-pieces"] : words["misses-share"];
  }
  if (animated) yield words.animated;
  yield sketches.length ? say("sent-pieces", { pieces: sketches.join(", ") }) : words["sent-nothing"];
}

/** `4 minutes`; where nobody said how long, a minute. */
function waitWords(seconds) {
  if (seconds !== null && seconds < 60) return amountWords(Math.max(1, seconds), "second");
  const minutes = Math.ceil((seconds ?? 60) / 60);
  return minutes < 60 ? amountWords(minutes, "minute") : amountWords(Math.ceil(minutes / 60), "hour");
}

const slot = (card, name) => card.querySelector(`[data-slot=${name}]`);
const forMode = (key, isIntimate) => (isIntimate && words[`${key}-intimate`]) || words[key];

function put(element, text) {
  element.textContent = text;
  show(element, Boolean(text));
}

function showList(list, texts) {
  list.replaceChildren(...texts.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  show(list, texts.length > 0);
}

function showParagraphs(place, texts) {
  const lines = [...texts].map((text) => Object.assign(document.createElement("p"), { textContent: text }));
  place.replaceChildren(...lines);
  show(place);
}
