// What was done on this phone and is not known to the server yet: kept through reloads, each act with its own time and key, sent in order.

const TRIES_MS = 3_000;
const UNDO_MS = 5_000;
const BATCH = 20;

const uuid = () => crypto.randomUUID?.() ?? ([1e7] + -1e3 + -4e3 + -8e3 + -1e11).replace(/[018]/g, (c) => (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16));

export { uuid };

/** The token of the moment: signing in again elsewhere changes it. */
export const csrf = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "";

export class Outbox {
  /** `onState(state)`: how things stand, whenever the server says so; `onChange()`: the queue changed; `onRefused(act, message)`. */
  constructor({ user, url, onState, onChange, onRefused, onSignedOut }) {
    Object.assign(this, { url, onState, onChange, onRefused, onSignedOut });
    this.prefix = `khareetaty:${user}:act:`;
    this.isSending = false;
    this.skewMs = 0; // how far the server's clock is ahead of the phone's: acts carry the server's time
    addEventListener("online", () => this.send());
    // A phone that is put away may not come back in time to let the undo run out.
    document.addEventListener("visibilitychange", () => { if (document.hidden) this.settle(); });
    addEventListener("pagehide", () => this.settle());
    setInterval(() => this.send(), TRIES_MS);
  }

  /** All that waits, in the order it was done. Each act lies under a name of its own, so that two tabs never overwrite each other. */
  acts() {
    const found = [];
    for (let i = 0; i < localStorage.length; i += 1) {
      const name = localStorage.key(i);
      if (!name.startsWith(this.prefix)) continue;
      try {
        found.push({ name, ...JSON.parse(localStorage.getItem(name)) });
      } catch {
        localStorage.removeItem(name);
      }
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  add(act, { undo = true, what = "" } = {}) {
    const number = Math.max(Date.now(), Number(this.last ?? 0) + 1);
    this.last = number;
    const kept = { key: uuid(), at: new Date(Date.now() + this.skewMs).toISOString(), what, until: undo ? Date.now() + UNDO_MS : 0, ...act };
    localStorage.setItem(`${this.prefix}${String(number).padStart(15, "0")}`, JSON.stringify(kept));
    this.onChange();
    if (undo) setTimeout(() => this.send(), UNDO_MS + 50);
    else this.send();
    return kept;
  }

  /** Whether it was still there to be taken back. */
  undo(key) {
    const act = this.acts().find((one) => one.key === key);
    if (!act || act.until <= Date.now()) return false;
    localStorage.removeItem(act.name);
    this.onChange();
    return true;
  }

  undoable() {
    return this.acts().findLast((act) => act.until > Date.now());
  }

  settle() {
    for (const { name, ...act } of this.acts()) if (act.until > Date.now()) localStorage.setItem(name, JSON.stringify({ ...act, until: 0 }));
    this.send({ keepalive: true });
  }

  async send({ keepalive = false } = {}) {
    if (this.isSending) return;
    const waiting = this.acts();
    // In order: what may still be undone holds back what was done after it.
    const held = waiting.findIndex((act) => act.until > Date.now());
    const ready = (held < 0 ? waiting : waiting.slice(0, held)).slice(0, BATCH);
    if (ready.length === 0) return;
    this.isSending = true;
    try {
      const actions = ready.map(({ name, until, what, ...act }) => act);
      const reply = await fetch(this.url, {
        method: "POST", keepalive, redirect: "error", headers: { "Content-Type": "application/json", "X-CSRFToken": csrf() },
        body: JSON.stringify({ actions }), signal: AbortSignal.timeout(12_000),
      });
      if (reply.status === 401 || reply.status === 403) this.onSignedOut();
      if (!reply.ok) return;
      const told = await reply.json();
      for (const answer of told.answers) {
        const act = ready.find((one) => one.key === answer.key);
        if (!act) continue;
        localStorage.removeItem(act.name);
        if (answer.result === "refused") this.onRefused(act, answer.message);
      }
      this.onState(told.state);
      this.onChange();
    } catch {
      // Nothing is lost: it is kept, and tried again.
    } finally {
      this.isSending = false;
    }
    if (this.acts().some((act) => act.until <= Date.now()) && navigator.onLine && ready.length === BATCH) this.send();
  }
}
