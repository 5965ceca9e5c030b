// The small maps of the command centre's forms: a place is picked, an outline is shown. Drawn from our own tiles; without WebGL the
// two numbers remain, which say the same.
import { repaint, style } from "../map/style.js";
import { onThemeChange, readTokens } from "../map/tokens.js";

const KUWAIT = [46.5, 28.5, 48.6, 30.15];
const TILES = `${location.origin}/map/tiles/zones/{level}/{z}/{x}/{y}.mvt`;
const HIDDEN = new Set(["incidents", "hotspots"]);

function extentOf(geometry) {
  const points = [];
  const walk = (part) => (typeof part[0] === "number" ? points.push(part) : part.forEach(walk));
  walk(geometry.coordinates);
  const xs = points.map((point) => point[0]);
  const ys = points.map((point) => point[1]);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

function place(lon, lat) {
  const [x, y] = [Number.parseFloat(lon), Number.parseFloat(lat)];
  return Number.isFinite(x) && Number.isFinite(y) && Math.abs(x) <= 180 && Math.abs(y) <= 90 ? { type: "Point", coordinates: [x, y] } : null;
}

async function draw(root) {
  const isPicker = "pick" in root.dataset;
  const [lon, lat] = isPicker ? ["longitude", "latitude"].map((name) => document.getElementById(root.dataset[name])) : [];
  const canvas = isPicker ? root.appendChild(Object.assign(document.createElement("div"), { className: "admin-map" })) : root;
  const library = await import("../../vendor/maplibre/maplibre-gl.mjs");
  library.setWorkerUrl(new URL("../../vendor/maplibre/maplibre-gl-worker.mjs", import.meta.url).href);
  const options = { tokens: readTokens(document.documentElement), language: document.documentElement.lang, hidden: HIDDEN, tiles: TILES };
  const shown = isPicker ? place(lon.value, lat.value) : JSON.parse(root.dataset.geojson);
  const map = new library.Map({
    container: canvas,
    style: style(options),
    bounds: shown && shown.type !== "Point" ? extentOf(shown) : KUWAIT,
    ...(shown?.type === "Point" ? { bounds: undefined, center: shown.coordinates, zoom: 13 } : {}),
    fitBoundsOptions: { padding: 24 },
    attributionControl: false,
    dragRotate: false,
    cooperativeGestures: false,
    scrollZoom: isPicker,
  });
  map.touchZoomRotate.disableRotation();
  map.addControl(new library.NavigationControl({ showCompass: false }));
  await map.once("load");
  root.adminMap = map;
  map.addSource("shape", { type: "geojson", data: shown ?? { type: "FeatureCollection", features: [] } });
  const { accent, bg } = options.tokens;
  map.addLayer({ id: "shape-fill", type: "fill", source: "shape", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": accent, "fill-opacity": 0.18 } });
  map.addLayer({ id: "shape-line", type: "line", source: "shape", filter: ["==", ["geometry-type"], "Polygon"], paint: { "line-color": accent, "line-width": 2 } });
  map.addLayer({
    id: "shape-point", type: "circle", source: "shape", filter: ["==", ["geometry-type"], "Point"],
    paint: { "circle-radius": 8, "circle-color": accent, "circle-stroke-color": bg, "circle-stroke-width": 2 },
  });
  onThemeChange(() => {
    const tokens = readTokens(document.documentElement);
    repaint(map, { ...options, tokens });
    for (const [id, property, token] of [["shape-fill", "fill-color", "accent"], ["shape-line", "line-color", "accent"], ["shape-point", "circle-color", "accent"]])
      map.setPaintProperty(id, property, tokens[token]);
  });
  if (!isPicker) return;
  const show = (point) => map.getSource("shape").setData(point ?? { type: "FeatureCollection", features: [] });
  map.getCanvas().style.cursor = "crosshair";
  map.on("click", (event) => {
    lon.value = event.lngLat.lng.toFixed(6);
    lat.value = event.lngLat.lat.toFixed(6);
    show(place(lon.value, lat.value));
    lon.dispatchEvent(new Event("change", { bubbles: true }));
  });
  for (const field of [lon, lat])
    field.addEventListener("input", () => {
      const point = place(lon.value, lat.value);
      show(point);
      if (point && !map.getBounds().contains(point.coordinates)) map.jumpTo({ center: point.coordinates });
    });
}

for (const root of document.querySelectorAll("[data-admin-map]"))
  draw(root).catch((error) => {
    console.error(error);
    root.classList.add("is-without-map");
    if (!("pick" in root.dataset)) root.hidden = true;
  });
