// Units as a layer of a map that is about something else: switched on and off, with a card that leads to the unit's own board.

import { node } from "../map/cards.js";
import { serverNow } from "../ui.js";
import { ageWriter } from "./unit_ages.js";
import { UnitFeed } from "./unit_feed.js";
import { UnitLayer } from "./unit_layer.js";

export function startUnits(commandMap, box) {
  const config = JSON.parse(commandMap.root.dataset.units);
  const ageText = ageWriter(config.texts);
  let layer = null;
  const draw = () => layer?.draw([...feed.units.values()].filter((unit) => unit.state !== "off_duty"), serverNow() / 1000, feed.staleS ?? config.stale_s);
  const feed = new UnitFeed({ url: config.url, fixed: config.fixed, moving: config.moving, onChange: draw, onTrouble: () => {} });
  const card = (id, place) => {
    const unit = feed.units.get(id);
    if (!unit) return;
    const age = ageText(Math.max(0, serverNow() / 1000 - unit.at));
    commandMap.open(place, node(
      "div", { class: "kmap-card" },
      node("p", { class: "kmap-card-title" }, node("b", {}, node("bdi", {}, unit.call_sign))),
      node("p", { class: "kmap-card-meta" }, `${config.kinds[unit.kind] ?? unit.kind} · ${config.states[unit.state] ?? unit.state} · `, node("bdi", {}, age)),
      node("a", { class: "kmap-card-link", href: `${config.page}?unit=${id}` }, config.texts.open),
    ));
  };
  const turn = async () => {
    if (box.checked && !feed.isRunning) {
      if (!layer) {
        layer = new UnitLayer(commandMap, { ageText, onChoose: card });
        await layer.start();
      }
      layer.turn(true);
      feed.start();
    } else if (!box.checked && feed.isRunning) {
      feed.stop();
      layer?.turn(false);
    }
  };
  box.addEventListener("change", turn);
  setInterval(() => feed.isRunning && !document.hidden && draw(), 5000);
  turn();
}
