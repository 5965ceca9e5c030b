// What every page has: ticking ages, menus, the help dialog, the search box, messages, and what to say when a request fails.

const texts = document.body.dataset;

// --- ages: one timer for all of them ---------------------------------------------------------------------------------
// The server's clock minus ours, in ms: the page says when it was made, and the browser when it began to arrive.
const arrived = performance.timeOrigin + (performance.getEntriesByType("navigation")[0]?.responseStart ?? 0);
const skew = Date.parse(texts.now) - arrived;
const clockOffset = Math.abs(skew) > 1500 ? skew : 0; // less than that is the way here, not the clock

export const serverNow = () => Date.now() + clockOffset;

const two = (n) => String(n).padStart(2, "0");

export function ageOf(iso, now = serverNow()) {
  const seconds = Math.max(0, Math.floor((now - Date.parse(iso)) / 1000));
  if (seconds < 3600) return `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
  const hours = Math.floor(seconds / 3600);
  if (hours < 24) return texts.ageHours.replace("{h}", hours).replace("{m}", two(Math.floor((seconds % 3600) / 60)));
  return texts.ageDays.replace("{d}", Math.floor(hours / 24)).replace("{h}", hours % 24);
}

export function tickAges(root = document) {
  const now = serverNow();
  for (const element of root.querySelectorAll("time.age")) {
    const text = ageOf(element.getAttribute("datetime"), now);
    if (element.textContent !== text) element.textContent = text;
  }
}
tickAges();
setInterval(() => { if (!document.hidden) tickAges(); }, 1000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) tickAges(); });

/** Times of day as the installation's clock shows them, wherever the device is. */
export function clockOf({ seconds = false } = {}) {
  const parts = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: document.body?.dataset.timeZone || undefined };
  return new Intl.DateTimeFormat("en-GB", seconds ? { ...parts, second: "2-digit" } : parts);
}

// --- messages --------------------------------------------------------------------------------------------------------
const toasts = document.querySelector(".toasts");

export function say(text, kind = "bad", { key = text, stays = false } = {}) {
  if (!toasts) return;
  for (const old of toasts.children) if (old.dataset.key === key) old.remove();
  const note = document.createElement("div");
  note.className = `note ${kind}`;
  note.dataset.key = key;
  const words = document.createElement("span");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.dataset.dismiss = "";
  close.setAttribute("aria-label", texts.textClose);
  close.textContent = "×";
  note.append(words, close);
  toasts.append(note);
  if (!stays) setTimeout(() => note.remove(), 8000);
}

export function unsay(key) {
  for (const old of toasts?.children ?? []) if (old.dataset.key === key) old.remove();
}

for (const note of toasts?.children ?? []) if (note.classList.contains("good")) setTimeout(() => note.remove(), 6000);

addEventListener("offline", () => say(texts.textOffline, "warn", { key: "offline", stays: true }));
addEventListener("online", () => unsay("offline"));

// --- requests that fail ----------------------------------------------------------------------------------------------
/** True when the answer is the sign-in page: the session has ended. Goes there, and comes back afterwards. */
export function isSignedOut(url) {
  if (!url || new URL(url, location.href).pathname !== "/sign-in/") return false;
  location.assign(`/sign-in/?next=${encodeURIComponent(location.pathname + location.search)}`);
  return true;
}

document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (isSignedOut(event.detail.xhr.responseURL)) {
    event.detail.shouldSwap = false;
    say(texts.textSignedOut, "warn");
  }
});
document.body.addEventListener("htmx:responseError", (event) => say(event.detail.xhr.status === 404 ? texts.textGone : texts.textFailed));
for (const kind of ["htmx:sendError", "htmx:timeout"]) document.body.addEventListener(kind, () => say(texts.textFailed));
document.body.addEventListener("htmx:afterSettle", (event) => tickAges(event.target.parentElement ?? document));

// --- menus, dialogs, dismissals --------------------------------------------------------------------------------------
const help = document.getElementById("help");
const command = document.getElementById("command");

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.opens) {
    for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
    document.getElementById(button.dataset.opens)?.showModal();
  }
  if ("dismiss" in button.dataset) button.parentElement.remove();
});
help?.addEventListener("click", (event) => { if (event.target === help) help.close(); });

// A line of links that is longer than the screen starts at the page one is on.
document.querySelector(".subnav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// --- keys ------------------------------------------------------------------------------------------------------------
/** Whether this key press belongs to something that is being written in. */
export function isTyping(event) {
  return event.target.closest?.("input, textarea, select, [contenteditable]") != null;
}

document.addEventListener("keydown", (event) => {
  const isCommand = (event.ctrlKey || event.metaKey) && event.code === "KeyK";
  if (isCommand && command) {
    event.preventDefault();
    command.focus();
    command.select();
    return;
  }
  if (event.key === "Escape") {
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (event.target === command) command.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || document.querySelector("dialog[open]")) return;
  if (event.key === "/" && command) {
    event.preventDefault();
    command.focus();
    command.select();
  } else if (event.key === "?" || event.key === "؟") {
    event.preventDefault();
    help?.showModal();
  }
});

// --- the search box also takes commands ------------------------------------------------------------------------------
const commands = document.getElementById("commands");

function offer() {
  const words = command.value.trim().toLocaleLowerCase();
  let left = 0;
  for (const option of commands.children) {
    option.hidden = words !== "" && !option.textContent.toLocaleLowerCase().includes(words);
    if (!option.hidden) left += 1;
  }
  choose(null);
  show(left > 0);
}

function show(is) {
  commands.hidden = !is;
  command.setAttribute("aria-expanded", String(is));
  if (!is) choose(null);
}

function choose(option) {
  for (const other of commands.children) other.setAttribute("aria-selected", String(other === option));
  if (option) {
    command.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  } else command.removeAttribute("aria-activedescendant");
}

function run(option) {
  show(false);
  command.blur();
  if (option.dataset.opens) document.getElementById(option.dataset.opens).showModal();
  else location.assign(option.dataset.href);
}

if (command && commands) {
  command.addEventListener("focus", offer);
  command.addEventListener("input", offer);
  command.addEventListener("blur", () => show(false));
  command.addEventListener("keydown", (event) => {
    const shown = [...commands.children].filter((option) => !option.hidden);
    const chosen = shown.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && shown.length) {
      event.preventDefault();
      show(true);
      const by = event.key === "ArrowDown" ? 1 : -1;
      choose(shown[(chosen + by + (chosen < 0 && by < 0 ? 1 : 0) + shown.length) % shown.length]);
    } else if (event.key === "Enter") {
      if (chosen >= 0) {
        event.preventDefault();
        run(shown[chosen]);
      } else show(false);
    } else if (event.key === "Escape") show(false);
  });
  // Before the box loses focus and the list with it.
  commands.addEventListener("mousedown", (event) => {
    event.preventDefault();
    const option = event.target.closest("[role=option]");
    if (option) run(option);
  });
}
