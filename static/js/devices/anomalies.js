// The queue of anomalies hears what happens to one, and asks for the list by its ordinary address. Nothing moves under the hand: while
// somebody points at the list, types in it or has moved down, rows change where they stand and what is new waits behind "2 new".

import { follow } from "../feed.js";
import { isSignedOut } from "../ui.js";

const ASK_MS = 60_000; // a second way, where no word came
const PATIENCE_MS = 10_000;
const RING_MS = 400;

const queue = document.getElementById("anomaly-queue");
const texts = queue.dataset;
const list = document.getElementById("anomaly-rows");
const empty = document.getElementById("anomaly-empty");
const newButton = document.getElementById("anomaly-new");
const main = document.getElementById("main");
const canHover = matchMedia("(hover: hover)");
const isFirstPage = texts.page === "1";

let waiting = null; // the page as it came last, until it may be put in place

const drafts = () => document.getElementById("anomaly-drafts");

function isHeld() {
  const parts = [list, drafts()];
  const touched = parts.some((part) => (canHover.matches && part.matches(":hover")) || part.contains(document.activeElement));
  return touched || main.scrollTop > 8 || window.scrollY > 8;
}

/** What is read of them; their forms carry another token each time. */
const isSame = (one, other) => one.textContent === other.textContent;

/** A row that is shown says at once what is so now. */
function update(shown, fresh) {
  const focused = shown.contains(document.activeElement) ? document.activeElement.tagName : null;
  if (isSame(shown, fresh) && shown.dataset.state === fresh.dataset.state && shown.dataset.severity === fresh.dataset.severity) return;
  shown.dataset.severity = fresh.dataset.severity;
  shown.dataset.state = fresh.dataset.state;
  shown.classList.add("is-changed");
  shown.replaceChildren(...fresh.cloneNode(true).childNodes);
  if (focused) shown.querySelector("a").focus({ preventScroll: true });
}

function replace(id) {
  const fresh = waiting.getElementById(id);
  const shown = document.getElementById(id);
  if (shown && fresh && !isSame(shown, fresh)) shown.replaceWith(document.importNode(fresh, true));
}

function flush() {
  const known = new Set([...list.children].map((row) => row.id));
  replace("anomaly-drafts");
  list.replaceChildren(...[...waiting.querySelectorAll("#anomaly-rows > .anomaly-row")].map((row) => {
    const put = document.importNode(row, true);
    if (!known.has(row.id)) put.classList.add("is-new");
    return put;
  }));
  list.hidden = list.childElementCount === 0;
  empty.hidden = !list.hidden;
  newButton.hidden = true;
  waiting = null;
}

let settling = null;
function settle() {
  clearTimeout(settling);
  if (!waiting) return;
  if (!isHeld()) return void flush();
  const fresh = [...waiting.querySelectorAll("#anomaly-rows > .anomaly-row")];
  const added = fresh.filter((row) => !document.getElementById(row.id)).length;
  const hasNewDraft = !isSame(waiting.getElementById("anomaly-drafts"), drafts());
  newButton.textContent = added === 1 ? texts.textOne : added ? texts.textMany.replace("{n}", added) : texts.textChanged;
  newButton.hidden = !added && !hasNewDraft && !list.querySelector(":scope > .is-gone");
  settling = setTimeout(settle, 700);
}

function take(text) {
  waiting = new DOMParser().parseFromString(text, "text/html");
  const head = Number(waiting.getElementById("anomaly-rows").dataset.liveHead);
  replace("anomaly-counts");
  for (const shown of [...list.children]) {
    const fresh = waiting.getElementById(shown.id);
    shown.classList.toggle("is-gone", !fresh);
    if (fresh) update(shown, fresh);
  }
  settle();
  return head;
}

let asking = false;
let askAgain = false;
async function ask() {
  if (!isFirstPage || document.hidden) return;
  if (asking) return void (askAgain = true);
  asking = true;
  const answer = await fetch(`${texts.rowsUrl}?${texts.query}`, { credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => null);
  if (answer?.ok && !isSignedOut(answer.url)) live?.rewind(take(await answer.text()));
  asking = false;
  if (askAgain) ring();
}

let ringing = null;
function ring() {
  askAgain = false;
  ringing ??= setTimeout(() => {
    ringing = null;
    ask();
  }, RING_MS);
}

newButton.addEventListener("click", () => {
  if (waiting) flush();
  main.scrollTo({ top: 0 });
  window.scrollTo({ top: 0 });
});

let live = null;
live = await follow({
  room: "anomalies",
  after: Number(texts.liveHead),
  onEvent: (event) => { if (event.anomaly || event.refresh) ring(); },
  onReset: ask,
});
setInterval(ask, ASK_MS);
document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
