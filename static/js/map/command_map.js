// One map on a page: its data, its selection, its panel. The map moves only when its reader asks it to.

import { incidentCard, hotspotCard, listCard, zoneCard, fill, node } from "./cards.js";
import { putIcons } from "./icons.js";
import { Points } from "./points.js";
import { SWITCHES, repaint, style } from "./style.js";
import { Surfaces } from "./surfaces.js";
import { onThemeChange, readTokens } from "./tokens.js";

const FONT_FACES = ['500 24px "Khareetaty Map Medium"', '700 24px "Khareetaty Map Bold"'];
const REMEMBERED = "khareetaty.map.hidden";
const FINGER = 12;
const ROOMY = 760; // wide enough for the panel to stand open beside what it explains
const ASK_AGAIN_MS = 2000;

const parsed = (text, otherwise) => {
  try {
    return JSON.parse(text);
  } catch {
    return otherwise;
  }
};

function extentOf(polygons) {
  const points = polygons.flatMap((polygon) => polygon.geometry.coordinates.flat());
  const [x, y] = [points.map((point) => point[0]), points.map((point) => point[1])];
  return [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)];
}

export class CommandMap {
  constructor(root) {
    this.root = root;
    this.language = document.documentElement.lang.startsWith("ar") ? "ar" : "en";
    this.texts = parsed(root.dataset.texts, {});
    this.query = root.dataset.filter ?? "";
    this.bounds = parsed(root.dataset.bounds, null);
    // A page that switches layers off for its own purpose keeps that to itself.
    this.isOwnChoice = Boolean(root.dataset.off);
    this.hidden = new Set(this.isOwnChoice ? root.dataset.off.split(" ") : parsed(localStorage.getItem(REMEMBERED), ["units"]));
    this.selectedId = null;
    this.takers = []; // what else stands on the map and may take a press before us
    this.alive = true;
    this.loading = 0;
    this.surfaces = new Surfaces(this);
    this.run = null; // whose hot spots are shown; null: those that stand now
    this.points = new Points((features) => this.drawPoints(features));
    // What others may call. Calls made before the map stands are kept and answered when it does.
    this.ready = new Promise((resolve) => (this.nowReady = resolve));
    root.mapApi = {
      ready: this.ready,
      upsert: (feature) => this.upsert(feature),
      remove: (id) => {
        this.points.remove(id);
        if (Number(id) === this.selectedId) this.select(null);
      },
      setFilter: (query) => this.setFilter(query),
      reload: () => this.load(),
      select: (id) => this.select(id),
      show: (id) => this.ready.then(() => this.show(id)),
      fit: (bounds) => this.ready.then(() => this.fit(bounds)),
      get map() {
        return root.commandMap.map;
      },
    };
    root.commandMap = this;
  }

  part(name) {
    return this.root.querySelector(`[data-map-${name}]`);
  }

  say(text, { isProblem = false, retry = null } = {}) {
    const place = this.part("status");
    place.replaceChildren(...(text ? [node("span", {}, text)] : []));
    place.classList.toggle("is-problem", isProblem);
    if (retry) {
      const button = node("button", { type: "button" }, this.texts.retry);
      button.addEventListener("click", retry);
      place.append(button);
    }
    place.hidden = !text;
  }

  /** Where no map can be drawn, the list still says everything. */
  withoutMap(text) {
    this.root.classList.add("is-without-map");
    const link = this.root.dataset.listUrl ? node("a", { href: this.root.dataset.listUrl }, this.texts.toList) : null;
    this.part("canvas").replaceChildren(node("div", { class: "kmap-empty" }, node("p", {}, text), link));
    this.root.dispatchEvent(new CustomEvent("map:unavailable", { bubbles: true }));
    this.say("");
  }

  async start() {
    const probe = document.createElement("canvas").getContext("webgl2");
    if (!probe) return this.withoutMap(this.texts.noWebgl);
    probe.getExtension("WEBGL_lose_context")?.loseContext();
    this.say(this.texts.loading);
    let library;
    try {
      library = await import("../../vendor/maplibre/maplibre-gl.mjs");
    } catch {
      return this.withoutMap(this.texts.failed);
    }
    library.setWorkerUrl(new URL("../../vendor/maplibre/maplibre-gl-worker.mjs", import.meta.url).href);
    // Letters are drawn once and kept: the fonts must be there before the first label.
    await Promise.allSettled(FONT_FACES.map((face) => document.fonts.load(face, "Kuwait الكويت 0")));
    this.library = library;
    const panel = this.part("panel");
    // A page that brings its own surface explains its colours itself.
    if (panel) panel.open = this.root.clientWidth >= ROOMY && !this.root.dataset.surface;
    try {
      this.map = new library.Map({
        container: this.part("canvas"),
        style: style(this.styleOptions()),
        bounds: parsed(this.root.dataset.opening, null) ?? this.bounds ?? undefined,
        fitBoundsOptions: { padding: this.padding() },
        minZoom: 5,
        maxZoom: 18,
        attributionControl: false,
        dragRotate: false,
        pitchWithRotate: false,
        touchPitch: false,
        fadeDuration: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 150,
        locale: { "Map.Title": this.texts.title, "Popup.Close": this.texts.close },
      });
    } catch {
      return this.withoutMap(this.texts.noWebgl);
    }
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    putIcons(this.map, this.tokens);
    this.listen();
    this.surfaces.start();
    this.drawPoints([...this.points.byId.values()]);
    this.load();
    this.map.once("idle", () => {
      this.root.dataset.mapState = "ready";
      this.nowReady(this);
      this.root.dispatchEvent(new CustomEvent("map:ready", { bubbles: true }));
    });
    return this;
  }

  /** Room for what stands on the map: the tools, and the panel when it is open beside the land. */
  padding() {
    const edge = Math.max(12, Math.min(40, this.root.clientWidth / 16));
    const panel = this.part("panel");
    const start = panel?.open && this.root.clientWidth >= ROOMY ? panel.offsetWidth + 24 : edge;
    const isRtl = getComputedStyle(this.root).direction === "rtl";
    const top = this.root.clientWidth < 640 ? (panel?.offsetHeight ?? 0) + 24 : edge;
    return { top, bottom: edge, left: isRtl ? edge : start, right: isRtl ? start : edge };
  }

  styleOptions() {
    this.tokens = readTokens(this.root);
    // A relative address means nothing to the worker; URL() would escape the braces.
    return { tokens: this.tokens, language: this.language, hidden: this.hidden, tiles: location.origin + this.root.dataset.tilesUrl };
  }

  listen() {
    const { map } = this;
    map.on("click", (event) => this.clicked(event));
    map.on("mousemove", (event) => {
      map.getCanvas().style.cursor = this.under(event.point, 2).length || this.surfaces.under(event.point) ? "pointer" : "";
    });
    map.on("moveend", () => this.tellOutOfSight());
    map.on("error", (event) => {
      if (event.sourceId === "governorate" || event.sourceId === "area") this.say(this.texts.noZones, { isProblem: true });
      else console.warn("map", event.error?.message);
    });
    map.getCanvas().addEventListener("webglcontextlost", () => this.say(this.texts.lost, { isProblem: true }));
    map.getCanvas().addEventListener("webglcontextrestored", () => this.say(""));
    this.root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.popup?.remove();
    });
    onThemeChange(() => {
      repaint(map, this.styleOptions());
      putIcons(map, this.tokens);
    });
    this.part("zoom-in")?.addEventListener("click", () => map.zoomIn());
    this.part("zoom-out")?.addEventListener("click", () => map.zoomOut());
    this.part("fit")?.addEventListener("click", () => this.fit(this.bounds));
    this.part("goto")?.addEventListener("click", () => this.selectedId !== null && this.show(this.selectedId));
    for (const box of this.root.querySelectorAll("[data-map-layer]")) {
      const slug = box.dataset.mapLayer;
      box.checked = !this.hidden.has(slug);
      box.addEventListener("change", () => this.turn(slug, box.checked));
    }
  }

  turn(slug, isOn) {
    this.hidden[isOn ? "delete" : "add"](slug);
    if (!this.isOwnChoice) try {
      localStorage.setItem(REMEMBERED, JSON.stringify([...this.hidden]));
    } catch {
      // A browser that keeps nothing still switches.
    }
    for (const id of SWITCHES[slug] ?? []) this.map.setLayoutProperty(id, "visibility", isOn ? "visible" : "none");
  }

  // --- data ---------------------------------------------------------------------------------------------------------

  setFilter(query) {
    this.query = String(query ?? "").replace(/^\?/, "");
    return this.load();
  }

  /** Fetch both layers anew. A slower, older answer never replaces a newer one. */
  async load() {
    const turn = ++this.loading;
    const read = (address, more) => this.read(address, more);
    const { incidentsUrl, hotspotsUrl } = this.root.dataset;
    try {
      const [incidents, hotspots] = await Promise.all([incidentsUrl ? read(incidentsUrl) : null, hotspotsUrl ? read(hotspotsUrl, this.run) : null]);
      if (turn !== this.loading) return;
      if (incidents) this.points.replace(incidents.features);
      if (hotspots) this.drawHotspots(hotspots);
      this.tellCounts(incidents);
      this.root.dispatchEvent(new CustomEvent("map:loaded", { bubbles: true, detail: { shown: incidents?.shown ?? 0, total: incidents?.total ?? 0 } }));
    } catch (error) {
      if (turn !== this.loading) return;
      const text = error.status === 401 ? this.texts.signedOut : this.texts.failed;
      this.say(text, { isProblem: true, retry: () => this.load() });
    }
  }

  async read(address, run = null) {
    const query = new URLSearchParams(this.query);
    if (run !== null) query.set("run", run);
    const response = await fetch(`${address}${query.size ? `?${query}` : ""}`, { cache: "no-cache", credentials: "same-origin" });
    if (!response.ok) throw Object.assign(new Error(`${response.status}`), { status: response.status });
    return response.json();
  }

  /** The hot spots as they stood after an earlier run; `null` goes back to now. Answers how many, or nothing where it could not. */
  async showRun(run) {
    this.run = run;
    try {
      const hotspots = await this.read(this.root.dataset.hotspotsUrl, run);
      if (this.run !== run) return undefined;
      this.popup?.remove();
      this.drawHotspots(hotspots);
      return hotspots.features.length;
    } catch (error) {
      this.say(error.status === 401 ? this.texts.signedOut : this.texts.failed, { isProblem: true, retry: () => this.showRun(run) });
      return undefined;
    }
  }

  /** One live change. Under a filter only the server knows whether it belongs, so the layer is asked for again, soon. */
  upsert(feature) {
    const narrowing = new URLSearchParams(this.query);
    narrowing.delete("sort");
    if (narrowing.size === 0) this.points.upsert(feature);
    else
      this.again ??= setTimeout(() => {
        this.again = null;
        this.load();
      }, ASK_AGAIN_MS);
  }

  tellCounts(incidents) {
    const said = [];
    if (incidents && incidents.total > incidents.shown) said.push(fill(this.texts.capped, { shown: incidents.shown.toLocaleString("en"), total: incidents.total.toLocaleString("en") }));
    if (incidents?.ignored?.length) said.push(fill(this.texts.ignored, { names: incidents.ignored.join(", ") }));
    if (incidents?.unlocated) said.push(fill(this.texts.unlocated, { n: incidents.unlocated.toLocaleString("en") }));
    this.say(said.join(" · "));
  }

  drawPoints(features) {
    if (!this.map) return;
    const source = this.map.getSource("incidents");
    if (source) source.setData({ type: "FeatureCollection", features });
    else this.map.once("load", () => this.drawPoints([...this.points.byId.values()]));
    this.drawSelected();
  }

  drawHotspots(collection) {
    this.hotspots = collection;
    const legend = this.part("ramp");
    if (legend) legend.hidden = collection.features.length === 0;
    for (const end of ["lowest", "highest"]) {
      const place = this.part(end);
      if (place) place.textContent = collection[end] ?? "";
    }
    const draw = () => this.map.getSource("hotspots").setData(collection);
    if (!this.map) return;
    if (this.root.dataset.opensOn === "hotspots" && collection.features.length) {
      this.bounds = extentOf(collection.features);
      this.map.fitBounds(this.bounds, { padding: this.padding(), maxZoom: 14, animate: false });
      this.root.dataset.opensOn = "";
    }
    if (this.map.getSource("hotspots")) draw();
    else this.map.once("load", draw);
  }

  // --- selection ----------------------------------------------------------------------------------------------------

  select(id) {
    this.selectedId = id === null || id === undefined ? null : Number(id);
    this.drawSelected();
    this.tellOutOfSight();
  }

  drawSelected() {
    const feature = this.selectedId === null ? null : this.points.get(this.selectedId);
    this.map?.getSource("selected")?.setData({ type: "FeatureCollection", features: feature ? [feature] : [] });
  }

  tellOutOfSight() {
    const button = this.part("goto");
    if (!button) return;
    const feature = this.selectedId === null ? null : this.points.get(this.selectedId);
    button.hidden = !(feature && this.map && !this.map.getBounds().contains(feature.geometry.coordinates));
  }

  /** Bring one incident into sight, because somebody asked. */
  show(id) {
    const feature = this.points.get(id);
    if (!feature) return;
    this.select(id);
    this.map.easeTo({ center: feature.geometry.coordinates, zoom: Math.max(this.map.getZoom(), 14) });
  }

  fit(bounds) {
    if (bounds) this.map?.fitBounds(bounds, { padding: this.padding(), maxZoom: 15 });
  }

  // --- clicks -------------------------------------------------------------------------------------------------------

  under(point, reach) {
    const layers = ["incidents-cluster", "incidents-point", "hotspots-far", "hotspots-fill"].filter((id) => this.map.getLayer(id));
    return this.map.queryRenderedFeatures(
      [
        [point.x - reach, point.y - reach],
        [point.x + reach, point.y + reach],
      ],
      { layers },
    );
  }

  async clicked(event) {
    if (this.takers.some((take) => take(event))) return;
    const found = this.under(event.point, matchMedia("(pointer: coarse)").matches ? FINGER : 3);
    const cluster = found.find((feature) => feature.layer.id === "incidents-cluster");
    const incidents = [...new Map(found.filter((feature) => feature.layer.id === "incidents-point").map((feature) => [feature.properties.id, feature])).values()];
    const hotspot = found.find((feature) => feature.layer.id.startsWith("hotspots-"));
    const cell = this.surfaces.under(event.point);
    if (incidents.length === 1) this.choose(this.points.get(incidents[0].properties.id) ?? incidents[0]);
    else if (incidents.length > 1) this.offer(incidents, event.lngLat);
    else if (cluster) await this.openCluster(cluster);
    else if (cell && hotspot?.layer.id !== "hotspots-far") this.surfaces.choose(cell);
    else if (hotspot) this.chooseHotspot(hotspot, event.lngLat);
    else await this.chooseGround(event);
  }

  /** Empty ground: which area it is, and what its next days should bring. At sea the popup goes. */
  async chooseGround(event) {
    const zone = this.map.queryRenderedFeatures(event.point, { layers: ["area-ground"] })[0]?.properties;
    if (!zone) return void this.popup?.remove();
    const address = this.root.dataset.zoneForecastUrl.replace("/0.json", `/${zone.id}.json`);
    const popup = this.open(event.lngLat, zoneCard(zone, null, this.cardOptions()));
    const answer = await fetch(address, { credentials: "same-origin", cache: "no-cache" }).catch(() => null);
    if (!answer?.ok || this.popup !== popup || !popup.isOpen()) return;
    this.open(event.lngLat, zoneCard(zone, await answer.json(), this.cardOptions()));
  }

  async openCluster(cluster) {
    const source = this.map.getSource("incidents");
    const id = cluster.properties.cluster_id;
    const zoom = await source.getClusterExpansionZoom(id);
    if (zoom > 14 || zoom > this.map.getMaxZoom()) {
      // Too close together to part by zooming: they are named instead.
      this.offer(await source.getClusterLeaves(id, 12, 0), cluster.geometry.coordinates);
    } else {
      this.map.easeTo({ center: cluster.geometry.coordinates, zoom: zoom + 0.2 });
    }
  }

  choose(feature) {
    const { id, ref } = feature.properties;
    this.select(id);
    this.open(feature.geometry.coordinates, incidentCard(feature.properties, this.cardOptions()));
    this.root.dispatchEvent(new CustomEvent("map:select", { bubbles: true, detail: { id: Number(id), ref } }));
  }

  offer(features, place) {
    const ordered = [...features].sort((a, b) => b.properties.severity - a.properties.severity);
    this.open(place, listCard(ordered, this.cardOptions(), (feature) => this.choose(this.points.get(feature.properties.id) ?? feature)));
  }

  chooseHotspot(feature, place) {
    this.open(place, hotspotCard(feature.properties, this.cardOptions()));
    this.root.dispatchEvent(new CustomEvent("map:hotspot", { bubbles: true, detail: { id: Number(feature.properties.id) } }));
  }

  showHotspot(id) {
    const feature = this.hotspots?.features.find((one) => Number(one.properties.id) === Number(id));
    if (feature) this.fit(extentOf([feature]));
  }

  cardOptions() {
    return { texts: this.texts, language: this.language, incidentUrl: this.root.dataset.incidentUrl, hotspotUrl: this.root.dataset.hotspotUrl, forecastUrl: this.root.dataset.forecastUrl };
  }

  open(place, content) {
    this.popup?.remove();
    content.dir = document.documentElement.dir || "ltr";
    // Opening never pans: the popup picks the side on which it fits.
    this.popup = new this.library.Popup({ maxWidth: "280px", offset: 16, focusAfterOpen: false, className: "kmap-popup" })
      .setLngLat(place)
      .setDOMContent(content)
      .addTo(this.map);
    return this.popup;
  }
}
