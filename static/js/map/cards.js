// What a popup says. Built from nodes and `textContent` alone: no text of an incident is ever read as markup.

import { SEVERITIES } from "./icons.js";

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  4: "M8 .5 15.5 8 8 15.5.5 8z",
  3: "M8 1.2 15.4 14.2H.6z",
  2: "M1.8 1.8h12.4v12.4H1.8z",
  1: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1z",
};

export function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined && value !== null) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== undefined && child !== null && child !== ""));
  return made;
}

export function shapeOf(severity) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `kmap-shape ${SEVERITIES[severity] ?? "low"}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[severity] ?? PATHS[1]);
  svg.append(path);
  return svg;
}

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

export function ago(seconds, language) {
  const format = new Intl.RelativeTimeFormat(`${language}-u-nu-latn`, { numeric: "always", style: "short" });
  const age = Math.max(0, Math.round(Date.now() / 1000 - seconds));
  if (age < 3600) return format.format(-Math.floor(age / 60), "minute");
  if (age < 86400 * 2) return format.format(-Math.floor(age / 3600), "hour");
  return format.format(-Math.floor(age / 86400), "day");
}

export function incidentCard(properties, { texts, language, incidentUrl }) {
  const meta = node(
    "p", { class: "kmap-card-meta" },
    node("bdi", {}, properties.ref), " · ", node("bdi", {}, `P${properties.priority}`), " · ", texts.states[properties.state] ?? properties.state,
  );
  return node(
    "div", { class: "kmap-card" },
    node("p", { class: "kmap-card-title" }, shapeOf(properties.severity), node("b", {}, properties.type)),
    node("p", {}, [texts.severities[properties.severity], properties.place, ago(properties.at, language)].filter(Boolean).join(" · ")),
    meta,
    incidentUrl ? node("a", { class: "kmap-card-link", href: incidentUrl.replace("__ref__", encodeURIComponent(properties.ref)) }, texts.open) : null,
  );
}

/** Several incidents under one point: a list to choose from. */
export function listCard(features, { texts }, choose) {
  const list = node("ul", { class: "kmap-card-list" });
  for (const feature of features) {
    const button = node("button", { type: "button" }, shapeOf(feature.properties.severity), node("span", {}, feature.properties.type), node("bdi", {}, feature.properties.ref));
    button.addEventListener("click", () => choose(feature));
    list.append(node("li", {}, button));
  }
  return node("div", { class: "kmap-card" }, node("p", { class: "kmap-card-title" }, node("b", {}, fill(texts.here, { n: features.length }))), list);
}

const present = (value) => value !== null && value !== undefined && value !== "null";

export function hotspotCard(properties, { texts, hotspotUrl }) {
  return node(
    "div", { class: "kmap-card" },
    node("p", { class: "kmap-card-title" }, node("b", {}, fill(texts.hotspot, { rank: properties.rank }), properties.place ? ` · ${properties.place}` : "")),
    node("p", {}, fill(texts.hotspotCount, { n: properties.count, density: properties.density })),
    node("p", {}, [properties.changeText, properties.significant ? texts.hotspotSure : texts.hotspotChance, texts.hotspotTrends[properties.trend]].filter(Boolean).join(" · ")),
    present(properties.background) ? node("p", { class: "kmap-card-meta" }, fill(texts.hotspotAround, { n: properties.background })) : null,
    present(properties.previous) ? node("p", { class: "kmap-card-meta" }, fill(texts.hotspotBefore, { n: properties.previous })) : null,
    properties.synthetic ? node("p", { class: "kmap-card-meta" }, texts.synthetic) : null,
    hotspotUrl ? node("a", { class: "kmap-card-link", href: `${hotspotUrl}${properties.id}/` }, texts.why) : null,
  );
}

/** A zone and, when it has come (`forecast`), what its next days should bring. */
export function zoneCard(zone, forecast, { texts, language, forecastUrl }) {
  const sum = (days, key) => days.reduce((total, day) => total + day[key], 0);
  return node(
    "div", { class: "kmap-card" },
    node("p", { class: "kmap-card-title" }, node("b", {}, (language === "ar" ? zone.name_ar : "") || zone.name_en)),
    forecast && node("p", {}, fill(texts.zoneAhead, { n: Math.round(sum(forecast.forecast, "expected")) })),
    forecast && node("p", { class: "kmap-card-meta" }, fill(texts.zoneBefore, { n: sum(forecast.history.slice(-7), "count") })),
    zone.approximate ? node("p", { class: "kmap-card-meta" }, texts.approximate) : null,
    forecast && forecastUrl ? node("a", { class: "kmap-card-link", href: forecastUrl.replace("/0/", `/${zone.id}/`) }, texts.forecast) : null,
  );
}

export { fill };
