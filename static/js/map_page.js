// The map's own page: one form narrows the map and the list beside it; what happens elsewhere comes in by itself.

import { follow } from "./feed.js";
import { isSignedOut, say, tickAges } from "./ui.js";

const page = document.querySelector("[data-map-page]");
const form = page.querySelector("[data-map-form]");
const drawer = document.getElementById("map-list");
const root = page.querySelector("[data-map]");

const head = () => drawer.querySelector("[data-live-head]");
const query = () => head().dataset.query;

function markCard(id, { scroll = false } = {}) {
  for (const card of drawer.querySelectorAll(".card")) {
    const isIt = card.id === `incident-${id}`;
    if (isIt) card.setAttribute("aria-current", "true");
    else card.removeAttribute("aria-current");
    if (isIt && scroll) card.scrollIntoView({ block: "nearest" });
  }
}

let asked = 0;
async function readList(search) {
  const turn = ++asked;
  drawer.classList.add("is-loading");
  try {
    const answer = await fetch(`${page.dataset.listUrl}?${search}`, { credentials: "same-origin" }).catch(() => null);
    if (answer && isSignedOut(answer.url)) return;
    if (!answer?.ok) return void say(document.body.dataset.textFailed);
    const html = await answer.text();
    if (turn !== asked) return;
    drawer.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
    tickAges(drawer);
    live?.rewind(Number(head().dataset.liveHead));
  } finally {
    if (turn === asked) drawer.classList.remove("is-loading");
  }
}

function search() {
  const given = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...given]) if (!value) given.delete(name, value);
  return given.toString();
}

async function narrow(text, { push = true } = {}) {
  if (push) history.pushState(null, "", text ? `?${text}` : location.pathname);
  await readList(text);
  root.mapApi?.setFilter(query());
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  narrow(search());
});
form.addEventListener("change", (event) => {
  if (event.target.matches("select")) narrow(search());
});
page.querySelector("[data-map-clear]").addEventListener("click", (event) => {
  event.preventDefault();
  for (const field of form.elements) if (field.name) field.value = field.tagName === "SELECT" ? (field.options[0]?.value ?? "") : "";
  narrow("");
});
addEventListener("popstate", () => location.reload());

drawer.addEventListener("click", (event) => {
  const refresh = event.target.closest("[data-map-refresh]");
  if (refresh) return void readList(query());
  const card = event.target.closest(".card");
  if (!card || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const id = Number(card.id.replace("incident-", ""));
  // A card beside the map points at its place; where it has none, its link opens the page as ever.
  if (!root.commandMap?.points.get(id)) return;
  event.preventDefault();
  markCard(id);
  root.mapApi.show(id);
});
root.addEventListener("map:select", (event) => markCard(event.detail.id, { scroll: true }));

// --- live -------------------------------------------------------------------------------------------------------------

let live = null;
function heard(event) {
  if (event.refresh) root.mapApi.reload();
  else if (event.open === false) root.mapApi.remove(event.id);
  else if (event.feature) root.mapApi.upsert(event.feature);
  else return;
  // The list stays as it was read until its reader asks.
  const button = drawer.querySelector("[data-map-refresh]");
  if (button) button.hidden = false;
}

live = await follow({ room: "all", after: Number(head().dataset.liveHead), onEvent: heard, onReset: () => location.reload() });
