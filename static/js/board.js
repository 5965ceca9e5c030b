// The live board. Nothing moves under the hand: what is new waits behind "2 new" while somebody reads or points; what is shown
// changes in place; what no longer belongs is dimmed, and leaves when the hand does.
import { follow } from "./feed.js";
import { incidentChanged } from "./panel.js";
import { isSignedOut, isTyping, say, tickAges } from "./ui.js";

const watch = document.getElementById("watch");
const side = document.getElementById("side");
const phone = matchMedia("(max-width: 760px)");
const canHover = matchMedia("(hover: hover)");
const MOST_ROWS = 400;

const board = () => document.getElementById("board");
const list = () => document.getElementById("cards");
const scroller = () => (phone.matches ? document.getElementById("main") : document.getElementById("board-scroll"));
const cardOf = (id) => document.getElementById(`incident-${id}`);
const rows = () => [...list().querySelectorAll(":scope > .card")];
const map = () => document.querySelector("[data-map]");

let filter = {};
let pending = new Map(); // incident id -> its card, not yet shown
let gone = new Set(); // ids of shown cards that no longer belong
let mustReload = false; // many came at once: the list is asked for anew
let live = null;

function readFilter() {
  filter = JSON.parse(board().dataset.filter);
}

// --- what belongs, and where -----------------------------------------------------------------------------------------
function parseCard(html) {
  return new DOMParser().parseFromString(`<ol>${html}</ol>`, "text/html").querySelector("li.card");
}

function belongs(card) {
  const { match, standing } = filter;
  if (standing === "open" && card.dataset.open !== "1") return false;
  if (standing === "closed" && card.dataset.open !== "0") return false;
  return Object.entries(match).every(([name, values]) => values.includes(card.dataset[name]));
}

/** Negative when `a` stands before `b`. */
function compare(a, b) {
  const [idA, idB] = [Number(a.dataset.id), Number(b.dataset.id)];
  if (filter.sort === "priority") return a.dataset.priority - b.dataset.priority || idA - idB;
  return idB - idA;
}

/** Whether the card stands in the part of the list that is loaded. */
function isWithin(card) {
  if (!list().querySelector(":scope > .more")) return true;
  const last = rows().at(-1);
  return !last || compare(card, last) < 0;
}

/** Whether a hand or an eye is on the list. */
function isHeld() {
  const cards = list();
  if (scroller().scrollTop > 8) return true;
  if (canHover.matches && cards.matches(":hover")) return true;
  return cards.contains(document.activeElement);
}

// --- changing the list ------------------------------------------------------------------------------------------------
function insert(card) {
  const after = rows().find((row) => compare(card, row) < 0) ?? list().querySelector(":scope > .more");
  list().insertBefore(card, after ?? null);
  card.classList.add("is-new");
  tickAges(card);
}

/** Change a shown card in place: the element, its place and its focus stay. */
function update(shown, card) {
  const focused = shown.contains(document.activeElement);
  const changed = shown.dataset.state !== card.dataset.state;
  for (const { name, value } of [...card.attributes]) if (name !== "class") shown.setAttribute(name, value);
  shown.classList.remove("is-new", "is-changed", "is-gone");
  shown.replaceChildren(...card.childNodes);
  if (changed) {
    void shown.offsetWidth;
    shown.classList.add("is-changed");
  }
  if (focused) shown.querySelector("a").focus({ preventScroll: true });
  tickAges(shown);
}

function settle(id, card, event) {
  const onMap = map()?.mapApi;
  if (card && event?.open && event.feature) onMap?.upsert?.(event.feature);
  else if (event || !card) onMap?.remove?.(Number(id));
  const shown = cardOf(id);
  if (card) {
    gone.delete(id);
    if (shown) update(shown, card);
    else if (isWithin(card)) pending.set(id, card);
  } else {
    pending.delete(id);
    if (shown) {
      gone.add(id);
      shown.classList.add("is-gone");
    }
  }
}

/** Let in what waits, and out what has gone. */
function flush() {
  for (const id of gone) cardOf(id)?.remove();
  gone.clear();
  for (const card of [...pending.values()].sort(compare)) if (!cardOf(card.dataset.id)) insert(card);
  pending.clear();
  if (filter.sort === "priority") {
    const shown = rows();
    const ordered = [...shown].sort(compare);
    if (ordered.some((row, at) => row !== shown[at])) list().prepend(...ordered);
  }
  trim();
  showWaiting();
}

/** A board left open for a day stays light: rows far below the top go back behind "load more". */
function trim() {
  const more = list().querySelector(":scope > .more a");
  const shown = rows();
  if (!more || shown.length <= MOST_ROWS) return;
  for (const row of shown.slice(MOST_ROWS)) row.remove();
  const last = shown[MOST_ROWS - 1].dataset;
  const cursor = filter.sort === "priority" ? `${last.priority}.${last.id}` : last.id;
  for (const name of ["href", "hx-get"]) {
    const url = new URL(more.getAttribute(name), location.href);
    url.searchParams.set("before", cursor);
    more.setAttribute(name, url.pathname + url.search);
  }
  window.htmx?.process(more.parentElement);
}

function showWaiting() {
  const button = document.getElementById("board-new");
  const count = pending.size;
  button.hidden = count === 0 && !mustReload;
  const text = mustReload ? button.dataset.reload : (count === 1 ? button.dataset.one : button.dataset.many).replace("{n}", count);
  if (button.textContent !== text) button.textContent = text;
  document.getElementById("board-empty").hidden = rows().length > 0 || count > 0;
  document.title = document.title.replace(/^(\(\d+\+?\) )?/, count || mustReload ? `(${count}${mustReload ? "+" : ""}) ` : "");
}

let settling = null;
/** After changes: at once where nobody looks, else once the hand has left. */
function settleSoon() {
  if (!isHeld()) flush();
  else showWaiting();
  clearTimeout(settling);
  if (pending.size || gone.size) settling = setTimeout(settleSoon, 700);
}

function showNew() {
  document.activeElement?.blur?.();
  scroller().scrollTo({ top: 0 });
  if (mustReload) return loadBoard(location.href, { push: false });
  flush();
  return null;
}

// --- events -------------------------------------------------------------------------------------------------------------
const asked = new Map(); // incident id -> the event that brought it up, if one did
let asking = null;

/** Filters only the server can judge: ask it, a few times a second at most. */
function ask(id, event = null) {
  asked.set(id, event ?? asked.get(id) ?? null);
  asking ??= setTimeout(async () => {
    const taken = new Map([...asked].slice(0, 100));
    const ids = [...taken.keys()];
    for (const one of ids) asked.delete(one);
    const before = board().dataset.query;
    const url = `${watch.dataset.cardsUrl}?${before}&${ids.map((one) => `id=${one}`).join("&")}`;
    const answer = await fetch(url, { credentials: "same-origin", headers: { "HX-Request": "true" } }).catch(() => null);
    asking = null;
    if (answer && isSignedOut(answer.url)) return;
    if (board().dataset.query !== before) return; // another list has come meanwhile
    if (!answer?.ok) {
      for (const [one, event] of taken) if (!asked.has(one)) asked.set(one, event);
      setTimeout(askOn, 3000);
      return;
    }
    const found = new DOMParser().parseFromString(`<ol>${await answer.text()}</ol>`, "text/html");
    for (const [one, event] of taken) settle(one, found.getElementById(`incident-${one}`), event);
    settleSoon();
    askOn();
  }, 300);
}

function askOn() {
  const [first] = asked.keys();
  if (first) ask(first);
}

function apply(event) {
  if (event.refresh) {
    if (event.type !== "incidents.imported") return;
    mustReload = true;
    showWaiting();
    return;
  }
  if (!event.html || !event.id) return;
  const id = String(event.id);
  if (filter.ask) return void ask(id, event);
  const card = parseCard(event.html);
  if (!card) return;
  settle(id, belongs(card) ? card : null, event);
  settleSoon();
}

function onEvent(event) {
  apply(event);
  if (event.ref) incidentChanged(event.ref);
  figuresSoon();
}

// --- figures: at most every few seconds ---------------------------------------------------------------------------------
let figuresDue = null;
let figuresAt = Date.now();
function figuresSoon() {
  if (figuresDue !== null) return;
  figuresDue = setTimeout(() => {
    figuresDue = null;
    if (document.hidden) return;
    figuresAt = Date.now();
    window.htmx.ajax("GET", `${watch.dataset.figuresUrl}?${board().dataset.query}${document.getElementById("overview") ? "&overview" : ""}`, { target: "#figures", swap: "outerHTML" });
  }, Math.max(400, 4000 - (Date.now() - figuresAt)));
}
setInterval(() => {
  figuresSoon();
  // Time passes without events too: "the last hour" is another hour now.
  if (filter.ask) for (const row of rows()) ask(row.dataset.id);
}, 60_000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) figuresSoon(); });

// --- another selection --------------------------------------------------------------------------------------------------
async function loadBoard(href, { push = true } = {}) {
  const url = new URL(href, location.href);
  board().classList.add("loading");
  const answer = await fetch(url, { credentials: "same-origin", headers: { "HX-Request": "true" } }).catch(() => null);
  if (answer && isSignedOut(answer.url)) return;
  if (!answer?.ok || new URL(answer.url).pathname !== url.pathname) {
    if (answer?.ok) return void location.assign(answer.url); // a reference was searched for: its incident
    board().classList.remove("loading");
    say(document.body.dataset.textFailed);
    return;
  }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("board");
  const current = openRef();
  const depth = scroller().scrollTop;
  board().replaceWith(document.adoptNode(fresh));
  if (!push) scroller().scrollTop = depth; // the same list anew: the reader stays where they were
  window.htmx?.process(fresh);
  if (push) history.pushState({}, "", url.pathname + url.search);
  const head = startList(current);
  live?.rewind(head); // what came between the reading of that list and now is told again
  map()?.mapApi?.setFilter?.(fresh.dataset.query);
  document.getElementById("command").value = url.searchParams.get("q") ?? "";
}

function startList(current) {
  readFilter();
  pending = new Map();
  gone = new Set();
  asked.clear();
  mustReload = false;
  tickAges(board());
  showWaiting();
  if (current) mark(current);
  const head = Number(board().dataset.liveHead);
  board().removeAttribute("data-live-head"); // else every swap inside would be taken for a new list
  return head;
}

document.body.addEventListener("board:rows", (event) => live?.rewind(event.detail.head));

addEventListener("popstate", () => {
  if (location.pathname === new URL(watch.dataset.boardUrl, location.href).pathname) loadBoard(location.href, { push: false });
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-board-form], .command")) return;
  event.preventDefault();
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value !== "" && !(name === "state" && value === "open")) query.append(name, value);
  loadBoard(`${watch.dataset.boardUrl}?${query}`);
});

// --- choosing an incident ------------------------------------------------------------------------------------------------
const openRef = () => (side.querySelector("#incident") ? side.querySelector("#incident").dataset.ref : "");

function mark(ref) {
  for (const row of rows()) {
    if (row.dataset.ref === ref) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

function open(ref, { id = null, fromMap = false } = {}) {
  if (phone.matches) return void location.assign(`/incidents/${encodeURIComponent(ref)}/`);
  mark(ref);
  side.classList.add("is-open");
  window.htmx.ajax("GET", `/incidents/${encodeURIComponent(ref)}/panel/`, { target: "#side", swap: "innerHTML show:none" });
  history.replaceState(history.state, "", `${location.pathname}${location.search}#${ref}`);
  const card = rows().find((row) => row.dataset.ref === ref);
  document.dispatchEvent(new CustomEvent("board:select", { detail: { id: id ?? (card ? Number(card.dataset.id) : null), ref } }));
  if (!fromMap && card) map()?.mapApi?.select?.(Number(card.dataset.id));
}

const nothingChosen = side.innerHTML;
function closePanel() {
  const ref = openRef();
  side.innerHTML = nothingChosen;
  side.classList.remove("is-open");
  figuresSoon();
  mark("");
  history.replaceState(history.state, "", location.pathname + location.search);
  rows().find((row) => row.dataset.ref === ref)?.querySelector("a")?.focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const target = event.target;
  const card = target.closest("#cards .card");
  if (card && target.closest("a")) {
    if (phone.matches) return;
    event.preventDefault();
    open(card.dataset.ref, { id: Number(card.dataset.id) });
  } else if (target.closest("a[data-board-link]")) {
    event.preventDefault();
    loadBoard(target.closest("a").href);
  } else if (target.closest("#board-new")) showNew();
  else if (target.closest("[data-closes-panel]")) closePanel();
  else if (target.closest("[data-toggles=filters]")) toggleFilters();
});

function toggleFilters(show = document.getElementById("filters").hidden) {
  document.getElementById("filters").hidden = !show;
  const button = document.querySelector("[data-toggles=filters]");
  button.setAttribute("aria-expanded", String(show));
  if (show) document.getElementById("filter-q").focus();
  else button.focus();
}

document.addEventListener("map:select", (event) => { if (event.detail?.ref) open(event.detail.ref, { id: event.detail.id, fromMap: true }); });

// --- keys ----------------------------------------------------------------------------------------------------------------
function step(by) {
  const shown = rows();
  if (!shown.length) return;
  const here = shown.findIndex((row) => row.contains(document.activeElement));
  const current = here >= 0 ? here : shown.findIndex((row) => row.getAttribute("aria-current") === "true");
  const next = shown[Math.min(shown.length - 1, Math.max(0, current + by))];
  next.querySelector("a").focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") {
    if (document.querySelector("details.menu[open]") || event.target.id === "command") return;
    if (!document.getElementById("filters").hidden) toggleFilters(false);
    else if (openRef()) closePanel();
    else document.activeElement?.blur?.();
    return;
  }
  if (isTyping(event)) return;
  // By the key's place as well: under an Arabic layout "j" writes another letter.
  const key = /^[a-z]$/i.test(event.key) ? event.key.toLowerCase() : (event.code.match(/^Key([A-Z])$/)?.[1] ?? "").toLowerCase();
  if (key === "j") step(1);
  else if (key === "k") step(-1);
  else if (key === "n" && !document.getElementById("board-new").hidden) showNew();
  else if (key === "f") {
    event.preventDefault();
    toggleFilters();
  }
});

// --- start ---------------------------------------------------------------------------------------------------------------
const head = startList("");
const wanted = decodeURIComponent(location.hash.slice(1));
if (/^[\w-]{1,16}-\d{2}-\d+$/.test(wanted) && !phone.matches) open(wanted);
follow({
  room: "all",
  after: head,
  onEvent,
  onReset: () => {
    loadBoard(location.href, { push: false });
    figuresSoon();
    if (openRef()) incidentChanged(openRef());
  },
}).then((connected) => { live = connected; });
