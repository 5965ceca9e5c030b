// The command centre's first page follows the log: newest incidents, figures, map and panels.
import { follow } from "../feed.js";
import { tickAges } from "../ui.js";

const centre = document.getElementById("centre");
const newest = document.getElementById("newest");
const map = document.querySelector("[data-map]");
const MOST = Number(newest.dataset.most);
const CALM_MS = 2_000; // figures and panels are asked for at most this often
const due = new Map();

function parse(html, selector) {
  return new DOMParser().parseFromString(html, "text/html").querySelector(selector);
}

function settle(event) {
  if (!event.html) return;
  const card = parse(`<ol>${event.html}</ol>`, "li.card");
  if (!card) return;
  const shown = document.getElementById(card.id);
  if (shown) shown.replaceWith(card);
  else if (event.type === "incident.opened") {
    newest.prepend(card);
    card.classList.add("is-new");
    document.getElementById("newest-empty")?.remove();
    while (newest.children.length > MOST) newest.lastElementChild.remove();
  }
  tickAges(newest);
}

function point(event) {
  const api = map?.mapApi;
  if (!api) return;
  if (event.feature && event.open) api.upsert(event.feature);
  else if (event.id && event.open === false) api.remove(event.id);
}

/** Ask for a part of the page again, soon and not too often. */
function renew(url, selector) {
  if (due.has(url)) return;
  due.set(
    url,
    setTimeout(async () => {
      due.delete(url);
      const shown = document.querySelector(selector);
      if (!shown || shown.contains(document.activeElement) || shown.matches(":hover")) {
        renew(url, selector); // not under somebody's hand
        return;
      }
      const answer = await fetch(url, { redirect: "error" }).catch(() => null);
      if (!answer?.ok) return;
      const fresh = parse(await answer.text(), selector);
      if (fresh) shown.replaceWith(document.adoptNode(fresh));
      tickAges(document);
    }, CALM_MS),
  );
}

function take(event) {
  settle(event);
  point(event);
  if (event.refresh) map?.mapApi?.reload?.();
  renew(centre.dataset.figuresUrl, "#figures");
  if (event.refresh || !event.type?.startsWith("incident.") || event.type === "incident.opened") renew(centre.dataset.panelsUrl, "#centre-panels");
}

follow({ room: "all", after: Number(centre.dataset.liveFrom), onEvent: take });
