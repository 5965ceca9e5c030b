// The units as the server last told them: everything once, then what changed. Says since when it has not heard.

const EVERY_MS = 4_000;
const HIDDEN_MS = 20_000;
const LONGEST_MS = 30_000;

export class UnitFeed {
  /** `fixed` and `moving` name the places of a row, in the order the server writes them. */
  constructor({ url, fixed, moving, onChange, onTrouble }) {
    Object.assign(this, { url, onChange, onTrouble });
    this.names = ["id", ...fixed, ...moving];
    this.units = new Map();
    this.cursor = "";
    this.heardAt = null;
    this.failures = 0;
    this.isRunning = false;
  }

  start() {
    this.isRunning = true;
    this.ask();
    this.onShown = () => document.hidden || this.ask();
    document.addEventListener("visibilitychange", this.onShown);
    addEventListener("online", this.onShown);
  }

  stop() {
    this.isRunning = false;
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.onShown);
    removeEventListener("online", this.onShown);
  }

  async ask() {
    if (this.asking) return;
    this.asking = true;
    clearTimeout(this.timer);
    try {
      const response = await fetch(`${this.url}?since=${encodeURIComponent(this.cursor)}`, { credentials: "same-origin", cache: "no-cache" });
      if (response.status === 401 || response.status === 403) {
        this.stop();
        this.onTrouble({ signedOut: true, since: this.heardAt });
        return;
      }
      if (!response.ok) throw new Error(String(response.status));
      this.take(await response.json());
    } catch {
      this.failures += 1;
      this.onTrouble({ since: this.heardAt });
    } finally {
      this.asking = false;
      if (this.isRunning) this.timer = setTimeout(() => this.ask(), this.pause());
    }
  }

  pause() {
    if (this.failures) return Math.min(EVERY_MS * 2 ** (this.failures - 1), LONGEST_MS);
    return document.hidden ? HIDDEN_MS : EVERY_MS;
  }

  take(answer) {
    const changed = new Set();
    if (answer.is_whole) this.units.clear();
    for (const row of answer.units) {
      const unit = Object.fromEntries(this.names.map((name, place) => [name, row[place]]));
      this.units.set(unit.id, unit);
      changed.add(unit.id);
    }
    for (const id of answer.gone) this.units.delete(id);
    this.cursor = answer.cursor;
    this.staleS = answer.stale_s;
    this.heardAt = Date.now();
    this.failures = 0;
    this.onChange({ changed, isWhole: answer.is_whole, gone: answer.gone });
  }
}
