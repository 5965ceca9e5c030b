// The manual alert's form: who will be told is shown while it is filled in; a press on the map is its place.

import { isSignedOut } from "../ui.js";

const form = document.querySelector(".new-form");
const preview = document.getElementById("told-preview");
const AGAIN_MS = 250;

let turn = 0;
async function show() {
  const mine = ++turn;
  const answer = await fetch(form.dataset.previewUrl, { method: "POST", body: new FormData(form), credentials: "same-origin" }).catch(() => null);
  if (!answer?.ok || isSignedOut(answer.url) || mine !== turn) return;
  preview.replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes);
}

let due = null;
form.addEventListener("change", () => {
  clearTimeout(due);
  due = setTimeout(show, AGAIN_MS);
});

const find = document.getElementById("find-people");
const people = [...document.querySelectorAll("[data-people] label")];
find.hidden = people.length < 8;
find.addEventListener("input", () => {
  const words = find.value.trim().toLocaleLowerCase();
  for (const label of people) label.hidden = words !== "" && !label.textContent.toLocaleLowerCase().includes(words) && !label.querySelector("input").checked;
});
find.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });

// --- the place ------------------------------------------------------------------------------------------------------------
const root = form.querySelector("[data-map]");
const fields = [form.elements.latitude, form.elements.longitude];

async function picks() {
  if (!root.mapApi) await new Promise((resolve) => root.addEventListener("map:ready", resolve, { once: true }));
  await root.mapApi.ready;
  const { map } = root.mapApi;
  root.querySelector("[data-map-panel]").open = false;
  map.addSource("place", { type: "geojson", data: { type: "FeatureCollection", features: [] } });
  map.addLayer({ id: "place", type: "circle", source: "place", paint: { "circle-radius": 9, "circle-opacity": 0.35, "circle-stroke-width": 2.5 } });
  const colour = getComputedStyle(root).getPropertyValue("--accent").trim();
  map.setPaintProperty("place", "circle-color", colour);
  map.setPaintProperty("place", "circle-stroke-color", colour);
  const draw = () => {
    const [lat, lon] = fields.map((field) => (field.value === "" ? NaN : Number(field.value)));
    const isPlace = Number.isFinite(lat) && Number.isFinite(lon);
    map.getSource("place").setData({
      type: "FeatureCollection",
      features: isPlace ? [{ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: [lon, lat] } }] : [],
    });
  };
  root.commandMap.takers.unshift((event) => {
    fields[0].value = event.lngLat.lat.toFixed(5);
    fields[1].value = event.lngLat.lng.toFixed(5);
    draw();
    return true;
  });
  for (const field of fields) field.addEventListener("input", draw);
  draw();
}
picks();
