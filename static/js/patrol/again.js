// Parts of a page that are asked for again every few seconds (data-asks-again="10"), unless somebody is at work in them.
const LEAST_S = 5;

function isInUse(part) {
  const focused = document.activeElement;
  if (focused && focused !== document.body && part.contains(focused) && focused.matches("input:not([type=hidden]), textarea, select")) return true;
  if (part.querySelector("details[open]:not([data-by-itself])")) return true;
  return [...part.querySelectorAll("input[type=checkbox]")].some((box) => box.checked !== box.defaultChecked);
}

const askedAt = new WeakMap();
setInterval(() => {
  if (document.hidden) return;
  for (const part of document.querySelectorAll("[data-asks-again]")) {
    const every = Math.max(LEAST_S, Number(part.dataset.asksAgain)) * 1000;
    const last = askedAt.get(part) ?? askedAt.set(part, Date.now()).get(part);
    if (Date.now() - last < every || isInUse(part)) continue;
    askedAt.set(part, Date.now());
    window.htmx?.trigger(part, "again");
  }
}, 1000);
