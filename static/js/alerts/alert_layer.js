// Firing alerts as a layer of any map: a ring in the colour of their level round its shape, so that an alert is never taken for an
// incident. What has no point of its own stands where its zone is labelled, and its card says so.

import { node, shapeOf } from "../map/cards.js";
import { SEVERITIES } from "../map/icons.js";
import { onThemeChange, readTokens } from "../map/tokens.js";

const ASK_MS = 10_000;
const LAYERS = ["alerts-ring", "alerts-point"];

export function startAlerts(commandMap, box) {
  const { root } = commandMap;
  const { url, only, texts } = JSON.parse(root.dataset.alerts);
  let features = [];
  let isThere = false;

  const paint = () => {
    const tokens = readTokens(root);
    const colour = ["match", ["get", "severity"], ...Object.entries(SEVERITIES).flatMap(([value, name]) => [Number(value), tokens[name]]), tokens.muted];
    commandMap.map.setPaintProperty("alerts-ring", "circle-stroke-color", colour);
    commandMap.map.setPaintProperty("alerts-ring", "circle-color", colour);
  };

  const draw = () => {
    if (!isThere) return;
    commandMap.map.getSource("alerts").setData({ type: "FeatureCollection", features: box?.checked === false ? [] : features });
    root.dataset.alertsShown = String(features.length);
  };

  async function read() {
    const answer = await fetch(url, { cache: "no-cache", credentials: "same-origin" }).catch(() => null);
    if (!answer?.ok) return;
    const told = await answer.json();
    features = told.features;
    draw();
  }

  function card(properties, place) {
    commandMap.open(place, node(
      "div", { class: "kmap-card" },
      node("p", { class: "kmap-card-title" }, shapeOf(properties.severity), node("b", { dir: "auto" }, properties.title)),
      node("p", { class: "kmap-card-meta" }, [properties.level, properties.place, properties.state].filter(Boolean).join(" · ")),
      properties.exact ? null : node("p", { class: "kmap-card-meta" }, texts.approximate),
      properties.synthetic ? node("p", { class: "kmap-card-meta" }, texts.synthetic) : null,
      only ? null : node("a", { class: "kmap-card-link", href: properties.url }, texts.open),
    ));
  }

  (async () => {
    await root.mapApi.ready;
    const { map } = commandMap;
    map.addSource("alerts", { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    map.addLayer({
      id: "alerts-ring", type: "circle", source: "alerts",
      paint: { "circle-radius": 15, "circle-opacity": 0.16, "circle-stroke-width": 2.5, "circle-stroke-opacity": ["case", ["get", "acknowledged"], 0.45, 1] },
    });
    map.addLayer({
      id: "alerts-point", type: "symbol", source: "alerts",
      layout: { "icon-image": ["concat", "severity-", ["to-string", ["get", "severity"]]], "icon-allow-overlap": true, "icon-padding": 0, "symbol-sort-key": ["get", "severity"] },
    });
    isThere = true;
    paint();
    onThemeChange(paint);
    commandMap.takers.push((event) => {
      const [found] = map.queryRenderedFeatures(event.point, { layers: LAYERS.filter((id) => map.getLayer(id)) });
      if (!found) return false;
      const whole = features.find((feature) => feature.properties.id === found.properties.id) ?? found;
      card(whole.properties, whole.geometry.coordinates);
      return true;
    });
    if (only) {
      features = [only];
      draw();
      map.jumpTo({ center: only.geometry.coordinates, zoom: only.properties.exact ? 12.5 : 10.5 });
      return;
    }
    await read();
    setInterval(() => { if (!document.hidden) read(); }, ASK_MS);
    document.addEventListener("alerts:changed", read);
    box?.addEventListener("change", draw);
  })();
}
