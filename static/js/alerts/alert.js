// One alert's page: it follows what happens to it. Where somebody is typing, it only says that there is something newer.

import { follow, sayFeed } from "../feed.js";
import { isSignedOut, tickAges } from "../ui.js";
import { countDown, isTyping } from "./acts.js";

const ASK_MS = 10_000;
const page = document.getElementById("alert-page");
const article = () => document.getElementById("alert");

/** A form that was opened is not taken away under the hand. */
const isHeld = () => article().querySelector("details.act[open]") !== null;

let refreshing = null;
function refresh({ force = false } = {}) {
  refreshing ??= fetchPart(force).finally(() => { refreshing = null; });
  return refreshing;
}

async function fetchPart(force) {
  const answer = await fetch(page.dataset.partUrl, { credentials: "same-origin", signal: AbortSignal.timeout(ASK_MS) }).catch(() => null);
  const isAnswered = Boolean(answer) && !isSignedOut(answer.url) && answer.ok;
  if (!page.dataset.mayFollow) sayAsked(isAnswered);
  if (!isAnswered) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("alert");
  const old = article();
  if (!fresh || comparable(fresh) === comparable(old)) return;
  if (isHeld() && !force) {
    document.getElementById("alert-changed").hidden = false;
    return;
  }
  const map = old.querySelector("[data-keep]");
  const place = fresh.querySelector("[data-keep]");
  if (map && place) place.replaceWith(map);
  old.replaceWith(document.adoptNode(fresh));
  tickAges(fresh);
  countDown(page);
}

/** What is said, without what ticks. */
function comparable(node) {
  const copy = node.cloneNode(true);
  for (const ticking of copy.querySelectorAll("time.age, time.due, .note, [data-keep], [name=csrfmiddlewaretoken]")) {
    if (ticking.matches("time.due")) ticking.replaceWith(ticking.dateTime);
    else ticking.remove();
  }
  return copy.textContent.replace(/\s+/g, " ");
}

page.addEventListener("click", (event) => {
  if (event.target.closest("[data-refresh]")) refresh({ force: true });
});

// One form open at a time.
page.addEventListener("toggle", (event) => {
  if (!event.target.matches?.("details.act[open]")) return;
  for (const other of page.querySelectorAll("details.act[open]")) if (other !== event.target) other.open = false;
  event.target.querySelector("input:not([type=hidden]), select, button")?.focus();
}, true);

page.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && event.target.closest("details.act[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
  refresh(); // what waited for the form to be closed
});

const FORMS = { a: "acknowledge", s: "snooze", r: "resolve", ش: "acknowledge", س: "snooze", ق: "resolve" };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || document.querySelector("dialog[open]")) return;
  const verb = FORMS[event.key];
  const form = verb && page.querySelector(`form[action$="/${verb}/"]`);
  if (!form) return;
  event.preventDefault();
  if (verb === "acknowledge") form.requestSubmit();
  else form.closest("details").open = true;
});

countDown(page);
setInterval(() => countDown(page), 500);
setInterval(() => { if (!document.hidden) refresh(); }, ASK_MS);
// Whoever may not follow every alert asks for this one every few seconds.
let askedAt = new Date();
function sayAsked(isAnswered) {
  if (isAnswered) askedAt = new Date();
  sayFeed({ state: isAnswered ? "polling" : "stale", since: askedAt });
}

if (!page.dataset.mayFollow) sayAsked(true);
else follow({
  room: "alerts",
  after: Number(page.dataset.liveHead),
  onEvent: (event) => { if (String(event.alert?.id) === page.dataset.id) refresh(); },
  onReset: () => refresh(),
});
