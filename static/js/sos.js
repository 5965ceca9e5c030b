// Calls for help and missed welfare checks, over everything, on whatever page. Two ways lead here that share nothing: a socket of its own
// (room "alarms"), and asking for the rows every few seconds. Either is enough. It rings until a person has answered.

import { connectLive } from "./live.js";
import { isAudible, onAudible, ring } from "./patrol/alarm_sound.js";
import { clockOf, isSignedOut, say, tickAges } from "./ui.js";

const ASK_MS = 4_000;
const CUT_MS = 15_000; // neither way has told us anything for so long
const FLASH_MS = 1_000;

const box = document.getElementById("alarms");
const texts = box.dataset;
const list = box.querySelector(".alarm-list");
const mutedSign = box.querySelector(".alarm-muted");
const cutSign = box.querySelector(".alarm-cut");
const title = document.title;
const clock = clockOf({ seconds: true });

const alarms = new Map(); // key → {facts, seq, card}
let heardAt = Date.now();
let isOut = false;

// --- what we are told ------------------------------------------------------------------------------------------------

/** `seq`: the log's number this was read at or after. An older answer never overwrites what is newer. */
function take(facts, seq) {
  const known = alarms.get(facts.key);
  if (known && known.seq > seq) return;
  const isHidden = String(facts.caller) === texts.user && (facts.is_silent || facts.is_duress);
  if (!facts.is_open || isHidden) {
    if (known && facts.kind === "sos" && facts.ended) {
      say(texts.textEnded.replace("{who}", facts.call_sign || facts.who).replace("{how}", facts.ended), "warn", { key: facts.key });
    }
    drop(facts.key);
  } else {
    // A card is drawn anew only when it says something else: nobody's button goes away under the hand because a call was sent again.
    const said = JSON.stringify({ ...facts, repeats: 0 });
    const isNews = known?.said !== said;
    alarms.set(facts.key, { facts, seq, said, card: isNews ? draw(facts, known?.card) : known.card });
  }
  show();
}

function drop(key) {
  alarms.get(key)?.card.remove();
  alarms.delete(key);
}

const live = connectLive({
  url: "/ws/live?room=alarms",
  after: 2 ** 53 - 1, // from now on: what is open already is asked for below
  onEvent: (event) => { if (event.alarm) take(event.alarm, event.seq); },
  onReset: () => ask(),
});

let asking = null;
function ask() {
  asking ??= askOnce().finally(() => { asking = null; });
  return asking;
}

async function askOnce() {
  try {
    const address = `${texts.openUrl}?lang=${document.documentElement.lang}`;
    const answer = await fetch(address, { headers: { Accept: "application/json" }, redirect: "error", signal: AbortSignal.timeout(ASK_MS) });
    isOut = answer.status === 401 || answer.status === 403;
    if (!answer.ok) return;
    const told = await answer.json();
    heardAt = Date.now();
    const there = new Set(told.alarms.map((facts) => facts.key));
    for (const [key, known] of alarms) if (!there.has(key) && known.seq <= told.head) drop(key);
    for (const facts of told.alarms) take(facts, told.head);
    show();
  } catch {
    // No answer: the sign says so when it lasts.
  } finally {
    watch();
  }
}

function watch() {
  if (live.state.state === "live") heardAt = Date.now();
  const isCut = Date.now() - heardAt > CUT_MS;
  cutSign.hidden = !isCut && !isOut;
  const text = isOut ? texts.textSignedOut : texts.textCut.replace("{t}", clock.format(heardAt));
  if (!cutSign.hidden && cutSign.textContent !== text) cutSign.textContent = text;
  show();
}

async function keepAsking() {
  await ask();
  setTimeout(keepAsking, ASK_MS);
}
keepAsking();
for (const kind of ["online", "focus", "pageshow"]) addEventListener(kind, () => ask());
document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });

// --- what is shown ---------------------------------------------------------------------------------------------------

function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}

function age(iso) {
  const time = make("time", "age");
  time.dateTime = iso;
  return time;
}

function draw(facts, old) {
  const card = make("li", `alarm ${facts.kind}`);
  card.id = `alarm-${facts.key}`;
  card.dataset.answered = String(Boolean(facts.answered_by));
  const head = make("div", "alarm-head");
  head.append(make("b", "alarm-kind", facts.kind === "sos" ? texts.textSos : texts.textWelfare));
  const who = make("span", "alarm-who");
  if (facts.call_sign) who.append(make("bdi", "sign", facts.call_sign), " ");
  who.append(make("bdi", "", facts.who));
  head.append(who);
  if (facts.is_synthetic) head.append(make("span", "badge synthetic", texts.textSynthetic));
  card.append(head);
  const when = make("p", "alarm-when", `${facts.kind === "sos" ? texts.textPressed : texts.textDue} `);
  when.append(age(facts.since), facts.agency ? ` · ${facts.agency}` : "");
  card.append(when, where(facts));
  for (const [is, text] of [
    [facts.is_duress, texts.textDuress],
    [facts.is_silent, texts.textSilent],
    [facts.wrong_codes > 0, texts.textWrong.replace("{n}", facts.wrong_codes)],
  ]) if (is) card.append(make("p", "alarm-warning", text));
  const actions = make("div", "actions");
  if (facts.answered_by) {
    const line = make("p", "alarm-answered", `${texts.textAnswered.replace("{name}", facts.answered_by)} `);
    line.append(age(facts.answered_at));
    card.append(line);
  } else if (String(facts.caller) !== texts.user) {
    const button = make("button", "button primary", facts.kind === "sos" ? texts.textAnswer : texts.textHeard);
    button.type = "button";
    button.addEventListener("click", () => answer(facts, button));
    actions.append(button);
  }
  const link = make("a", "button", facts.kind === "sos" ? texts.textOpen : texts.textTimers);
  link.href = facts.url;
  actions.append(link);
  card.append(actions);
  tickAges(card);
  if (old?.isConnected) old.replaceWith(card);
  else list.prepend(card);
  return card;
}

function where(facts) {
  const line = make("p", "alarm-where");
  if (facts.lon === null) {
    line.textContent = texts.textNoPosition;
    return line;
  }
  const spot = make("bdi", "num", `${facts.lat.toFixed(5)}, ${facts.lon.toFixed(5)}`);
  spot.dir = "ltr";
  if (facts.place) line.append(make("b", "", facts.place), " ");
  line.append(spot);
  if (facts.accuracy_m !== null) line.append(" ", make("bdi", "", texts.textAccuracy.replace("{m}", Math.round(facts.accuracy_m))));
  if (facts.located_at) line.append(` · ${texts.textPosition}: `, age(facts.located_at));
  return line;
}

async function answer(facts, button) {
  button.disabled = true;
  try {
    const token = box.querySelector("[name=csrfmiddlewaretoken]").value;
    const reply = await fetch(facts.answer_url, {
      method: "POST", headers: { Accept: "application/json", "X-CSRFToken": token }, signal: AbortSignal.timeout(8_000),
    });
    if (isSignedOut(reply.url)) return;
    const told = reply.headers.get("Content-Type")?.includes("json") ? await reply.json() : {};
    if (told.error) say(told.error, "warn");
    else if (!reply.ok) say(texts.textUnsent);
    if (told.alarm) take(told.alarm, alarms.get(facts.key)?.seq ?? 0);
    else await ask();
  } catch {
    say(texts.textUnsent);
  } finally {
    button.disabled = false;
  }
}

const unanswered = () => [...alarms.values()].map(({ facts }) => facts).filter((facts) => !facts.answered_by && String(facts.caller) !== texts.user);

/** In the browser's top layer, above whatever was opened there before; a dialog that is open would hold all else inert, so we go inside. */
function show() {
  const loud = unanswered();
  box.dataset.loud = String(loud.length > 0);
  mutedSign.hidden = loud.length === 0 || isAudible();
  mutedSign.textContent = texts.textMuted;
  const isWanted = alarms.size > 0 || !cutSign.hidden;
  const modal = [...document.querySelectorAll("dialog:modal")].at(-1);
  const home = modal ?? document.body;
  if (box.parentElement !== home) {
    if (box.matches(":popover-open")) box.hidePopover();
    home.append(box);
  }
  if (isWanted !== box.matches(":popover-open")) box.togglePopover(isWanted);
  sound();
  flash();
}

// A dialog may open after the alarm: it must not cover or disable it.
new MutationObserver(() => { if (alarms.size || box.parentElement !== document.body) show(); }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["open"] });

// --- what is heard, and the tab's title --------------------------------------------------------------------------------

let ringing = false;
async function sound() {
  if (ringing) return;
  ringing = true;
  while (unanswered().length > 0) await ring(unanswered().some((facts) => facts.kind === "sos") ? "sos" : "welfare");
  ringing = false;
}

mutedSign.addEventListener("click", () => show());
onAudible(() => show());

let flashing = null;
function flash() {
  const loud = unanswered();
  if (loud.length === 0) {
    clearInterval(flashing);
    flashing = null;
    if (document.title !== title) document.title = title;
    return;
  }
  flashing ??= setInterval(() => {
    const [first] = unanswered();
    const sign = first ? `● ${first.kind === "sos" ? texts.textSos : texts.textWelfare} ${first.call_sign || first.who}` : title;
    document.title = document.title === sign ? title : sign;
  }, FLASH_MS);
}
