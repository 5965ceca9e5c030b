// The officer's phone. What the server last said is kept here and shown with its time; what is done here is kept until it is sent.

import { metresBetween, Positions } from "./shift_position.js";
import { csrf, Outbox } from "./shift_outbox.js";
import { Calls, hold, SILENT_HOLD_MS } from "./shift_sos.js";
import { assignmentCard, at, clocks, currentStop, exactly, make, overlaid, say, serverNow, stopCard, stopList, tick, ticking } from "./shift_view.js";

const page = document.getElementById("shift");
const texts = JSON.parse(document.getElementById("shift-texts").textContent);
const url = page.dataset;
const user = url.user;
const KEPT = `khareetaty:${user}:state`;
const ASK_MS = 8_000;
const OLD_MS = 25_000;
const TWICE_MS = 700;
const part = (name) => document.getElementById(`shift-${name}`);

let state = null; // the server's last word
let token = url.sosToken;
let isOut = false;
let sentCalls = [];
let fix = null;
let tappedAt = 0;

try {
  state = JSON.parse(localStorage.getItem(KEPT));
  if (state && String(state.user) !== user) state = null;
  token = localStorage.getItem(`${KEPT}:token`) ?? token;
} catch {
  state = null;
}
if (navigator.onLine) token = url.sosToken;

function take(told) {
  if (String(told.user) !== user) {
    location.reload(); // somebody else has signed in on this phone
    return;
  }
  const before = new Set(state?.assignments.map((one) => one.id) ?? []);
  const fresh = state ? told.assignments.filter((one) => !before.has(one.id)) : [];
  isOut = false;
  if (told.sos_token) token = told.sos_token;
  state = told;
  // The server's clock is for showing ages; ours for knowing when we heard it.
  state.heardAt = Date.now();
  state.skewMs = Date.parse(told.now) - Date.now();
  setClock();
  sentCalls = sentCalls.filter((call) => !told.calls.some((other) => other.id === call.id) && Date.now() - call.sentAt < 60_000);
  try {
    localStorage.setItem(KEPT, JSON.stringify(state));
    localStorage.setItem(`${KEPT}:token`, token);
  } catch {
    // Shown all the same.
  }
  if (fresh.length) {
    navigator.vibrate?.([200, 100, 200]);
    notice(say(texts.new_task, { what: fresh[0].title }));
  }
  draw();
}

function setClock() {
  // Less than that is the way here, not the clock.
  clocks.skewMs = Math.abs(state?.skewMs ?? 0) > 1_500 ? state.skewMs : 0;
  outbox.skewMs = clocks.skewMs;
}

async function ask() {
  try {
    const reply = await fetch(url.stateUrl, { redirect: "error", signal: AbortSignal.timeout(6_000) });
    if (reply.status === 401) signedOut();
    else if (reply.ok) take(await reply.json());
  } catch {
    // The sign says since when.
  }
  draw();
}

function signedOut() {
  isOut = true;
  draw();
}

// --- what is kept and sent ---------------------------------------------------------------------------------------------

const refused = part("refused");

function notice(text) {
  const row = make("li", "", "");
  const close = make("button", "", "×");
  close.type = "button";
  close.setAttribute("aria-label", document.body.dataset.textClose);
  close.addEventListener("click", () => row.remove());
  row.append(make("span", "", text), close);
  refused.append(row);
}

const outbox = new Outbox({
  user,
  url: url.actionsUrl,
  onState: take,
  onChange: () => draw(),
  onRefused: (act, why) => notice(say(texts.refused, { what: act.what || texts[act.to] || act.verb, why })),
  onSignedOut: signedOut,
});

setClock();

const calls = new Calls({
  user,
  url: url.pressUrl,
  token: () => token,
  where: () => (fix ? { lon: fix.lon, lat: fix.lat, accuracy_m: fix.accuracy_m, located_at: fix.at } : {}),
  onChange: (sent) => {
    if (sent && !sent.silent) sentCalls.push({ ...sent, sentAt: Date.now() });
    draw();
    if (sent) ask();
  },
});

const positions = new Positions({
  user,
  url: url.positionsUrl,
  onFix: (found) => {
    fix = found;
    byPosition();
  },
  onChange: () => draw(),
});

/** Where the phone is sure enough of its place, it says itself that it came and went. */
function byPosition() {
  const now = state && overlaid(state, outbox.acts());
  const stop = now && currentStop(now);
  if (!stop || !now.duty || fix.accuracy_m > stop.radius_m) return;
  const away = metresBetween(fix, stop);
  if (!stop.arrived && away <= stop.radius_m) outbox.add({ verb: "arrive", stop: stop.id }, { undo: false, what: say(texts.stop, { n: stop.number }) });
  else if (stop.arrived && serverNow() >= Date.parse(stop.arrived) + stop.seconds * 1000 && away > stop.radius_m * 1.5 + fix.accuracy_m) {
    outbox.add({ verb: "leave", stop: stop.id }, { undo: false, what: say(texts.stop, { n: stop.number }) });
  }
}

// --- drawing -------------------------------------------------------------------------------------------------------------

/** Put it there only when it says something else: what one is about to press stays where it is. */
function put(holder, ...children) {
  const fresh = make("div");
  fresh.append(...children.filter(Boolean));
  if (fresh.innerHTML !== holder.dataset.drawn) {
    holder.dataset.drawn = fresh.innerHTML;
    holder.replaceChildren(...fresh.childNodes);
  }
  tick(holder);
}

function sign(name, text) {
  const element = part(name);
  element.hidden = !text;
  if (element.textContent !== text) element.textContent = text;
}

function draw() {
  const acts = outbox.acts();
  const waiting = acts.filter((act) => act.until <= Date.now()).length;
  sign("waiting", waiting === 0 ? "" : waiting === 1 ? texts.waiting_one : say(texts.waiting, { n: waiting }));
  drawStale();
  drawUndo();
  drawCalls();
  if (!state) return;
  const now = overlaid(state, acts);
  const unit = now.duty?.unit;
  part("unit").textContent = unit?.call_sign ?? (now.duty ? texts.no_unit : texts.off_duty);
  part("state").textContent = now.state?.label ?? "";
  part("state").hidden = !now.state;
  part("duty").textContent = now.duty ? say(texts.on_duty, { t: at(now.duty.since) }) : now.roster ? say(texts.roster_next, { from: at(now.roster.from), to: at(now.roster.to) }) : "";
  drawWork(now);
  drawDuty(now);
  positions.follow(Boolean(now.duty?.unit));
  part("share").hidden = positions.isWanted && !positions.isDenied;
  part("share").textContent = texts.share;
  part("sharing").textContent = positions.isDenied ? texts.sharing_denied : positions.isWanted ? texts.sharing : texts.sharing_off;
}

function drawStale() {
  if (isOut) sign("stale", texts.signed_out);
  else if (!state) sign("stale", navigator.onLine ? "" : say(texts.since, { t: "–" }));
  else if (!navigator.onLine) sign("stale", say(texts.since, { t: exactly(state.heardAt) }));
  else sign("stale", Date.now() - state.heardAt > OLD_MS ? say(texts.old, { t: exactly(state.heardAt) }) : "");
}

function drawWork(now) {
  if (!now.is_member) {
    put(part("now"), make("p", "muted", texts.no_member));
    put(part("steps"));
    return;
  }
  const task = now.assignments.find((one) => one.state !== "assigned") ?? now.assignments[0];
  const stop = currentStop(now);
  const cards = now.assignments.map((one) => assignmentCard(one, { texts, fix, isFirst: one === task }));
  const stopAsCard = stop && now.duty && stopCard(stop, { texts, fix, isFirst: !task });
  const welfare = now.welfare && now.duty ? welfareLine(now.welfare) : null;
  put(part("now"), welfare, ...(task ? [...cards, stopAsCard] : [stopAsCard, now.duty && !stop ? make("p", "muted", now.stops.length ? texts.route_done : `${texts.no_tasks} ${texts.no_route}`) : null]));
  put(part("list"), now.stops.length && now.duty ? stopList(now, texts) : null);
  drawSteps(now, task, stop);
}

function welfareLine(check) {
  const text = check.is_missed ? texts.welfare_missed : serverNow() > Date.parse(check.warn) ? texts.welfare_due : "";
  const line = make("p", text ? "shift-sign" : "muted", text ? `${text} ` : "");
  line.append(ticking(make("span"), Date.parse(check.due), texts.welfare_in, ""));
  return line;
}

function stepButton(kind, text, facts) {
  const button = make("button", `button ${kind}`, text);
  button.type = "button";
  button.dataset.act = JSON.stringify(facts);
  return button;
}

function drawSteps(now, task, stop) {
  const buttons = [];
  if (now.duty) {
    if (now.welfare && serverNow() > Date.parse(now.welfare.warn)) buttons.push(stepButton("welfare", texts.welfare_answer, { verb: "welfare", check: now.welfare.id }));
    if (task) task.next.forEach((step, i) => buttons.push(stepButton(i === 0 ? "primary" : "", texts[step], { verb: "move", assignment: task.id, to: step })));
    else if (stop) buttons.push(stepButton("primary", stop.arrived ? texts.leave : texts.arrive, { verb: stop.arrived ? "leave" : "arrive", stop: stop.id }));
  } else if (now.is_member && !now.isDutyWaiting) buttons.push(stepButton("primary", texts.go_on, { verb: "duty_on" }));
  put(part("steps"), ...buttons);
}

part("steps").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-act]");
  // A finger that comes down twice has said it once: the next step must not stand under its second tap.
  if (!button || Date.now() - tappedAt < TWICE_MS) return;
  tappedAt = Date.now();
  const facts = JSON.parse(button.dataset.act);
  if (facts.verb === "duty_on") {
    const chosen = part("duty-form").querySelector("select")?.value || state.roster?.unit;
    if (chosen) facts.unit = Number(chosen);
  }
  outbox.add(facts, { undo: facts.verb === "move", what: button.textContent });
});

function drawDuty(now) {
  const form = [];
  if (now.duty) form.push(stepButton("", texts.go_off, { verb: "duty_off" }));
  else if (now.units.length) {
    const label = make("label", "", texts.choose_unit);
    const select = make("select");
    select.append(new Option("–", ""));
    for (const unit of now.units) select.append(new Option(unit.call_sign, unit.id, unit.id === now.roster?.unit));
    label.append(select);
    form.push(label);
  }
  put(part("duty-form"), ...form);
}
part("duty-form").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-act]");
  if (button) outbox.add(JSON.parse(button.dataset.act), { undo: false, what: button.textContent });
});

function drawUndo() {
  const act = outbox.undoable();
  const bar = part("undo");
  bar.hidden = !act;
  if (!act) return;
  bar.dataset.key = act.key;
  bar.querySelector("span").textContent = `${texts.noted}: ${act.what} (${Math.ceil((act.until - Date.now()) / 1000)})`;
  bar.querySelector("button").textContent = texts.undo;
}
part("undo").querySelector("button").addEventListener("click", () => outbox.undo(part("undo").dataset.key));

// --- the call for help ---------------------------------------------------------------------------------------------------

function drawCalls() {
  const cards = [];
  for (const call of calls.waiting()) {
    if (call.silent) continue;
    const card = make("div", "shift-call", calls.isOut ? texts.sos_out : texts.sos_sending);
    const ring = make("a", "", texts.ring_112);
    ring.href = "tel:112";
    card.append(ring);
    cards.push(card);
  }
  const known = state?.calls ?? [];
  for (const call of sentCalls) if (!known.some((other) => other.id === call.id)) cards.push(make("div", "shift-call is-sent", say(texts.sos_sent, { t: exactly(call.received_at) })));
  for (const call of known) {
    const card = make("div", `shift-call ${call.answered_by ? "is-answered" : "is-sent"}`, call.answered_by ? say(texts.sos_answered, { name: call.answered_by }) : say(texts.sos_sent, { t: exactly(call.received_at) }));
    card.append(state.has_codes ? withdrawForm(call) : make("span", "muted", texts.no_code));
    cards.push(card);
  }
  put(part("calls"), ...cards);
}

function withdrawForm(call) {
  const form = make("form");
  form.dataset.call = call.id;
  const code = make("input");
  Object.assign(code, { name: "code", type: "password", inputMode: "numeric", autocomplete: "off", maxLength: 8, placeholder: texts.withdraw_code, required: true });
  code.setAttribute("aria-label", texts.withdraw_code);
  form.append(code, Object.assign(make("button", "button", texts.withdraw), { type: "submit" }));
  return form;
}

part("calls").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const answer = await post(url.withdrawUrl.replace("/0/", `/${form.dataset.call}/`), new FormData(form));
  form.reset();
  notice(answer.error ?? texts.withdrawn);
  ask();
});

async function post(address, body) {
  try {
    const reply = await fetch(address, { method: "POST", redirect: "error", headers: { "X-CSRFToken": csrf(), Accept: "application/json" }, body, signal: AbortSignal.timeout(10_000) });
    if (reply.status === 429) return { error: texts.locked };
    return reply.headers.get("Content-Type")?.includes("json") ? await reply.json() : { error: texts.failed };
  } catch {
    return { error: texts.failed };
  }
}

const sos = part("sos");
if (sos) {
  const words = sos.querySelector("span");
  words.textContent = texts.sos_hold;
  hold(sos, () => {
    navigator.vibrate?.(400);
    calls.press();
    words.textContent = texts.sos_hold;
  }, {
    tooShort: () => {
      words.textContent = texts.sos_short;
      setTimeout(() => { words.textContent = texts.sos_hold; }, 2_500);
    },
  });
  hold(part("unit"), () => calls.press({ silent: true }), { ms: SILENT_HOLD_MS });
}

// --- what else there is to press -------------------------------------------------------------------------------------------

part("share").addEventListener("click", () => {
  positions.want(true);
  draw();
});

part("codes")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const told = await post(form.action, new FormData(form));
  const problem = form.querySelector(".error");
  problem.hidden = !told.error;
  problem.textContent = told.error ? [told.error, ...Object.values(told.fields ?? {})].join(" ") : "";
  if (told.error) return;
  form.reset();
  notice(texts.saved);
  ask();
});

// Whoever signs out leaves nothing of the shift on the phone but what is still to be sent.
document.querySelector('form[action="/sign-out/"]')?.addEventListener("submit", () => {
  for (const name of [KEPT, `${KEPT}:token`]) localStorage.removeItem(name);
  caches?.keys().then((names) => names.filter((name) => name.startsWith("shift-")).forEach((name) => caches.delete(name)));
});

navigator.serviceWorker?.register(url.workerUrl, { scope: "/patrol/me/" }).catch(() => {});
draw();
ask();
outbox.send();
setInterval(draw, 1_000);
setInterval(() => { if (!document.hidden) ask(); }, ASK_MS);
for (const kind of ["online", "offline", "pageshow"]) addEventListener(kind, () => { draw(); if (navigator.onLine) ask(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
