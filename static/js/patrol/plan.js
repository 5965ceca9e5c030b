// The planning board: waits for a plan that is being made; dragging a stop, or choosing it, asks the checker at once.

import { drawRoutes } from "./plan_map.js";

const page = document.querySelector("[data-plan]");
const lanes = document.querySelector("[data-lanes]");
const dialog = document.getElementById("change");

// --- being made ----------------------------------------------------------------------------------------------------------
if (page?.querySelector("[data-waiting]")) {
  const look = async () => {
    try {
      const answer = await fetch(page.dataset.stateUrl, { credentials: "same-origin", cache: "no-store" });
      if (answer.ok && !["waiting", "making"].includes((await answer.json()).making)) return location.reload();
    } catch {
      // The next look will tell.
    }
    return setTimeout(look, 1500);
  };
  setTimeout(look, 1200);
}

// --- a unit by itself ----------------------------------------------------------------------------------------------------
const onMap = drawRoutes(document.querySelector("[data-plan-map]"), {
  chooseStop: (id) => document.querySelector(`[data-stop="${id}"]`)?.focus(),
  chooseUnit: (unit) => show(unit),
});

function show(unit) {
  let chosen = null;
  for (const button of document.querySelectorAll("[data-show-unit]")) {
    const isIt = button.dataset.showUnit === String(unit) && button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isIt));
    button.closest(".lane").classList.toggle("is-chosen", isIt);
    if (isIt) chosen = Number(button.dataset.showUnit);
  }
  onMap?.choose(chosen);
}
for (const button of document.querySelectorAll("[data-show-unit]")) button.addEventListener("click", () => show(button.dataset.showUnit));

// --- changing a stop -----------------------------------------------------------------------------------------------------
const clock = lanes && new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: lanes.dataset.zone });
const start = lanes && Date.parse(lanes.dataset.start);
const end = lanes && Date.parse(lanes.dataset.end);
const field = (name) => dialog.querySelector(`[name="${name}"]`);
const checked = dialog?.querySelector("[data-checked]");
let asking = 0;
let opener = null;

function open(values, { isNew = false, from = null } = {}) {
  opener = from;
  dialog.classList.add("is-script");
  dialog.classList.toggle("is-adding", isNew);
  dialog.querySelector("h2").textContent = isNew ? dialog.dataset.textNew : dialog.dataset.textOld;
  for (const name of ["stop", "place", "unit", "at", "minutes"]) field(name).value = values[name] ?? "";
  field("reason").value = "";
  if (dialog.open) dialog.close();
  dialog.showModal();
  ask();
  field(isNew ? "place" : "at").focus();
}

function close() {
  dialog.close();
  opener?.focus();
}

/** What the checker would say of what the form holds now. An older answer never replaces a newer one. */
async function ask() {
  const turn = ++asking;
  const isNew = dialog.classList.contains("is-adding");
  if (isNew ? !field("place").value || !field("unit").value || !field("at").value : !field("stop").value) return say("", "");
  say(dialog.dataset.textAsking, "");
  const form = new FormData(dialog.querySelector("form"));
  form.set("kind", isNew ? "add" : "move");
  if (isNew) form.delete("stop");
  else form.delete("place");
  try {
    const answer = await fetch(dialog.dataset.try, { method: "POST", body: form, credentials: "same-origin" });
    const told = await answer.json();
    if (turn !== asking) return undefined;
    if (told.problem) return say(told.problem, "is-bad");
    if (told.violations.length) return say(told.violations.slice(0, 8).join("\n"), "is-bad");
    const { before, after } = told;
    return say(`${dialog.dataset.textFine} ${before.km} → ${after.km} km`, "is-good");
  } catch {
    return turn === asking ? say(dialog.dataset.textFailed, "is-bad") : undefined;
  }
}

function say(text, kind) {
  checked.textContent = text;
  checked.className = `plan-checked ${kind}`;
}

const valuesOf = (link, more = {}) => ({
  stop: link.dataset.stop,
  unit: link.dataset.unit,
  at: clock.format(new Date(link.dataset.at)),
  minutes: link.dataset.minutes,
  ...more,
});

if (dialog && lanes) {
  lanes.dataset.canDrag = "";
  if (dialog.open) {
    const chosen = document.querySelector(".lanes .stop.chosen")?.closest("a");
    dialog.close();
    if (chosen) open(valuesOf(chosen), { from: chosen });
  }
  const add = document.querySelector("[data-add-stop]");
  add.hidden = false;
  add.addEventListener("click", () => open({ minutes: 13 }, { isNew: true, from: add }));
  dialog.querySelector("[data-close]").addEventListener("click", close);
  dialog.addEventListener("cancel", () => setTimeout(() => opener?.focus()));
  for (const name of ["stop", "place", "unit", "at", "minutes"]) field(name).addEventListener("change", ask);
  field("stop").addEventListener("change", () => {
    const link = lanes.querySelector(`[data-stop="${field("stop").value}"]`);
    if (link) for (const [name, value] of Object.entries(valuesOf(link))) field(name).value = value;
    ask();
  });
  lanes.addEventListener("click", (event) => {
    const link = event.target.closest("[data-stop]");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (!dragged) open(valuesOf(link), { from: link });
  });
  lanes.addEventListener("pointerdown", (event) => {
    const link = event.target.closest("[data-stop]");
    if (link && event.button === 0 && event.isPrimary) grab(link, event);
  });
}

// --- dragging: sideways is time (whole minutes), up and down is the unit --------------------------------------------------
let dragged = false;

function grab(link, first) {
  const track = link.closest("svg");
  const label = document.createElement("div");
  label.className = "lane-when";
  dragged = false;
  const pace = (end - start) / track.clientWidth;
  let at = Date.parse(link.dataset.at);
  let unit = link.dataset.unit;
  const move = (event) => {
    const [dx, dy] = [event.clientX - first.clientX, event.clientY - first.clientY];
    if (!dragged && Math.hypot(dx, dy) < 6) return;
    if (!dragged) {
      dragged = true;
      document.body.append(label);
      link.classList.add("is-dragged");
    }
    event.preventDefault();
    at = Math.round((Date.parse(link.dataset.at) + dx * pace) / 60000) * 60000;
    at = Math.min(Math.max(at, start), end - 60000);
    link.setAttribute("transform", `translate(${dx} ${dy})`);
    const lane = document.elementFromPoint(event.clientX, event.clientY)?.closest(".lane[data-unit]:not(.is-dropped)");
    if (lane) unit = lane.dataset.unit;
    for (const other of lanes.querySelectorAll(".lane[data-unit]")) other.classList.toggle("is-target", other.dataset.unit === unit);
    const name = lanes.querySelector(`[data-show-unit="${unit}"]`).textContent.trim();
    label.textContent = `${name} ${clock.format(new Date(at))}`;
    label.style.left = `${event.clientX + 14}px`;
    label.style.top = `${event.clientY + 14}px`;
  };
  const drop = (event) => {
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", drop);
    removeEventListener("pointercancel", drop);
    label.remove();
    link.classList.remove("is-dragged");
    link.removeAttribute("transform");
    for (const other of lanes.querySelectorAll(".is-target")) other.classList.remove("is-target");
    if (dragged && event.type === "pointerup") open(valuesOf(link, { unit, at: clock.format(new Date(at)) }), { from: link });
    setTimeout(() => (dragged = false));
  };
  addEventListener("pointermove", move, { passive: false });
  addEventListener("pointerup", drop);
  addEventListener("pointercancel", drop);
}
document.addEventListener("dragstart", (event) => {
  if (event.target.closest?.("[data-stop]")) event.preventDefault(); // links are dragged by us, not by the browser
});
