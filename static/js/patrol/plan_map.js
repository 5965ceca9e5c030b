// Routes and stops of a plan on the page's map: all of them faint, the chosen unit's in full.

import { onThemeChange, readTokens } from "../map/tokens.js";

const FONT = ["Khareetaty Map Bold"];

export function drawRoutes(section, { chooseStop, chooseUnit }) {
  const root = section?.querySelector("[data-map]");
  if (!root) return null;
  let map = null;
  let chosen = null;
  const paint = () => {
    if (!map) return;
    const tokens = readTokens(root);
    const mine = ["==", ["get", "unit"], chosen ?? -1];
    const all = chosen === null;
    map.setPaintProperty("plan-routes", "line-color", ["case", mine, tokens.accent, tokens.faint]);
    map.setPaintProperty("plan-routes", "line-width", ["case", mine, 3.5, 1.2]);
    map.setPaintProperty("plan-routes", "line-opacity", ["case", mine, 1, all ? 0.7 : 0.25]);
    const colour = ["case", ["get", "wrong"], tokens.critical, ["match", ["get", "reason"], "explore", tokens.low, "person", tokens.medium, tokens.accent]];
    map.setPaintProperty("plan-stops", "circle-color", tokens.surface);
    map.setPaintProperty("plan-stops", "circle-stroke-color", colour);
    map.setPaintProperty("plan-stops", "circle-opacity", ["case", mine, 1, all ? 0.9 : 0.2]);
    map.setPaintProperty("plan-stops", "circle-stroke-opacity", ["case", mine, 1, all ? 0.9 : 0.2]);
    map.setPaintProperty("plan-labels", "text-color", tokens.text);
    map.setFilter("plan-labels", ["all", ["==", ["geometry-type"], "Point"], mine]);
  };
  (async () => {
    if (!root.mapApi) await new Promise((resolve) => root.addEventListener("map:ready", resolve, { once: true }));
    await root.mapApi.ready;
    root.querySelector("[data-map-panel]").open = false;
    const answer = await fetch(section.dataset.planMap, { credentials: "same-origin", cache: "no-store" }).catch(() => null);
    if (!answer?.ok) return;
    map = root.mapApi.map;
    map.addSource("plan", { type: "geojson", data: await answer.json() });
    map.addLayer({ id: "plan-routes", type: "line", source: "plan", filter: ["==", ["geometry-type"], "LineString"], layout: { "line-join": "round" } });
    map.addLayer({
      id: "plan-stops", type: "circle", source: "plan", filter: ["==", ["geometry-type"], "Point"],
      paint: { "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 4, 13, 9], "circle-stroke-width": 2 },
    });
    map.addLayer({
      id: "plan-labels", type: "symbol", source: "plan", filter: ["==", ["geometry-type"], "Point"],
      layout: { "text-field": ["get", "label"], "text-font": FONT, "text-size": 11, "text-allow-overlap": true },
    });
    paint();
    onThemeChange(paint);
    try {
      root.mapApi.fit(JSON.parse(section.dataset.bounds));
    } catch {
      // A plan without stops has nothing to fit.
    }
    map.on("click", "plan-stops", (event) => {
      const { stop, unit } = event.features[0].properties;
      if (chosen !== unit) chooseUnit(unit);
      chooseStop(stop);
    });
  })();
  return {
    choose(unit) {
      chosen = unit;
      paint();
    },
  };
}
