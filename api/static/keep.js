// Results as one file on the device: no script, no photo, and nothing that is loaded from anywhere.

import { byId, dayWords, save, say, words } from "./page.js";

const LEFT_OUT = "form, button, figure, .status, .how, .buttons, .beside, [hidden]";

/** Save what the cards show. */
export function keepResults() {
  const now = new Date().toISOString();
  const main = document.createElement("main");
  const add = (tag, text) => (main.appendChild(document.createElement(tag)).textContent = text);
  add("h1", document.title);
  add("p", say("saved-lead", { server: location.origin, when: dayWords(now, true) }));
  add("h2", byId("results-title").textContent);
  main.append(...[...byId("cards").children].map(kept));
  add("h2", words["saved-sent"]);
  main.append(byId("requests").cloneNode(true));
  const title = document.createElement("title");
  title.textContent = document.title;
  // In parts, as text: an element `style` would be refused by this page's own rules, also in a document of another.
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width">${title.outerHTML}`;
  const body = `<style>${styles()}</style><body>${main.outerHTML}</body>`;
  const page = `<!doctype html>\n<html lang="${document.documentElement.lang}">${head}${body}</html>\n`;
  save(`${words["saved-name"]}-${now.slice(0, 10)}.html`, page, "text/html");
}

function kept(card) {
  const copy = card.cloneNode(true);
  // An address on this server means nothing in a file.
  const links = card.querySelectorAll("a[href]");
  copy.querySelectorAll("a[href]").forEach((link, i) => link.setAttribute("href", links[i].href));
  for (const part of copy.querySelectorAll(LEFT_OUT)) part.remove();
  for (const details of copy.querySelectorAll("details")) details.open = true;
  return copy;
}

const styles = () => [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules].map((rule) => rule.cssText)).join("\n");
