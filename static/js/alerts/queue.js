// The queue of alerts. The socket says that something happened to an alert; the row is asked for by its ordinary address. Asking for the
// whole list every few seconds is the second way, so that nothing is missed where no socket gets through. Nothing moves under the hand:
// what is new waits behind "2 new" while somebody points or has moved down the list.

import { follow, sayFeed } from "../feed.js";
import { isSignedOut, say, tickAges } from "../ui.js";
import { countDown, isTyping, post } from "./acts.js";

const ASK_MS = 10_000;
const RING_MS = 150;

const queue = document.getElementById("alert-queue");
const texts = queue.dataset;
const list = document.getElementById("alert-rows");
const newButton = document.getElementById("alert-new");
const empty = document.getElementById("alert-empty");
const markedLine = document.getElementById("alert-marked");
const scrollers = [document.getElementById("main"), list.parentElement]; // the page, or on a wide screen the list alone
const canHover = matchMedia("(hover: hover)");
const token = document.querySelector("#alert-token [name=csrfmiddlewaretoken]").value;
const isFirstPage = texts.page === "1";

const rows = () => [...list.querySelectorAll(":scope > .alert-row")];
const rowOf = (id) => document.getElementById(`alert-${id}`);
const waiting = new Map(); // id → a row that came while a hand was on the list
const gone = new Set();

// --- order, and what is on the list ------------------------------------------------------------------------------------

function compare(a, b) {
  return a.dataset.group - b.dataset.group || a.dataset.rank - b.dataset.rank || b.dataset.id - a.dataset.id;
}

function isHeld() {
  return scrollers.some((one) => one.scrollTop > 8) || (canHover.matches && list.matches(":hover")) || list.contains(document.activeElement);
}

function put(row) {
  const before = rows().find((other) => compare(row, other) < 0);
  list.insertBefore(row, before ?? null);
}

function update(shown, fresh) {
  const focused = shown.contains(document.activeElement);
  const wasMarked = shown.querySelector(".mark").checked;
  const changed = shown.dataset.state !== fresh.dataset.state;
  for (const { name } of [...shown.attributes]) if (!fresh.hasAttribute(name) && name !== "aria-current") shown.removeAttribute(name);
  for (const { name, value } of [...fresh.attributes]) shown.setAttribute(name, value);
  shown.replaceChildren(...fresh.childNodes);
  if (wasMarked && "acknowledge" in shown.dataset) shown.querySelector(".mark").checked = true;
  if (changed) shown.classList.add("is-changed");
  if (focused) shown.querySelector("a").focus({ preventScroll: true });
}

function flush() {
  for (const id of gone) rowOf(id)?.remove();
  gone.clear();
  for (const row of waiting.values()) {
    row.classList.add("is-new");
    put(row);
  }
  waiting.clear();
  const shown = rows();
  const ordered = [...shown].sort(compare);
  if (ordered.some((row, at) => row !== shown[at])) {
    const focused = list.contains(document.activeElement) ? document.activeElement : null;
    list.append(...ordered);
    focused?.focus({ preventScroll: true });
  }
  tell();
}

function tell() {
  newButton.hidden = waiting.size === 0;
  newButton.textContent = waiting.size === 1 ? texts.textOne : texts.textMany.replace("{n}", waiting.size);
  empty.hidden = rows().length > 0 || waiting.size > 0;
  const marked = list.querySelectorAll(".mark:checked").length;
  markedLine.hidden = marked === 0;
  markedLine.querySelector("span").textContent = texts.textMarked.replace("{n}", marked);
  tickAges(list);
  countDown(queue);
}

let settling = null;
function settleSoon() {
  if (!isHeld()) flush();
  else tell();
  clearTimeout(settling);
  if (waiting.size || gone.size) settling = setTimeout(settleSoon, 700);
}

// --- asking ------------------------------------------------------------------------------------------------------------

/** Rows that are asked for by id and do not come are not on this list any more. */
function settle(answer, asked) {
  const page = new DOMParser().parseFromString(answer, "text/html");
  const counts = page.getElementById("alert-counts");
  const old = document.getElementById("alert-counts");
  if (counts && counts.textContent !== old.textContent) old.replaceWith(document.adoptNode(counts));
  const fresh = new Map([...page.querySelectorAll("#alert-rows > .alert-row")].map((row) => [row.dataset.id, document.adoptNode(row)]));
  const isCut = page.getElementById("alert-rows").dataset.isCut === "1";
  for (const [id, row] of fresh) {
    const shown = rowOf(id);
    gone.delete(id);
    if (shown) update(shown, row);
    else if (isFirstPage) waiting.set(id, row);
  }
  const missing = asked ?? [...rows().map((row) => row.dataset.id), ...waiting.keys()];
  for (const id of missing) {
    if (fresh.has(id)) continue;
    if (!asked && (isCut || !isFirstPage)) continue; // further down than what was asked
    waiting.delete(id);
    const shown = rowOf(id);
    if (shown) {
      gone.add(id);
      shown.classList.add("is-gone");
    }
  }
  settleSoon();
  document.dispatchEvent(new CustomEvent("alerts:changed"));
  return Number(page.getElementById("alert-rows").dataset.liveHead);
}

async function fetchRows(ids) {
  const address = `${texts.rowsUrl}?${texts.query}${ids ? ids.map((id) => `&id=${id}`).join("") : ""}`;
  const answer = await fetch(address, { credentials: "same-origin", signal: AbortSignal.timeout(ASK_MS) }).catch(() => null);
  if (!answer || isSignedOut(answer.url) || !answer.ok) return null;
  return settle(await answer.text(), ids);
}

const rung = new Set();
let ringing = null;
function ring(id) {
  rung.add(String(id));
  ringing ??= setTimeout(async () => {
    const ids = [...rung].slice(0, 100);
    rung.clear();
    const head = await fetchRows(ids);
    ringing = null;
    if (head === null) for (const one of ids) rung.add(one);
    if (rung.size) ring([...rung][0]);
  }, RING_MS);
}

let asking = false;
async function askAll() {
  if (asking || document.hidden || !isFirstPage) return;
  asking = true;
  const head = await fetchRows(null);
  asking = false;
  if (head !== null) live?.rewind(head);
  if (!texts.mayFollow) sayAsked(head !== null);
}

// Whoever may not follow every alert, an officer who is paged by one of them, asks for theirs every few seconds.
let askedAt = new Date();
function sayAsked(isAnswered) {
  if (isAnswered) askedAt = new Date();
  sayFeed({ state: isAnswered ? "polling" : "stale", since: askedAt });
}

let live = null;
async function start() {
  if (!texts.mayFollow) return void sayAsked(true);
  live = await follow({
    room: "alerts",
    after: Number(texts.liveHead),
    onEvent: (event) => { if (event.alert) ring(event.alert.id); },
    onReset: askAll,
  });
}
start();
setInterval(askAll, ASK_MS);
document.addEventListener("visibilitychange", () => { if (!document.hidden) askAll(); });
setInterval(() => countDown(queue), 500);
tell();

// --- which one, and what is done with it --------------------------------------------------------------------------------

const current = () => list.querySelector('[aria-current="true"]');

function choose(row) {
  for (const other of rows()) if (other !== row) other.removeAttribute("aria-current");
  if (!row) return;
  row.setAttribute("aria-current", "true");
  row.querySelector("a").focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const shown = rows();
  const at = shown.indexOf(current());
  choose(shown[at < 0 ? (by > 0 ? 0 : shown.length - 1) : Math.min(shown.length - 1, Math.max(0, at + by))]);
}

const address = (row, verb) => texts.actUrl.replace("/0/", `/${row.dataset.id}/`).replace("/acknowledge/", `/${verb}/`);

async function does(row, verb, fields = {}) {
  row.classList.add("is-busy");
  await post(address(row, verb), fields, token);
  row.classList.remove("is-busy");
  await fetchRows([row.dataset.id]);
}

function acknowledge(row) {
  if (!("acknowledge" in row.dataset)) return void say(texts.textNotYours, "warn");
  does(row, "acknowledge");
}

async function acknowledgeMarked() {
  const ids = [...list.querySelectorAll(".mark:checked")].map((mark) => mark.value);
  await post(texts.manyUrl, { id: ids }, token);
  for (const mark of list.querySelectorAll(".mark:checked")) mark.checked = false;
  await fetchRows(ids);
}

function openDialog(name, row) {
  const dialog = document.getElementById(name);
  dialog.querySelector(".said-of").textContent = row.querySelector(".what a").textContent;
  dialog.querySelector("form").reset();
  dialog.returnValue = "";
  dialog.onclose = () => {
    row.querySelector("a")?.focus({ preventScroll: true });
    if (!dialog.returnValue) return;
    if (name === "alert-snooze") does(row, "snooze", { minutes: dialog.returnValue });
    else does(row, "resolve", Object.fromEntries(new FormData(dialog.querySelector("form"))));
  };
  dialog.showModal();
}

document.getElementById("alert-snooze").addEventListener("keydown", (event) => {
  const waits = texts.waits.split(",");
  const at = Number(event.key) - 1;
  if (!waits[at]) return;
  event.preventDefault();
  event.currentTarget.close(waits[at]);
});

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  n: () => { document.activeElement?.blur?.(); for (const one of scrollers) one.scrollTo({ top: 0 }); flush(); },
  a: (row) => (list.querySelector(".mark:checked") ? acknowledgeMarked() : row && acknowledge(row)),
  s: (row) => row && openDialog("alert-snooze", row),
  r: (row) => { if (row && texts.mayOverride) openDialog("alert-resolve", row); },
  x: (row) => { if (row) row.querySelector(".mark").click(); },
  Enter: (row, event) => {
    if (!row || event.target.closest("a, button, input, summary, select")) return false;
    location.assign(row.querySelector("a").href);
    return true;
  },
};
// The same keys where the keyboard writes Arabic.
const ARABIC = { ت: "j", ن: "k", ى: "n", ش: "a", س: "s", ق: "r", ء: "x" };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || document.querySelector("dialog[open]")) return;
  const key = ARABIC[event.key] ?? event.key;
  const handler = KEYS[key];
  if (!handler) return;
  const row = current() ?? document.activeElement?.closest?.(".alert-row");
  if ("asr".includes(key) && !row && !list.querySelector(".mark:checked")) {
    say(texts.textNone, "warn");
    return;
  }
  if (handler(row, event) !== false) event.preventDefault();
});

list.addEventListener("click", (event) => {
  const row = event.target.closest(".alert-row");
  if (!row) return;
  if (event.target.closest('[data-do="acknowledge"]')) acknowledge(row);
  else if (event.target.matches(".mark")) tell();
});
list.addEventListener("focusin", (event) => {
  const row = event.target.closest(".alert-row");
  if (row && row !== current()) {
    for (const other of rows()) other.removeAttribute("aria-current");
    row.setAttribute("aria-current", "true");
  }
});
newButton.addEventListener("click", () => KEYS.n());
markedLine.addEventListener("click", (event) => {
  const what = event.target.closest("[data-many]")?.dataset.many;
  if (what === "acknowledge") acknowledgeMarked();
  if (what === "clear") {
    for (const mark of list.querySelectorAll(".mark:checked")) mark.checked = false;
    tell();
  }
});

document.querySelector("[data-queue-filter]").addEventListener("change", (event) => event.currentTarget.requestSubmit());
