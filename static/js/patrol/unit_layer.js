// Units on a map: what they are by their sign, what they do by fill and colour, how fresh by their age. Grey and dashed: not fresh.

import { onThemeChange, readTokens } from "../map/tokens.js";
import { FONT_BOLD } from "../map/style.js";

export const SIGNS = {
  patrol: "M2 10l1.5-4A2 2 0 0 1 5.4 4.7h5.2a2 2 0 0 1 1.9 1.3L14 10v3h-2v-1.2H4V13H2z",
  motorcycle: "M4 8.5a3 3 0 1 0 .01 0zM12 8.5a3 3 0 1 0 .01 0zM5 8l3-4h3l1.5 4-3.5.8z",
  foot: "M8 1.2a2 2 0 1 0 .01 0zM5.2 6h5.6l.8 4.6h-1.7L9.5 15h-3l-.4-4.4H4.4z",
  traffic: "M7 2h2l3.6 9.6H3.4zM2 12.6h12V15H2z",
  ambulance: "M6.2 2h3.6v4.2H14v3.6H9.8V14H6.2V9.8H2V6.2h4.2z",
  engine: "M8 1c1 3 4.5 4.5 4.5 8.5A4.5 4.5 0 0 1 8 15a4.5 4.5 0 0 1-4.5-5.5C3.5 7.5 5 7 5.5 5 6.7 5.8 7 7 7 7.6 8 6 8.3 3.5 8 1z",
  rescue: "M8 1.5a6.5 6.5 0 1 0 .01 0zM8 5.2a2.8 2.8 0 1 1-.01 0z",
  boat: "M2 10h12l-2.2 4H4.2zM7.4 1.5v7.3H3.2zM8.6 3.5l3.6 5.3H8.6z",
  command: "M8 1.2l2 4.4 4.8.5-3.6 3.2 1 4.7L8 11.6 3.8 14l1-4.7L1.2 6.1 6 5.6z",
  other: "M8 2l6 6-6 6-6-6z",
};
// Which token colours a state, and whether its sign stands on a filled ground: free is an open ring, on its way a filled disc, on
// scene a filled square.
const TONES = {
  available: { colour: "ok", form: "ring" },
  assigned: { colour: "medium", form: "disc" },
  accepted: { colour: "medium", form: "disc" },
  en_route: { colour: "low", form: "disc" },
  on_scene: { colour: "high", form: "square" },
  off_duty: { colour: "faint", form: "ring" },
  out_of_service: { colour: "faint", form: "ring" },
  stale: { colour: "faint", form: "dashed" },
};
const RATIO = 2;
const SIZE = 30;
const MOVING_KMH = 4;
const NOTHING = { type: "FeatureCollection", features: [] };
export const UNIT_LAYERS = ["units-selected", "units-heading", "units-point"];

function canvas(size, paint) {
  const made = document.createElement("canvas");
  made.width = made.height = size * RATIO;
  const brush = made.getContext("2d");
  brush.scale(RATIO, RATIO);
  paint(brush, size);
  return brush.getImageData(0, 0, size * RATIO, size * RATIO);
}

function symbol(kind, tone, tokens) {
  const { colour, form } = TONES[tone];
  return canvas(SIZE, (brush, size) => {
    const middle = size / 2;
    brush.beginPath();
    if (form === "square") brush.roundRect(4, 4, size - 8, size - 8, 5);
    else brush.arc(middle, middle, middle - 4, 0, Math.PI * 2);
    const isFilled = form === "disc" || form === "square";
    brush.lineWidth = 5;
    brush.strokeStyle = tokens.bg;
    brush.stroke();
    brush.fillStyle = isFilled ? tokens[colour] : tokens.surface;
    brush.fill();
    brush.lineWidth = 2.2;
    brush.strokeStyle = tokens[colour];
    if (form === "dashed") brush.setLineDash([3.5, 2.6]);
    brush.stroke();
    brush.translate(middle - 7, middle - 7);
    brush.scale(14 / 16, 14 / 16);
    brush.fillStyle = isFilled ? tokens.bg : tokens[colour];
    brush.fill(new Path2D(SIGNS[kind] ?? SIGNS.other), "evenodd");
  });
}

const pointer = (tokens) =>
  canvas(48, (brush, size) => {
    brush.beginPath();
    brush.moveTo(size / 2, 1.5);
    brush.lineTo(size / 2 + 6, 10);
    brush.lineTo(size / 2 - 6, 10);
    brush.closePath();
    brush.lineWidth = 2.5;
    brush.strokeStyle = tokens.bg;
    brush.stroke();
    brush.fillStyle = tokens.text;
    brush.fill();
  });

export class UnitLayer {
  /** `ageText` writes a number of seconds; `onChoose` is told the id of a unit that was pressed. */
  constructor(commandMap, { ageText, onChoose }) {
    Object.assign(this, { commandMap, ageText, onChoose });
    this.selectedId = null;
    this.features = [];
  }

  async start() {
    await this.commandMap.ready;
    const { map } = this.commandMap;
    this.map = map;
    this.tokens = readTokens(this.commandMap.root);
    this.putImages();
    map.addSource("units", { type: "geojson", data: NOTHING });
    map.addLayer({
      id: "units-selected", type: "circle", source: "units", filter: ["==", ["get", "id"], -1],
      paint: { "circle-radius": 20, "circle-opacity": 0.22, "circle-stroke-width": 2.5, "circle-color": this.tokens.accent, "circle-stroke-color": this.tokens.accent },
    });
    map.addLayer({
      id: "units-heading", type: "symbol", source: "units", filter: ["==", ["get", "isMoving"], true],
      layout: { "icon-image": "unit-heading", "icon-rotate": ["get", "heading"], "icon-rotation-alignment": "map", "icon-allow-overlap": true, "icon-ignore-placement": true },
    });
    map.addLayer({
      id: "units-point", type: "symbol", source: "units",
      layout: {
        "icon-image": ["get", "icon"], "icon-allow-overlap": true, "icon-padding": 0, "symbol-sort-key": ["get", "order"],
        "text-field": ["get", "label"], "text-font": FONT_BOLD, "text-size": 11.5, "text-anchor": "top", "text-offset": [0, 1.25],
        "text-optional": true, "text-padding": 1, "text-line-height": 1.1,
      },
      paint: this.textPaint(),
    });
    this.commandMap.takers.push((event) => this.take(event));
    onThemeChange(() => this.repaint());
    this.redraw();
  }

  textPaint() {
    const { tokens } = this;
    return { "text-color": ["case", ["get", "isStale"], tokens.muted, tokens.text], "text-halo-color": tokens.bg, "text-halo-width": 1.6, "text-halo-blur": 0.3 };
  }

  putImages() {
    const put = (name, image) => (this.map.hasImage(name) ? this.map.updateImage(name, image) : this.map.addImage(name, image, { pixelRatio: RATIO }));
    for (const kind of Object.keys(SIGNS)) for (const tone of Object.keys(TONES)) put(`unit-${kind}-${tone}`, symbol(kind, tone, this.tokens));
    put("unit-heading", pointer(this.tokens));
  }

  repaint() {
    this.tokens = readTokens(this.commandMap.root);
    this.putImages();
    for (const [name, value] of Object.entries(this.textPaint())) this.map.setPaintProperty("units-point", name, value);
    for (const name of ["circle-color", "circle-stroke-color"]) this.map.setPaintProperty("units-selected", name, this.tokens.accent);
  }

  /** `units`: those to be seen. `nowS`: the server's clock. The map itself stays where its reader put it. */
  draw(units, nowS, staleS) {
    this.features = units.filter((unit) => unit.lon !== null).map((unit) => {
      const age = Math.max(0, nowS - unit.at);
      const isStale = age > staleS;
      return {
        type: "Feature",
        id: unit.id,
        geometry: { type: "Point", coordinates: [unit.lon, unit.lat] },
        properties: {
          id: unit.id,
          icon: `unit-${unit.kind in SIGNS ? unit.kind : "other"}-${isStale ? "stale" : (unit.state in TONES ? unit.state : "off_duty")}`,
          label: `${unit.call_sign}\n${this.ageText(age)}`,
          isStale,
          isMoving: !isStale && unit.heading !== null && (unit.speed ?? 0) > MOVING_KMH,
          heading: unit.heading ?? 0,
          order: isStale ? 0 : 1,
        },
      };
    });
    this.redraw();
  }

  redraw() {
    this.map?.getSource("units")?.setData({ type: "FeatureCollection", features: this.features });
  }

  /** Shown or hidden as a whole. */
  turn(isOn) {
    for (const id of UNIT_LAYERS) this.map?.setLayoutProperty(id, "visibility", isOn ? "visible" : "none");
  }

  select(id) {
    this.selectedId = id;
    this.map?.setFilter("units-selected", ["==", ["get", "id"], id ?? -1]);
  }

  /** Bring a unit into sight, because somebody asked. */
  show(id) {
    const feature = this.features.find((one) => one.id === id);
    if (feature) this.map?.easeTo({ center: feature.geometry.coordinates, zoom: Math.max(this.map.getZoom(), 13) });
  }

  take(event) {
    const reach = matchMedia("(pointer: coarse)").matches ? 16 : 6;
    const { x, y } = event.point;
    const found = this.map.queryRenderedFeatures([[x - reach, y - reach], [x + reach, y + reach]], { layers: ["units-point"] })[0];
    if (!found) return false;
    this.onChoose(Number(found.properties.id), event.lngLat);
    return true;
  }
}
