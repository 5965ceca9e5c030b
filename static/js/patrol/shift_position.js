// The phone's own position while its person is on duty and has said yes: kept while there is no network, sent in batches.

import { csrf } from "./shift_outbox.js";

const EVERY_MS = 5_000;
const SEND_MS = 10_000;
const MOST_KEPT = 2_000;
const BATCH = 500;
const R_M = 6_371_008.8;

export function metresBetween(a, b) {
  const rad = Math.PI / 180;
  const x = (b.lon - a.lon) * rad * Math.cos(((a.lat + b.lat) / 2) * rad);
  const y = (b.lat - a.lat) * rad;
  return Math.hypot(x, y) * R_M;
}

export class Positions {
  constructor({ user, url, onFix, onChange }) {
    Object.assign(this, { url, onFix, onChange });
    this.name = `khareetaty:${user}:fixes`;
    this.consent = `khareetaty:${user}:share`;
    this.last = null;
    this.isDenied = false;
    this.watching = null;
    this.keptAt = 0;
    setInterval(() => this.send(), SEND_MS);
  }

  get isWanted() {
    return localStorage.getItem(this.consent) === "yes";
  }

  want(is) {
    localStorage.setItem(this.consent, is ? "yes" : "no");
    this.isDenied = false;
  }

  /** Watches exactly while on duty and allowed. */
  follow(isOnDuty) {
    const should = isOnDuty && this.isWanted && "geolocation" in navigator;
    if (should && this.watching === null) {
      this.watching = navigator.geolocation.watchPosition(
        (fix) => this.take(fix),
        (error) => {
          if (error.code === error.PERMISSION_DENIED) this.isDenied = true;
          this.onChange();
        },
        { enableHighAccuracy: true, maximumAge: 2_000, timeout: 30_000 },
      );
    } else if (!should && this.watching !== null) {
      navigator.geolocation.clearWatch(this.watching);
      this.watching = null;
    }
  }

  take({ coords, timestamp }) {
    const fix = { at: new Date(timestamp).toISOString(), lon: coords.longitude, lat: coords.latitude, accuracy_m: Math.round(coords.accuracy * 10) / 10 };
    if (coords.speed !== null && !Number.isNaN(coords.speed)) fix.speed_kmh = Math.round(coords.speed * 36) / 10;
    if (coords.heading !== null && !Number.isNaN(coords.heading)) fix.heading_deg = Math.round(coords.heading);
    this.last = fix;
    this.onFix(fix);
    if (timestamp - this.keptAt < EVERY_MS) return;
    this.keptAt = timestamp;
    this.keep([...this.kept(), fix].slice(-MOST_KEPT));
  }

  kept() {
    try {
      return JSON.parse(localStorage.getItem(this.name)) ?? [];
    } catch {
      return [];
    }
  }

  keep(fixes) {
    try {
      localStorage.setItem(this.name, JSON.stringify(fixes));
    } catch {
      localStorage.removeItem(this.name); // the acts of the person need the room more
    }
  }

  async send() {
    const batch = this.kept().slice(0, BATCH);
    if (batch.length === 0 || this.isSending) return;
    this.isSending = true;
    try {
      const reply = await fetch(this.url, {
        method: "POST", redirect: "error", headers: { "Content-Type": "application/json", "X-CSRFToken": csrf() },
        body: JSON.stringify(batch), signal: AbortSignal.timeout(10_000),
      });
      // Taken, known already, or never to be taken: either way not sent again.
      if (reply.ok || reply.status === 422) {
        const sent = new Set(batch.map((fix) => fix.at));
        this.keep(this.kept().filter((fix) => !sent.has(fix.at)));
      }
    } catch {
      // Kept for the next time.
    } finally {
      this.isSending = false;
    }
  }
}
