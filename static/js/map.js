// Every `[data-map]` of the page becomes a map. Its element gets `mapApi` at once and fires `map:ready`, `map:select`,
// `map:hotspot` and `map:loaded`; a `board:select` anywhere on the page marks the incident without moving the map.

import { CommandMap } from "./map/command_map.js";

// The line went while a layer's code was on its way: the map stands without it, and the page says by itself that it is cut off.
const missed = (error) => console.warn("a layer of the map did not come:", error.message);

for (const root of document.querySelectorAll("[data-map]")) {
  const made = new CommandMap(root);
  document.addEventListener("board:select", (event) => {
    if (!root.contains(event.target)) made.select(event.detail?.id ?? null);
  });
  made.start();
  // Units come to a map that offers them; their own board brings them itself.
  const box = root.querySelector('[data-map-layer="units"]');
  if (box && root.dataset.units) import("./patrol/unit_map.js").then(({ startUnits }) => startUnits(made, box), missed);
  const alerts = root.querySelector('[data-map-layer="alerts"]');
  const sensors = root.querySelectorAll("[data-map-sensors]");
  if (root.dataset.sensors) import("./sensors/sensor_layers.js").then(({ startSensors }) => startSensors(made, sensors), missed);
  if (root.dataset.alerts) import("./alerts/alert_layer.js").then(({ startAlerts }) => startAlerts(made, alerts), missed);
}
