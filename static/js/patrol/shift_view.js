// Draws the officer's shift from plain values: the server's last word, and over it what was done here and is not sent yet.

import { metresBetween } from "./shift_position.js";
import { clockOf } from "../ui.js";

const STEPS = ["accepted", "en_route", "on_scene", "done"];
const clock = clockOf();
const exact = clockOf({ seconds: true });

/** How far the server's clock is ahead of the phone's: what the server says of times is measured by its own. */
export const clocks = { skewMs: 0 };
export const serverNow = () => Date.now() + clocks.skewMs;

export const at = (iso) => clock.format(new Date(iso));
export const exactly = (moment) => exact.format(new Date(moment));
export const say = (text, values = {}) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

export function lasting(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${String(Math.floor(seconds / 60)).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`;
}

export function make(tag, name = "", text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}

/** How things will stand once what waits here has been taken. */
export function overlaid(state, acts) {
  const now = structuredClone(state);
  for (const act of acts) {
    if (act.verb === "move") {
      const one = now.assignments.find((other) => other.id === act.assignment);
      if (!one) continue;
      Object.assign(one, { state: act.to, since: act.at, isWaiting: true, next: STEPS.slice(STEPS.indexOf(act.to) + 1) });
      if (act.to === "done") now.assignments = now.assignments.filter((other) => other !== one);
    } else if (act.verb === "arrive" || act.verb === "leave") {
      const stop = now.stops.find((other) => other.id === act.stop);
      if (stop) Object.assign(stop, act.verb === "arrive" ? { arrived: act.at, state: "on_scene" } : { left: act.at, state: "done" }, { isWaiting: true });
    } else if (act.verb === "welfare" && now.welfare?.id === act.check) {
      const due = Date.parse(act.at) + now.welfare.minutes * 60_000;
      Object.assign(now.welfare, { due: new Date(due).toISOString(), warn: new Date(due - Math.min(120, now.welfare.minutes * 12) * 1000).toISOString(), is_missed: false, isWaiting: true });
    } else if (act.verb === "duty_off") {
      now.duty = null;
      now.isDutyWaiting = true;
    } else if (act.verb === "duty_on") now.isDutyWaiting = true;
  }
  return now;
}

/** The stop one stands at, else the next; nothing when the route is finished. */
export const currentStop = (state) => state.stops.find((stop) => stop.arrived && !stop.left) ?? state.stops.find((stop) => !stop.arrived && !stop.left && !["done", "cancelled", "auto_closed"].includes(stop.state));

function distance(fix, place, texts) {
  if (!fix || place.lon === null) return "";
  const metres = metresBetween(fix, place);
  return metres < 950 ? say(texts.metres, { m: Math.round(metres / 10) * 10 }) : say(texts.kilometres, { km: (metres / 1000).toFixed(1) });
}

function links(place, url, texts) {
  const row = make("div", "links");
  if (place.lon !== null) {
    const way = make("a", "button", texts.navigate);
    way.href = `geo:${place.lat},${place.lon}?q=${place.lat},${place.lon}`;
    row.append(way);
  }
  if (url) {
    const more = make("a", "button", texts.details);
    more.href = url;
    row.append(more);
  }
  return row;
}

export function assignmentCard(one, { texts, fix, isFirst }) {
  const card = make("article", `shift-card ${isFirst ? "is-first" : ""}`);
  const head = make("header");
  head.append(make("b", "", say(texts.priority, { n: one.priority })), make("h2", "", one.title));
  if (one.ref) head.append(make("bdi", "muted", one.ref));
  card.append(head);
  const line = [one.isWaiting ? `${texts[one.state] ?? one.state} (${texts.not_sent})` : one.label, one.since ? at(one.since) : "", one.area, distance(fix, one, texts)];
  card.append(make("p", "", line.filter(Boolean).join(" · ")));
  if (one.what) card.append(make("p", "", one.what));
  card.append(links(one, one.url, texts));
  return card;
}

/** A clock that is drawn once and then only ticks, so that nothing beside it is put anew under a finger. */
export function ticking(element, until, left, over) {
  Object.assign(element.dataset, { until, left, over });
  return element;
}

export function tick(root) {
  for (const element of root.querySelectorAll("[data-until]")) {
    const rest = Number(element.dataset.until) - serverNow();
    const text = say(rest > 0 ? element.dataset.left : element.dataset.over, { t: lasting(Math.abs(rest)) });
    if (element.textContent !== text) element.textContent = text;
    element.classList.toggle("is-up", rest <= 0);
  }
}

export function stopCard(stop, { texts, fix, isFirst }) {
  const card = make("article", `shift-card ${isFirst ? "is-first" : ""}`);
  const head = make("header");
  head.append(make("h2", "", stop.arrived ? texts.at_stop : texts.next_stop), make("span", "muted", say(texts.stop, { n: stop.number })));
  if (stop.isWaiting) head.append(make("span", "pill", texts.not_sent));
  card.append(head);
  if (stop.arrived) {
    const big = make("p", "shift-clock");
    big.setAttribute("role", "timer");
    card.append(ticking(big, Date.parse(stop.arrived) + stop.seconds * 1000, texts.time_left, texts.time_up));
  }
  const line = [stop.area, say(texts.planned, { from: at(stop.arrive), to: at(stop.leave) }), distance(fix, stop, texts), stop.why];
  card.append(make("p", "", line.filter(Boolean).join(" · ")));
  if (stop.tactics.length) card.append(make("p", "muted", stop.tactics.join(" · ")));
  card.append(links(stop, "", texts));
  return card;
}

export function stopList(state, texts) {
  const list = make("ol");
  for (const stop of state.stops) {
    const isOver = stop.left || ["done", "cancelled", "auto_closed"].includes(stop.state);
    const row = make("li", isOver ? "is-over" : "");
    row.append(make("span", "", `${stop.number}. ${stop.area}`), make("bdi", "num", `${at(stop.arrive)}–${at(stop.leave)}`));
    list.append(row);
  }
  if (state.break) {
    const row = make("li", "muted");
    row.append(make("span", "", say(texts.break, { from: at(state.break[0]), to: at(state.break[1]) })));
    list.append(row);
  }
  return list;
}
