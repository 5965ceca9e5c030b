// The live unit board: one feed, one list, one map, one panel. Nothing moves under the hand: the order of the list is by call sign and
// the map stays where it is.

import { isTyping, serverNow, tickAges } from "../ui.js";
import { ageWriter, fill } from "./unit_ages.js";
import { UnitFeed } from "./unit_feed.js";
import { SIGNS, UnitLayer } from "./unit_layer.js";
import { Playback } from "./unit_playback.js";

const board = document.querySelector("[data-unit-board]");
const config = JSON.parse(document.getElementById("unit-config").textContent);
const { texts } = config;
const list = board.querySelector("[data-unit-list]");
const form = board.querySelector("[data-unit-filter]");
const panel = board.querySelector("[data-unit-panel]");
const note = board.querySelector("[data-unit-note]");
const count = board.querySelector("[data-unit-count]");
const mapRoot = board.querySelector("[data-map]");
const ageText = ageWriter(texts);
const order = new Intl.Collator("en", { numeric: true });
const nowS = () => serverNow() / 1000;
const OFF = new Set(["off_duty", "out_of_service"]);

let chosen = null;
let staleS = config.stale_s;
let layer = null;
let playback = null;
let panelTurn = 0;
let pointWanted = false;

const feed = new UnitFeed({
  url: board.dataset.liveUrl,
  fixed: config.fixed,
  moving: config.moving,
  onChange: (what) => {
    staleS = feed.staleS;
    tell("");
    drawList(what);
    drawMap();
    if (what.changed.has(chosen)) readPanel({ factsOnly: true });
  },
  onTrouble: ({ signedOut, since }) => {
    tell(signedOut ? texts.signedOut : since ? fill(texts.offline, { age: ageText((Date.now() - since) / 1000) }) : texts.failed);
    board.classList.add("is-stale");
  },
});

function tell(text) {
  note.textContent = text;
  note.hidden = !text;
  if (!text) board.classList.remove("is-stale");
}

// --- which units -------------------------------------------------------------------------------------------------------
const age = (unit) => (unit.at === null ? Infinity : Math.max(0, nowS() - unit.at));
const isStale = (unit) => age(unit) > staleS;

function wanted(unit) {
  const { q, state, kind, team, governorate, agency } = Object.fromEntries(new FormData(form));
  if (q && !unit.call_sign.toLowerCase().includes(q.trim().toLowerCase())) return false;
  if (state === "!off" ? OFF.has(unit.state) : state === "!stale" ? OFF.has(unit.state) || !isStale(unit) : state && unit.state !== state) return false;
  if (kind && unit.kind !== kind) return false;
  if (team && String(unit.team) !== team) return false;
  if (governorate && unit.governorate !== governorate) return false;
  return !agency || unit.agency === agency;
}

// --- the list ------------------------------------------------------------------------------------------------------------
const rows = new Map();

function make(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

function sign(kind) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "unit-sign");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SIGNS[kind] ?? SIGNS.other);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}

function rowOf(unit) {
  let row = rows.get(unit.id);
  if (row) return row;
  row = make("li");
  row.id = `unit-${unit.id}`;
  row.dataset.id = unit.id;
  row.setAttribute("role", "option");
  row.parts = { name: make("bdi", "unit-name"), state: make("span", "unit-state"), work: make("bdi", "unit-work"), age: make("span", "unit-age") };
  row.kind = "";
  row.append(row.parts.name, row.parts.state, row.parts.work, row.parts.age);
  rows.set(unit.id, row);
  return row;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function writeRow(unit) {
  const row = rowOf(unit);
  if (row.kind !== unit.kind) {
    row.querySelector("svg")?.remove();
    row.prepend(sign(unit.kind));
    row.kind = unit.kind;
    row.title = config.kinds[unit.kind] ?? unit.kind;
  }
  put(row.parts.name, unit.call_sign);
  put(row.parts.state, config.states[unit.state] ?? unit.state);
  row.parts.state.className = `unit-state s-${unit.state}`;
  put(row.parts.work, unit.work ? unit.work[1] || config.work[unit.work[0]] : unit.broken);
  writeAge(unit, row);
  return row;
}

function writeAge(unit, row) {
  const how = unit.at === null ? texts.never : ageText(age(unit));
  put(row.parts.age, unit.silent && !OFF.has(unit.state) ? `${texts.silent} · ${how}` : how);
  row.classList.toggle("is-stale", isStale(unit));
}

function drawList({ changed = null, isWhole = false, gone = [] } = {}) {
  for (const id of gone) {
    rows.get(id)?.remove();
    rows.delete(id);
  }
  if (isWhole) for (const id of rows.keys()) if (!feed.units.has(id)) rows.get(id).remove(), rows.delete(id);
  for (const unit of feed.units.values()) if (!changed || changed.has(unit.id)) writeRow(unit);
  const shown = [...feed.units.values()].filter(wanted).sort((a, b) => order.compare(a.call_sign, b.call_sign) || a.id - b.id);
  const before = [...list.children].map((row) => row.dataset.id).join();
  if (before !== shown.map((unit) => unit.id).join()) list.replaceChildren(...shown.map((unit) => rows.get(unit.id)));
  put(count, shown.length ? fill(texts.shown, { shown: shown.length, total: feed.units.size }) : texts.nobody);
  mark();
}

function mark() {
  for (const row of list.children) row.setAttribute("aria-selected", String(Number(row.dataset.id) === chosen));
  const row = rows.get(chosen);
  if (row?.isConnected) list.setAttribute("aria-activedescendant", row.id);
  else list.removeAttribute("aria-activedescendant");
}

function drawMap() {
  layer?.draw([...feed.units.values()].filter(wanted), nowS(), staleS);
}

setInterval(() => {
  if (document.hidden) return;
  for (const row of list.children) {
    const unit = feed.units.get(Number(row.dataset.id));
    if (unit) writeAge(unit, row);
  }
  if (feed.failures && feed.heardAt) tell(fill(texts.offline, { age: ageText((Date.now() - feed.heardAt) / 1000) }));
}, 1000);
setInterval(() => document.hidden || drawMap(), 5000);

// --- choosing ------------------------------------------------------------------------------------------------------------
function choose(id, { show = false, open = true } = {}) {
  if (chosen !== id) playback?.close();
  chosen = id;
  mark();
  layer?.select(id);
  rows.get(id)?.scrollIntoView({ block: "nearest" });
  if (show) layer?.show(id);
  if (open && id !== null) readPanel();
}

function closePanel() {
  panelTurn += 1;
  panel.hidden = true;
  panel.replaceChildren();
  pointWanted = false;
  playback?.close();
  chosen = null;
  mark();
  layer?.select(null);
  list.focus({ preventScroll: true });
}

const address = (kind) => board.dataset[`${kind}Url`].replace("/0/", `/${chosen}/`);

async function readPanel({ factsOnly = false } = {}) {
  const turn = ++panelTurn;
  const answer = await fetch(address("panel"), { credentials: "same-origin", cache: "no-store" }).catch(() => null);
  if (turn !== panelTurn) return;
  if (!answer?.ok) return void (factsOnly || tell(texts.failed));
  const made = new DOMParser().parseFromString(await answer.text(), "text/html").body;
  if (turn !== panelTurn) return;
  const facts = panel.querySelector("[data-unit-facts]");
  if (factsOnly && facts) facts.replaceWith(made.querySelector("[data-unit-facts]"));
  else panel.replaceChildren(...made.childNodes);
  panel.hidden = false;
  tickAges(panel);
}

list.addEventListener("click", (event) => {
  const row = event.target.closest("li");
  if (row) choose(Number(row.dataset.id), { show: true });
});

list.addEventListener("keydown", (event) => {
  const shown = [...list.children];
  const here = shown.findIndex((row) => Number(row.dataset.id) === chosen);
  const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: shown.length - 1, PageDown: here + 10, PageUp: here - 10 }[event.key];
  if (to !== undefined && shown.length) {
    event.preventDefault();
    choose(Number(shown[Math.max(0, Math.min(shown.length - 1, to))].dataset.id), { open: !panel.hidden });
  } else if (event.key === "Enter" && chosen !== null) {
    event.preventDefault();
    choose(chosen, { show: true });
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !panel.hidden && !document.querySelector("dialog[open]")) closePanel();
  else if (!isTyping(event) && !event.ctrlKey && !event.metaKey && !event.altKey && event.key === "u") list.focus();
});

form.addEventListener("input", () => {
  drawList();
  drawMap();
  const kept = new URLSearchParams([...new FormData(form)].filter(([name, value]) => value !== "" || name === "state"));
  history.replaceState(null, "", `?${kept}`);
});
form.addEventListener("submit", (event) => event.preventDefault());
for (const [name, value] of new URLSearchParams(location.search)) if (form.elements[name]) form.elements[name].value = value;

// --- the panel's questions -------------------------------------------------------------------------------------------------
function sayEta(text) {
  const place = panel.querySelector("[data-eta-answer]");
  if (place) place.textContent = text;
}

async function askEta(query) {
  sayEta("…");
  const answer = await fetch(`${address("eta")}?${query}`, { credentials: "same-origin" }).catch(() => null);
  const told = await answer?.json().catch(() => null);
  if (!answer?.ok || !told) return sayEta(told?.title ?? texts.failed);
  if (told.seconds === null) return sayEta(texts.etaNo);
  const way = fill(texts.eta, { minutes: Math.max(1, Math.round(told.seconds / 60)), km: (told.metres / 1000).toFixed(1) });
  const from = told.is_stale ? fill(texts.etaStale, { age: ageText(told.age_s) }) : "";
  return sayEta([way, from, told.by, told.note].filter(Boolean).join(" · "));
}

panel.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if ("panelClose" in button.dataset) closePanel();
  else if (button.dataset.trackHours) playback?.open(`${address("track")}?hours=${button.dataset.trackHours}`);
  else if ("etaPoint" in button.dataset) {
    pointWanted = true;
    sayEta(texts.point);
  }
});
panel.addEventListener("change", (event) => {
  if (event.target.matches("[data-eta-incident]") && event.target.value) askEta(new URLSearchParams({ incident: event.target.value }));
});

// --- the map ---------------------------------------------------------------------------------------------------------------
function withMap() {
  const commandMap = mapRoot.commandMap;
  // A place that was asked for goes before whatever else a press could mean.
  commandMap.takers.push((event) => {
    if (!pointWanted) return false;
    pointWanted = false;
    askEta(new URLSearchParams({ lon: event.lngLat.lng.toFixed(6), lat: event.lngLat.lat.toFixed(6) }));
    return true;
  });
  layer = new UnitLayer(commandMap, { ageText, onChoose: (id) => choose(id) });
  playback = new Playback(commandMap, board.querySelector("[data-unit-play]"), { texts, doubts: config.doubts, say: tell });
  layer.start().then(() => {
    const box = mapRoot.querySelector('[data-map-layer="units"]');
    box?.addEventListener("change", () => layer.turn(box.checked));
    layer.select(chosen);
    drawMap();
    board.dataset.units = "ready";
  });
}
if (mapRoot.commandMap) withMap();
else addEventListener("load", withMap, { once: true });

if (panel.dataset.open) choose(Number(panel.dataset.open));
feed.start();
