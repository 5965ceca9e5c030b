// Where a unit was: its track on the map, and a slider through it. What is not believed is drawn apart and never walked.

import { onThemeChange, readTokens } from "../map/tokens.js";
import { clockOf } from "../ui.js";
import { fill } from "./unit_ages.js";

const NOTHING = { type: "FeatureCollection", features: [] };
const STEPS = 1000;
const point = (coordinates, properties = {}) => ({ type: "Feature", geometry: { type: "Point", coordinates }, properties });

export class Playback {
  constructor(commandMap, form, { texts, doubts, say }) {
    Object.assign(this, { commandMap, form, texts, doubts, say });
    this.part = (name) => form.querySelector(`[data-play-${name}]`);
    this.isPlaying = false;
    this.clock = clockOf({ seconds: true });
    this.part("toggle").addEventListener("click", () => this.toggle());
    this.part("at").addEventListener("input", () => this.seek(Number(this.part("at").value) / STEPS));
    this.part("close").addEventListener("click", () => this.close());
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  async prepare() {
    await this.commandMap.ready;
    const { map } = this.commandMap;
    if (map.getSource("unit-track")) return;
    const tokens = readTokens(this.commandMap.root);
    for (const name of ["unit-track", "unit-doubted", "unit-then"]) map.addSource(name, { type: "geojson", data: NOTHING });
    map.addLayer({ id: "unit-track", type: "line", source: "unit-track", layout: { "line-join": "round", "line-cap": "round" }, paint: { "line-color": tokens.accent, "line-width": 3, "line-opacity": 0.85 } }, "units-selected");
    map.addLayer({ id: "unit-doubted", type: "circle", source: "unit-doubted", paint: { "circle-radius": 4, "circle-opacity": 0, "circle-stroke-width": 1.6, "circle-stroke-color": tokens.critical } }, "units-selected");
    map.addLayer({ id: "unit-then", type: "circle", source: "unit-then", paint: { "circle-radius": 8, "circle-color": tokens.accent, "circle-stroke-width": 3, "circle-stroke-color": tokens.text } });
    onThemeChange(() => {
      const now = readTokens(this.commandMap.root);
      map.setPaintProperty("unit-track", "line-color", now.accent);
      map.setPaintProperty("unit-doubted", "circle-stroke-color", now.critical);
      map.setPaintProperty("unit-then", "circle-color", now.accent);
      map.setPaintProperty("unit-then", "circle-stroke-color", now.text);
    });
  }

  async open(address) {
    const response = await fetch(address, { credentials: "same-origin", cache: "no-cache" }).catch(() => null);
    if (!response?.ok) return void this.say(this.texts.failed);
    const track = await response.json();
    await this.prepare();
    this.stop();
    const walked = track.at.map((_, n) => n).filter((n) => track.believed[n]);
    if (!walked.length) {
      this.close();
      return void this.say(this.texts.noTrack);
    }
    this.at = walked.map((n) => track.at[n]);
    this.places = walked.map((n) => [track.lon[n], track.lat[n]]);
    this.speeds = walked.map((n) => track.speed[n]);
    const doubted = track.at.map((_, n) => n).filter((n) => !track.believed[n]);
    const { map } = this.commandMap;
    map.getSource("unit-track").setData({ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: this.places.length > 1 ? this.places : [this.places[0], this.places[0]] } });
    map.getSource("unit-doubted").setData({ type: "FeatureCollection", features: doubted.map((n) => point([track.lon[n], track.lat[n]], { doubt: track.doubt[n] })) });
    const counted = Map.groupBy ? [...Map.groupBy(doubted, (n) => track.doubt[n])].map(([doubt, list]) => `${this.doubts[doubt] ?? doubt}: ${list.length}`) : [`${doubted.length}`];
    const thinned = track.total > track.at.length ? fill(this.texts.thinned, { shown: track.at.length, total: track.total }) : "";
    this.part("doubt").textContent = [doubted.length ? `○ ${this.texts.doubted} (${counted.join(", ")})` : "", thinned].filter(Boolean).join(" · ");
    this.form.hidden = false;
    this.seek(0);
    this.part("at").value = 0;
    this.part("toggle").focus();
  }

  /** `share` of the way in time, from 0 to 1. */
  seek(share) {
    const [first, last] = [this.at[0], this.at.at(-1)];
    this.moment = first + (last - first) * share;
    this.drawMoment();
  }

  drawMoment() {
    const { at, places, moment } = this;
    let next = at.findIndex((one) => one >= moment);
    if (next < 0) next = at.length - 1;
    const before = Math.max(0, next - 1);
    const gap = at[next] - at[before];
    // Over a hole of minutes the unit is not drawn as if it had glided through.
    const share = gap > 0 && gap < 120 ? (moment - at[before]) / gap : moment >= at[next] ? 1 : 0;
    const place = places[before].map((value, axis) => value + (places[next][axis] - value) * share);
    this.commandMap.map.getSource("unit-then").setData(point(place));
    const speed = this.speeds[next];
    this.part("time").textContent = this.clock.format(moment * 1000) + (speed === null ? "" : ` · ${fill(this.texts.kmh, { n: speed })}`);
  }

  toggle() {
    if (this.isPlaying) return this.stop();
    this.isPlaying = true;
    this.part("toggle").textContent = this.texts.pause;
    if (this.moment >= this.at.at(-1)) this.seek(0);
    let drawn = performance.now();
    const step = (now) => {
      if (!this.isPlaying) return;
      this.moment += ((now - drawn) / 1000) * Number(this.part("speed").value);
      drawn = now;
      const [first, last] = [this.at[0], this.at.at(-1)];
      if (this.moment >= last) {
        this.moment = last;
        this.stop();
      }
      this.part("at").value = last > first ? Math.round(((this.moment - first) / (last - first)) * STEPS) : STEPS;
      this.drawMoment();
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  stop() {
    this.isPlaying = false;
    this.part("toggle").textContent = this.texts.play;
  }

  close() {
    this.stop();
    this.form.hidden = true;
    for (const name of ["unit-track", "unit-doubted", "unit-then"]) this.commandMap.map?.getSource(name)?.setData(NOTHING);
  }
}
