// The list of devices narrows itself as its form is filled in, and is asked for again now and then.

const ASK_MS = 15_000;
const TYPING_MS = 250;

const form = document.querySelector("[data-device-filter]");
const list = document.getElementById("device-list");
let timer = null;
let running = null;

function query() {
  const asked = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...asked]) if (!value) asked.delete(name);
  return asked;
}

async function load(asked) {
  running?.abort();
  running = new AbortController();
  const answer = await fetch(`${form.dataset.rowsUrl}?${asked}`, { credentials: "same-origin", signal: running.signal }).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  list.innerHTML = await answer.text();
}

function narrow() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    const asked = query();
    history.replaceState(null, "", asked.size ? `?${asked}` : location.pathname);
    load(asked);
  }, TYPING_MS);
}

form.addEventListener("input", narrow);
form.addEventListener("change", narrow);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  narrow();
});
setInterval(() => {
  const isRead = list.contains(document.activeElement) && document.activeElement !== document.body;
  if (!document.hidden && !isRead) load(new URLSearchParams(location.search));
}, ASK_MS);
