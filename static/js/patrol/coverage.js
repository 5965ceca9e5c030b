// Posts of a coverage study on the map, and the cells they hold within reach or do not.

import { onThemeChange, readTokens } from "../map/tokens.js";

const section = document.querySelector("[data-coverage-map]");
const root = section?.querySelector("[data-map]");

async function draw() {
  if (!root.mapApi) await new Promise((resolve) => root.addEventListener("map:ready", resolve, { once: true }));
  await root.mapApi.ready;
  root.querySelector("[data-map-panel]").open = false;
  const data = JSON.parse(document.getElementById("coverage-data").textContent);
  const { map } = root.mapApi;
  map.addSource("coverage", { type: "geojson", data });
  map.addLayer({
    id: "coverage-cells", type: "circle", source: "coverage", filter: ["==", ["get", "kind"], "cell"],
    paint: { "circle-radius": ["+", 2, ["*", 9, ["get", "size"]]], "circle-opacity": 0.65 },
  });
  map.addLayer({
    id: "coverage-posts", type: "circle", source: "coverage", filter: ["==", ["get", "kind"], "post"],
    paint: { "circle-radius": 11, "circle-stroke-width": 2.5 },
  });
  map.addLayer({
    id: "coverage-labels", type: "symbol", source: "coverage", filter: ["==", ["get", "kind"], "post"],
    layout: { "text-field": ["get", "label"], "text-font": ["Khareetaty Map Bold"], "text-size": 12, "text-allow-overlap": true },
  });
  const paint = () => {
    const tokens = readTokens(root);
    map.setPaintProperty("coverage-cells", "circle-color", ["case", ["get", "held"], tokens.accent, tokens.critical]);
    map.setPaintProperty("coverage-posts", "circle-color", tokens.surface);
    map.setPaintProperty("coverage-posts", "circle-stroke-color", ["case", ["get", "is_station"], tokens.text, tokens.medium]);
    map.setPaintProperty("coverage-labels", "text-color", tokens.text);
  };
  paint();
  onThemeChange(paint);
  const points = data.features.map((feature) => feature.geometry.coordinates);
  const [x, y] = [points.map((point) => point[0]), points.map((point) => point[1])];
  if (points.length) root.mapApi.fit([Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)]);
}

if (root) draw();
