// What a key or a button does with an alert, and the clocks that count down to the next step.

import { isSignedOut, isTyping, say, serverNow } from "../ui.js";

const DEADLINE_MS = 8_000;

export { isTyping };

/** Post; says what came of it. `true` when it was done. */
export async function post(url, fields, token) {
  try {
    const body = new URLSearchParams();
    for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) body.append(name, one);
    const reply = await fetch(url, {
      method: "POST", body, headers: { Accept: "application/json", "X-CSRFToken": token }, signal: AbortSignal.timeout(DEADLINE_MS),
    });
    if (isSignedOut(reply.url)) return false;
    const told = reply.headers.get("Content-Type")?.includes("json") ? await reply.json() : {};
    if (told.error) say(told.error, "warn");
    else if (!reply.ok) say(reply.status === 404 ? document.body.dataset.textGone : document.body.dataset.textFailed);
    else if (told.done) say(told.done, "good");
    return reply.ok;
  } catch {
    say(document.body.dataset.textFailed);
    return false;
  }
}

const two = (n) => String(n).padStart(2, "0");

function left(iso, texts) {
  const seconds = Math.round((Date.parse(iso) - serverNow()) / 1000);
  const size = Math.abs(seconds);
  const clock = size < 3600 ? `${two(Math.floor(size / 60))}:${two(size % 60)}` : `${Math.floor(size / 3600)}:${two(Math.floor((size % 3600) / 60))}:${two(size % 60)}`;
  if (seconds > 0) return clock;
  return size < 5 ? texts.textNow : `${texts.textLate} ${clock}`;
}

/** Every `time.due` inside says how long is left until its moment; what is late says so. */
export function countDown(root) {
  for (const element of root.querySelectorAll("time.due")) {
    const text = left(element.dateTime, root.dataset);
    if (element.textContent !== text) element.textContent = text;
    element.classList.toggle("is-late", Date.parse(element.dateTime) < serverNow() - 5_000);
  }
}
