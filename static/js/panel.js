// One incident's panel: follows its incident, and never takes a form out of somebody's hands.
import { isSignedOut, tickAges } from "./ui.js";

const panel = () => document.getElementById("incident");

/** Whether somebody is in the middle of something in the panel. */
function isInUse() {
  const here = panel();
  if (!here) return false;
  const focused = document.activeElement;
  if (here.contains(focused) && focused.matches("input:not([type=hidden]), textarea, select")) return true;
  for (const field of here.querySelectorAll("textarea, input:not([type=hidden]):not([type=radio]):not([type=checkbox])")) {
    if (field.value !== field.defaultValue) return true;
  }
  return here.querySelector("details.more-step[open]:not([data-by-itself])") !== null;
}

/** Fetch the panel again; swap it in only when its timeline is longer than the one shown, or it has been warned of. */
async function refresh({ marked = false } = {}) {
  const here = panel();
  if (!here) return;
  const seen = here.dataset.seen;
  const url = here.dataset.panelUrl + (marked ? `?seen=${seen}` : "");
  const answer = await fetch(url, { headers: { "HX-Request": "true" }, credentials: "same-origin" }).catch(() => null);
  if (!answer || !answer.ok || isSignedOut(answer.url)) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("incident");
  const now = panel();
  if (!fresh || !now || now.dataset.ref !== fresh.dataset.ref) return;
  if (!marked && fresh.dataset.seen === now.dataset.seen && fresh.dataset.warned === now.dataset.warned) return;
  if (!marked && isInUse()) {
    now.querySelector("#incident-changed").hidden = false;
    return;
  }
  // The units keep what they show until their section has been asked for again.
  const [units, shown] = [fresh.querySelector("#dispatch"), now.querySelector("#dispatch")];
  if (units && shown) units.replaceChildren(...[...shown.childNodes].map((node) => document.adoptNode(node.cloneNode(true))));
  now.replaceWith(document.adoptNode(fresh));
  window.htmx?.process(fresh);
  tickAges(fresh);
}

let waiting = null;
/** An event about `ref` came in. */
export function incidentChanged(ref) {
  if (panel()?.dataset.ref !== ref) return;
  clearTimeout(waiting);
  waiting = setTimeout(refresh, 250);
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-refreshes-panel]")) refresh({ marked: true });
});

// After a step the button that was pressed is gone: keep the reader where they were.
document.body.addEventListener("htmx:afterSwap", (event) => {
  const here = panel();
  if (!here || !(event.target.id === "incident" || event.target.id === "side")) return;
  if (document.activeElement === document.body) {
    here.tabIndex = -1;
    here.focus({ preventScroll: true });
  }
});
