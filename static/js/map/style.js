// The map's whole style, as a function of tokens and language. It names no `glyphs`: letters are drawn from our own fonts,
// Arabic joined and ordered by the browser.

export const FONT = ["Khareetaty Map Medium"];
export const FONT_BOLD = ["Khareetaty Map Bold"];
const NOTHING = { type: "FeatureCollection", features: [] };

// Which style layers a switch of the panel turns on and off. A new kind of layer adds its line here and its drawing below.
export const SWITCHES = {
  incidents: ["incidents-cluster", "incidents-point"],
  hotspots: ["hotspots-fill", "hotspots-line", "hotspots-line-sure", "hotspots-far", "hotspots-rank"],
  governorates: ["governorate-line"],
  areas: ["area-line", "area-ground"],
  labels: ["governorate-label", "area-label"],
};

export function sources({ tiles, clusterRadius = 42 }) {
  const zones = (level) => ({
    type: "vector",
    tiles: [tiles.replace("{level}", level)],
    minzoom: 0,
    maxzoom: 14,
  });
  return {
    governorate: zones("governorate"),
    area: zones("area"),
    surface: { type: "geojson", data: NOTHING },
    "surface-cell": { type: "geojson", data: NOTHING },
    hotspots: { type: "geojson", data: NOTHING },
    incidents: {
      type: "geojson",
      data: NOTHING,
      cluster: true,
      clusterRadius,
      clusterMaxZoom: 14,
      clusterProperties: { worst: ["max", ["get", "severity"]] },
    },
    selected: { type: "geojson", data: NOTHING },
  };
}

/** Every layer from the sea up, painted with `tokens`. */
export function layers({ tokens, language, hidden = new Set() }) {
  const name = ["coalesce", ["get", language === "ar" ? "name_ar" : "name_en"], ["get", "name_en"], ""];
  const ramp = (property) => ["match", ["get", property], 1, tokens["hot-1"], 2, tokens["hot-2"], 3, tokens["hot-3"], 4, tokens["hot-4"], tokens["hot-5"]];
  const paint = ["match", ["get", "paint"], ...["hot-1", "hot-2", "hot-3", "hot-4", "hot-5", "cold-1", "cold-2", "cold-3"].flatMap((name) => [name, tokens[name]]), tokens.faint];
  const halo = { "text-halo-color": tokens.bg, "text-halo-width": 1.6, "text-halo-blur": 0.3 };
  const roomy = { "text-variable-anchor": ["center", "top", "bottom", "left", "right"], "text-radial-offset": 0.9, "text-justify": "auto" };
  const all = [
    { id: "sea", type: "background", paint: { "background-color": tokens.sea } },
    // The country's outline fills the slivers between zones that were simplified each on its own.
    { id: "outline", type: "fill", source: "governorate", "source-layer": "outline", paint: { "fill-color": tokens.land } },
    { id: "land", type: "fill", source: "governorate", "source-layer": "zones", paint: { "fill-color": tokens.land, "fill-antialias": false } },
    // Unseen: what a click on empty ground asks.
    { id: "area-ground", type: "fill", source: "area", "source-layer": "zones", minzoom: 9, paint: { "fill-color": tokens.land, "fill-opacity": 0 } },
    {
      id: "surface-fill", type: "fill", source: "surface",
      paint: { "fill-color": paint, "fill-antialias": false, "fill-opacity": ["match", ["get", "paint"], "none", 0.12, "hot-1", 0.45, 0.72] },
    },
    {
      id: "area-line", type: "line", source: "area", "source-layer": "zones", minzoom: 9,
      layout: { "line-join": "round" },
      paint: { "line-color": tokens.road, "line-width": ["interpolate", ["linear"], ["zoom"], 9, 0.4, 12, 1, 15, 1.6] },
    },
    {
      id: "hotspots-fill", type: "fill", source: "hotspots",
      paint: { "fill-color": ramp("step"), "fill-opacity": ["interpolate", ["linear"], ["zoom"], 11, 0.7, 14, 0.42] },
    },
    {
      id: "governorate-line", type: "line", source: "governorate", "source-layer": "zones",
      layout: { "line-join": "round" },
      paint: { "line-color": tokens.faint, "line-opacity": 0.75, "line-width": ["interpolate", ["linear"], ["zoom"], 7, 0.8, 12, 2] },
    },
    {
      // May be chance: dashed. Stands out of its surroundings: a whole line (below).
      id: "hotspots-line", type: "line", source: "hotspots", filter: ["!=", ["get", "significant"], true],
      layout: { "line-join": "round", "line-cap": "butt" },
      paint: { "line-color": tokens["hot-5"], "line-width": ["interpolate", ["linear"], ["zoom"], 9, 1, 13, 2], "line-dasharray": [3, 2] },
    },
    {
      id: "surface-cell-line", type: "line", source: "surface-cell",
      layout: { "line-join": "round" },
      paint: { "line-color": tokens.text, "line-width": 2.5 },
    },
    {
      id: "hotspots-line-sure", type: "line", source: "hotspots", filter: ["==", ["get", "significant"], true],
      layout: { "line-join": "round" },
      paint: { "line-color": tokens["hot-5"], "line-width": ["interpolate", ["linear"], ["zoom"], 9, 1.6, 13, 3] },
    },
    {
      id: "area-label", type: "symbol", source: "area", "source-layer": "labels", minzoom: 10.3,
      layout: {
        "text-field": name, "text-font": FONT, "text-size": ["interpolate", ["linear"], ["zoom"], 10, 11, 14, 13.5],
        "text-max-width": 7, "text-padding": 6, "symbol-sort-key": ["-", 0, ["coalesce", ["get", "km2"], 0]], ...roomy,
      },
      paint: { "text-color": tokens.muted, ...halo },
    },
    {
      id: "governorate-label", type: "symbol", source: "governorate", "source-layer": "labels", maxzoom: 11.5,
      layout: {
        "text-field": name, "text-font": FONT_BOLD, "text-size": ["interpolate", ["linear"], ["zoom"], 7, 11.5, 11, 15],
        "text-max-width": 8, "text-padding": 4, ...roomy,
      },
      paint: { "text-color": tokens.text, ...halo },
    },
    {
      id: "hotspots-far", type: "symbol", source: "hotspots", maxzoom: 11.5,
      layout: {
        "icon-image": ["concat", "heat-", ["to-string", ["get", "step"]]], "icon-allow-overlap": true, "icon-padding": 0,
        "symbol-sort-key": ["get", "step"],
      },
    },
    {
      id: "hotspots-rank", type: "symbol", source: "hotspots", minzoom: 11.5,
      layout: { "text-field": ["concat", "#", ["to-string", ["get", "rank"]], ["case", ["==", ["coalesce", ["get", "changeText"], ""], ""], "", ["concat", "\n", ["get", "changeText"]]]], "text-font": FONT_BOLD, "text-size": 11.5, "text-padding": 4 },
      paint: { "text-color": tokens.text, ...halo },
    },
    {
      id: "selected-ring", type: "circle", source: "selected",
      paint: {
        "circle-radius": 17, "circle-color": tokens.accent, "circle-opacity": 0.22,
        "circle-stroke-color": tokens.accent, "circle-stroke-width": 2.5,
      },
    },
    {
      id: "incidents-point", type: "symbol", source: "incidents", filter: ["!", ["has", "point_count"]],
      layout: {
        "icon-image": ["concat", "severity-", ["to-string", ["get", "severity"]]],
        "icon-allow-overlap": true, "icon-padding": 0,
        "symbol-sort-key": ["get", "severity"],
      },
    },
    {
      id: "incidents-cluster", type: "symbol", source: "incidents", filter: ["has", "point_count"],
      layout: {
        "icon-image": ["concat", "cluster-", ["to-string", ["get", "worst"]], ["step", ["get", "point_count"], "-s", 100, "-m", 1000, "-l"]],
        "icon-allow-overlap": true, "icon-padding": 0,
        "text-field": ["to-string", ["get", "point_count"]], "text-font": FONT_BOLD, "text-size": 12.5, "text-allow-overlap": true,
        "symbol-sort-key": ["get", "worst"],
      },
      paint: { "text-color": tokens.text },
    },
    {
      id: "selected-point", type: "symbol", source: "selected",
      layout: {
        "icon-image": ["concat", "severity-", ["to-string", ["get", "severity"]]], "icon-size": 1.15,
        "icon-allow-overlap": true, "icon-ignore-placement": true,
      },
    },
  ];
  for (const [slug, ids] of Object.entries(SWITCHES)) {
    if (!hidden.has(slug)) continue;
    for (const layer of all) if (ids.includes(layer.id)) layer.layout = { ...layer.layout, visibility: "none" };
  }
  return all;
}

export const style = (options) => ({ version: 8, sources: sources(options), layers: layers(options) });

/** Repaint a running map in new colours, touching nothing but paint. */
export function repaint(map, options) {
  for (const layer of layers(options))
    for (const [property, value] of Object.entries(layer.paint || {})) map.setPaintProperty(layer.id, property, value);
}
