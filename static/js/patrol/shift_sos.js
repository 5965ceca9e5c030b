// The officer's call for help. A press that is held long enough to be meant is kept on the phone and sent until the server says it has it;
// no press is taken for a repeat of another.

import { uuid } from "./shift_outbox.js";

const HOLD_MS = 800;
const SILENT_HOLD_MS = 1_200;
const FIRST_AGAIN_MS = 700;
const LONGEST_AGAIN_MS = 3_000;

export class Calls {
  constructor({ user, url, token, where, onChange }) {
    Object.assign(this, { url, token, where, onChange });
    this.prefix = `khareetaty:${user}:sos:`;
    this.isOut = false;
    this.attempts = new Set();
    for (const call of this.waiting()) this.send(call);
    addEventListener("online", () => { for (const call of this.waiting()) this.send(call); });
  }

  waiting() {
    const found = [];
    for (let i = 0; i < localStorage.length; i += 1) {
      const name = localStorage.key(i);
      if (name.startsWith(this.prefix)) found.push(JSON.parse(localStorage.getItem(name)));
    }
    return found;
  }

  press({ silent = false } = {}) {
    const call = { key: uuid(), pressed_at: new Date().toISOString(), silent, ...this.where() };
    try {
      localStorage.setItem(this.prefix + call.key, JSON.stringify(call));
    } catch {
      // Storage is full: it is sent all the same, for as long as this page is open.
    }
    this.send(call);
    this.onChange();
    return call;
  }

  async send(call) {
    if (this.attempts.has(call.key)) return;
    this.attempts.add(call.key);
    let wait = FIRST_AGAIN_MS;
    while (!(await this.attempt(call))) {
      this.onChange();
      await new Promise((done) => setTimeout(done, wait));
      wait = Math.min(wait * 1.5, LONGEST_AGAIN_MS);
    }
    localStorage.removeItem(this.prefix + call.key);
    this.attempts.delete(call.key);
    this.onChange(call);
  }

  async attempt(call) {
    try {
      const reply = await fetch(this.url, {
        method: "POST", keepalive: true, redirect: "error", headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ ...call, token: this.token() }), signal: AbortSignal.timeout(5_000),
      });
      this.isOut = reply.status === 401 || reply.status === 403;
      if (!reply.ok) return false;
      const told = await reply.json();
      call.received_at = told.received_at;
      call.id = told.id;
      return true;
    } catch {
      return false;
    }
  }
}

/** Held long enough, `then` is called; let go before, `tooShort`. By finger, mouse or the keyboard's space and enter. */
export function hold(button, then, { ms = HOLD_MS, tooShort = () => {} } = {}) {
  let timer = null;
  const begin = (event) => {
    if (timer || event.button > 0) return;
    button.dataset.holding = "true";
    timer = setTimeout(() => {
      timer = null;
      delete button.dataset.holding;
      then();
    }, ms);
  };
  const end = () => {
    if (!timer) return;
    clearTimeout(timer);
    timer = null;
    delete button.dataset.holding;
    tooShort();
  };
  button.addEventListener("pointerdown", (event) => {
    button.setPointerCapture?.(event.pointerId);
    begin(event);
  });
  for (const kind of ["pointerup", "pointercancel", "blur"]) button.addEventListener(kind, end);
  button.addEventListener("keydown", (event) => { if ((event.key === " " || event.key === "Enter") && !event.repeat) begin(event); });
  button.addEventListener("keyup", end);
  button.addEventListener("contextmenu", (event) => event.preventDefault());
}

export { SILENT_HOLD_MS };
