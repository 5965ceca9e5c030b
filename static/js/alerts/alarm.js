// What pages this person, on whatever page they are. Two ways lead here that share nothing: the alerts' socket, which rings, and asking
// for the rows themselves every few seconds. It sounds until somebody acknowledges. Calls for help come first: while one rings, this waits.

import { connectLive } from "../live.js";
import { isAudible, onAudible, ring } from "../patrol/alarm_sound.js";
import { say, serverNow, tickAges } from "../ui.js";
import { countDown, post } from "./acts.js";

const ASK_MS = 4_000;
const CUT_MS = 20_000;
const LATE_MS = 20_000;
const SHOWN = 3;
const RING_MS = 120;

const box = document.getElementById("paging");
const texts = box.dataset;
const list = box.querySelector(".paging-list");
const part = (name) => box.querySelector(`.paging-${name}`);
const token = box.querySelector("[name=csrfmiddlewaretoken]").value;
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: document.body?.dataset.timeZone || undefined });

let alarms = []; // as they were told last
let mutedUntil = null;
let heardAt = Date.now();
let isOut = false;
let toldAt = -1; // the log's number of the newest answer: an older one never overwrites it
const cards = new Map();
const marked = new Set();
const folded = new Set(JSON.parse(kept("alerts.folded") ?? "[]")); // what was there when the box was folded: another one opens it

// --- what we are told ----------------------------------------------------------------------------------------------------

let asking = null;
function ask() {
  asking ??= askOnce().finally(() => { asking = null; });
  return asking;
}

async function askOnce() {
  try {
    const address = `${texts.mineUrl}?lang=${document.documentElement.lang}`;
    const answer = await fetch(address, { headers: { Accept: "application/json" }, redirect: "error", signal: AbortSignal.timeout(8_000) });
    isOut = answer.status === 401;
    if (!answer.ok) return;
    const told = await answer.json();
    heardAt = Date.now();
    if (told.head < toldAt) return;
    toldAt = told.head;
    alarms = told.alerts;
    mutedUntil = told.muted_until ? Date.parse(told.muted_until) : null;
    show();
    markSeen(told.unseen);
  } catch {
    // No answer: the sign says so when it lasts.
  } finally {
    watch();
  }
}

/** They stand on this person's screen: their messages are delivered. A tab nobody looks at has shown nothing. */
async function markSeen(ids) {
  const fresh = ids.filter((id) => !marked.has(id));
  if (!fresh.length || document.hidden) return;
  for (const id of fresh) marked.add(id);
  const body = new URLSearchParams(fresh.map((id) => ["id", id]));
  const reply = await fetch(texts.seenUrl, { method: "POST", body, headers: { "X-CSRFToken": token } }).catch(() => null);
  if (!reply?.ok) for (const id of fresh) marked.delete(id);
}

async function keepAsking() {
  await ask();
  setTimeout(keepAsking, ASK_MS);
}

let rung = null;
function ringsUp() {
  rung ??= setTimeout(async () => {
    rung = null;
    await asking; // what is under way was asked before
    ask();
  }, RING_MS);
}

if (texts.mayFollow) {
  connectLive({ url: "/ws/live?room=alerts", after: 2 ** 53 - 1, onEvent: (event) => { if (event.alert) ringsUp(); }, onReset: () => ask() });
}
keepAsking();
for (const kind of ["online", "focus", "pageshow"]) addEventListener(kind, () => ask());
document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });

function watch() {
  const isCut = Date.now() - heardAt > CUT_MS;
  const sign = part("cut");
  sign.hidden = !isCut && !isOut;
  const text = isOut ? texts.textSignedOut : texts.textCut.replace("{t}", clock.format(heardAt));
  if (!sign.hidden && sign.textContent !== text) sign.textContent = text;
  frame();
}

// --- the auditor: alerting itself is late ----------------------------------------------------------------------------------

async function askLate() {
  const answer = await fetch(texts.lateUrl, { headers: { Accept: "application/json" }, redirect: "error" }).catch(() => null);
  if (answer?.ok) {
    const told = await answer.json();
    const sign = part("late");
    sign.hidden = !told.late;
    sign.textContent = told.late ? [told.text, ...told.lines].join(" · ") : "";
    frame();
  }
  setTimeout(askLate, LATE_MS);
}
if (texts.lateUrl) askLate();

// --- what is shown -------------------------------------------------------------------------------------------------------

function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}

function draw(facts) {
  const card = make("li", "paging-card");
  card.id = `paging-${facts.id}`;
  card.dataset.severity = facts.severity;
  const shape = make("span", "shape");
  shape.setAttribute("role", "img");
  shape.setAttribute("aria-label", facts.level_text);
  const what = make("div", "paging-what");
  const link = make("a");
  link.append(make("bdi", "", facts.title));
  link.href = facts.url;
  const where = make("span", "paging-where", [facts.level_text, facts.place].filter(Boolean).join(" · "));
  const age = make("time", "age");
  age.dateTime = facts.since;
  where.append(" · ", age);
  if (facts.next_at) {
    const due = make("time", "due num");
    due.dateTime = facts.next_at;
    where.append(` · ${texts.textNext} `, due);
  }
  what.append(link, where);
  if (facts.is_synthetic) what.append(make("span", "badge synthetic", texts.textSynthetic));
  card.append(shape, what);
  if (facts.may_acknowledge) {
    const button = make("button", "button primary small", texts.textAcknowledge);
    button.type = "button";
    button.addEventListener("click", async () => {
      button.disabled = true;
      await post(facts.acknowledge_url, {}, token);
      button.disabled = false;
      ask();
    });
    card.append(button);
  }
  return card;
}

function show() {
  const shown = alarms.slice(0, SHOWN);
  const wanted = new Set(shown.map((facts) => facts.id));
  for (const [id, { card }] of cards) if (!wanted.has(id)) { card.remove(); cards.delete(id); }
  shown.forEach((facts, at) => {
    const said = JSON.stringify(facts);
    const known = cards.get(facts.id);
    if (known?.said !== said) {
      // Drawn anew only when it says something else: nobody's button goes away under the hand.
      const card = draw(facts);
      if (known) known.card.replaceWith(card);
      cards.set(facts.id, { said, card });
    }
    const { card } = cards.get(facts.id);
    if (list.children[at] !== card) list.insertBefore(card, list.children[at] ?? null);
  });
  const isFolded = fold();
  const count = alarms.length === 1 ? texts.textOne : texts.textMany.replace("{n}", alarms.length);
  const more = alarms.length - SHOWN;
  part("sum").textContent = more > 0 && !isFolded && !("compact" in texts) ? `${count} · ${texts.textMore.replace("{n}", more)}` : count;
  part("head").hidden = alarms.length === 0;
  tickAges(box);
  countDown(box);
  frame();
  sound();
}

/** One line instead of the cards, until something pages that was not there when it was folded. */
function fold() {
  const isFolded = alarms.length > 0 && alarms.every((facts) => folded.has(saidOf(facts)));
  if (!isFolded && folded.size) foldOnly([]);
  box.toggleAttribute("data-folded", isFolded);
  const button = part("fold");
  button.textContent = isFolded ? texts.textUnfold : texts.textFold;
  button.setAttribute("aria-expanded", String(!isFolded));
  return isFolded;
}

/** What was folded away: the alert as it was then. One that gets worse, or fires again, opens the box. */
const saidOf = (facts) => `${facts.id} ${facts.level} ${facts.fired_at}`;

function foldOnly(said) {
  folded.clear();
  for (const one of said) folded.add(one);
  keep("alerts.folded", JSON.stringify(said));
}

/** A mute holds back what was there when it began; a critical alert that fires later is heard. */
function loud() {
  const isMuted = mutedUntil !== null && mutedUntil > serverNow();
  const mutedAt = isMuted ? Number(kept("alerts.mutedAt") ?? 0) : 0;
  return alarms.filter((facts) => !facts.is_held && (!isMuted || (facts.level === "critical" && mutedAt > 0 && Date.parse(facts.fired_at) > mutedAt)));
}

function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // A browser that keeps nothing: it holds for this page.
  }
}

function frame() {
  const isMuted = mutedUntil !== null && mutedUntil > serverNow();
  part("muted").hidden = !isMuted;
  if (isMuted) part("muted").querySelector("span").textContent = texts.textMuted.replace("{t}", clock.format(mutedUntil));
  part("mute").hidden = isMuted;
  const blocked = part("blocked");
  blocked.hidden = loud().length === 0 || isAudible();
  blocked.textContent = texts.textBlocked;
  const signs = ["late", "cut", "blocked", "muted", "head"].some((name) => !part(name).hidden);
  if (box.hidden === signs) box.hidden = !signs;
  const level = loud()[0]?.level ?? "";
  if (box.dataset.loud !== level) box.dataset.loud = level;
}

// --- what is heard -------------------------------------------------------------------------------------------------------

const isHelpWanted = () => document.getElementById("alarms")?.dataset.loud === "true";
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

let ringing = false;
async function sound() {
  if (ringing) return;
  ringing = true;
  while (loud().length > 0) {
    if (isHelpWanted()) await wait(1_000);
    else await ring(loud()[0].level);
  }
  ringing = false;
  frame();
}

onAudible(() => { frame(); sound(); });

box.addEventListener("click", async (event) => {
  const minutes = event.target.closest("[data-sound]")?.dataset.sound;
  if (minutes === undefined) return;
  part("mute").open = false;
  try {
    const reply = await fetch(texts.soundUrl, { method: "POST", body: new URLSearchParams({ minutes }), headers: { "X-CSRFToken": token } });
    const told = await reply.json();
    if (told.error) return void say(told.error, "warn");
    mutedUntil = told.muted_until ? Date.parse(told.muted_until) : null;
    keep("alerts.mutedAt", String(serverNow()));
  } catch {
    say(document.body.dataset.textFailed);
  }
  show();
});

part("fold").addEventListener("click", () => {
  foldOnly(box.hasAttribute("data-folded") ? [] : alarms.map(saidOf));
  show();
});
// On a phone the page leaves room for the box at its foot.
new ResizeObserver(() => {
  document.documentElement.style.setProperty("--paging-size", box.hidden ? "0px" : `${box.offsetHeight + 16}px`);
}).observe(box);

setInterval(() => { countDown(box); frame(); if (loud().length) sound(); }, 1_000);
