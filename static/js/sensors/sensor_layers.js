// What sensors put on any map: devices, crowds, cameras, and areas by their risk. All start switched off, are asked for only while they
// are on, and only for the part of the map that is looked at.

import { node } from "../map/cards.js";
import { onThemeChange, readTokens } from "../map/tokens.js";

const ASK_MS = 60_000;
const CALM_MS = 350;
const REMEMBERED = "khareetaty.map.sensors";
const NOTHING = { type: "FeatureCollection", features: [] };
// Which token paints a mark, and how large it is: what needs looking at is larger than what is as it should be.
const PAINT = {
  sensordevices: { online: ["ok", 4.5], offline: ["critical", 7], unheard: ["muted", 5], maintenance: ["low", 5], waiting: ["high", 5] },
  crowds: { usual: ["ok", 6], more: ["high", 9], much: ["critical", 12], unknown: ["muted", 5], silent: ["faint", 4] },
  cameras: { working: ["ok", 5], away: ["critical", 8], blind: ["high", 8], unheard: ["muted", 5], in_maintenance: ["low", 5] },
};
const RISK = { calm: ["ok", 0.12], some: ["hot-2", 0.3], raised: ["hot-3", 0.42], high: ["hot-5", 0.55] };

const kept = () => {
  try {
    return new Set(JSON.parse(localStorage.getItem(REMEMBERED)) ?? []);
  } catch {
    return new Set();
  }
};

export async function startSensors(commandMap, boxes) {
  const { root } = commandMap;
  const { urls, marks, texts } = JSON.parse(root.dataset.sensors);
  const on = kept();
  const shown = {};
  const note = root.querySelector("[data-map-sensors-note]");
  for (const box of boxes) box.checked = on.has(box.dataset.mapSensors);
  await root.mapApi.ready;
  const { map } = commandMap;

  for (const slug of Object.keys(PAINT)) {
    map.addSource(slug, { type: "geojson", data: NOTHING });
    map.addLayer({ id: slug, type: "circle", source: slug, paint: { "circle-stroke-width": 1.5, "circle-opacity": 0.92 } });
  }
  map.addSource("zonerisk", { type: "geojson", data: NOTHING });
  map.addLayer({ id: "zonerisk", type: "fill", source: "area", "source-layer": "zones", paint: { "fill-opacity": 0 } }, "area-line");
  map.addLayer({
    id: "zonerisk-score", type: "symbol", source: "zonerisk", minzoom: 9.5, filter: [">=", ["coalesce", ["get", "score"], 0], 5],
    layout: { "text-field": ["to-string", ["get", "score"]], "text-font": ["Khareetaty Map Bold"], "text-size": 13, "text-offset": [0, -1.4], "text-padding": 2 },
  });

  const paint = () => {
    const tokens = readTokens(root);
    for (const [slug, looks] of Object.entries(PAINT)) {
      const by = (of, otherwise) => ["match", ["get", "mark"], ...Object.entries(looks).flatMap(([mark, look]) => [mark, of(look)]), otherwise];
      map.setPaintProperty(slug, "circle-color", by(([token]) => tokens[token] ?? tokens.muted, tokens.muted));
      map.setPaintProperty(slug, "circle-radius", by(([, size]) => size, 5));
      map.setPaintProperty(slug, "circle-stroke-color", tokens.bg);
    }
    const known = (shown.zonerisk ?? []).filter((one) => RISK[one.properties.mark]);
    const by = (of, otherwise) => (known.length ? ["match", ["to-number", ["get", "id"]], ...known.flatMap((one) => [one.properties.zone, of(RISK[one.properties.mark])]), otherwise] : otherwise);
    map.setPaintProperty("zonerisk", "fill-color", by(([token]) => tokens[token] ?? tokens.muted, tokens.muted));
    map.setPaintProperty("zonerisk", "fill-opacity", by(([, opacity]) => opacity, 0));
    map.setPaintProperty("zonerisk-score", "text-color", tokens.text);
    map.setPaintProperty("zonerisk-score", "text-halo-color", tokens.bg);
    map.setPaintProperty("zonerisk-score", "text-halo-width", 1.6);
  };

  const draw = (slug, features) => {
    shown[slug] = features;
    map.getSource(slug).setData({ type: "FeatureCollection", features });
    if (slug === "zonerisk") paint();
    root.dataset.sensorsShown = JSON.stringify(Object.fromEntries(Object.entries(shown).map(([name, many]) => [name, many.length])));
  };

  let turn = 0;
  async function load() {
    const mine = ++turn;
    const box = map.getBounds();
    const bbox = [Math.max(box.getWest(), -180), Math.max(box.getSouth(), -90), Math.min(box.getEast(), 180), Math.min(box.getNorth(), 90)];
    const short = [];
    await Promise.all([...on].filter((slug) => urls[slug]).map(async (slug) => {
      const answer = await fetch(`${urls[slug]}?bbox=${bbox.map((degrees) => degrees.toFixed(5)).join(",")}`, { cache: "no-cache", credentials: "same-origin" }).catch(() => null);
      if (!answer?.ok || mine !== turn) return;
      const told = await answer.json();
      if (on.has(slug)) draw(slug, told.features);
      if (told.total > told.shown) short.push(texts.capped.replace("{shown}", told.shown).replace("{total}", told.total));
    }));
    if (mine === turn && note) {
      note.textContent = short[0] ?? "";
      note.hidden = !short.length;
    }
  }

  const legends = () => {
    for (const list of root.querySelectorAll("[data-map-sensors-legend]")) list.hidden = !on.has(list.dataset.mapSensorsLegend);
  };
  for (const box of boxes)
    box.addEventListener("change", () => {
      const slug = box.dataset.mapSensors;
      on[box.checked ? "add" : "delete"](slug);
      try {
        localStorage.setItem(REMEMBERED, JSON.stringify([...on]));
      } catch {
        // A browser that keeps nothing still switches.
      }
      legends();
      if (box.checked) load();
      else draw(slug, []);
    });

  function card(slug, properties, place) {
    const meta = (text) => (text ? node("p", { class: "kmap-card-meta" }, text) : null);
    const isRisk = slug === "zonerisk";
    const title = isRisk ? properties.name : properties.name || properties.code;
    commandMap.open(place, node(
      "div", { class: "kmap-card" },
      node("p", { class: "kmap-card-title" }, node("b", { dir: "auto" }, title)),
      isRisk ? meta([properties.score === null ? null : texts.score.replace("{n}", properties.score), properties.label, properties.agency].filter(Boolean).join(" · ")) : meta([properties.kind, marks[slug][properties.mark]].filter(Boolean).join(" · ")),
      meta(isRisk ? properties.parts : properties.ratio ? texts.times.replace("{n}", properties.ratio) : null),
      properties.synthetic ? meta(texts.synthetic) : null,
      node("a", { class: "kmap-card-link", href: properties.url }, isRisk ? texts.openRisk : texts.open),
    ));
  }

  commandMap.takers.push((event) => {
    const [found] = map.queryRenderedFeatures(event.point, { layers: Object.keys(PAINT) });
    if (found) {
      const whole = shown[found.layer.id]?.find((one) => one.properties.code === found.properties.code);
      if (whole) card(found.layer.id, whole.properties, whole.geometry.coordinates);
      return Boolean(whole);
    }
    if (!on.has("zonerisk") || commandMap.under(event.point, 3).length) return false;
    const [area] = map.queryRenderedFeatures(event.point, { layers: ["zonerisk"] });
    const one = area && shown.zonerisk?.find((feature) => feature.properties.zone === Number(area.properties.id));
    if (one) card("zonerisk", one.properties, event.lngLat);
    return Boolean(one);
  });

  let calm = null;
  map.on("moveend", () => {
    clearTimeout(calm);
    if (on.size) calm = setTimeout(load, CALM_MS);
  });
  setInterval(() => on.size && !document.hidden && load(), ASK_MS);
  onThemeChange(paint);
  paint();
  legends();
  if (on.size) load();
  root.dataset.sensorsState = "ready";
}
