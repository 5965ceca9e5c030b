// Surfaces on the map: one at a time, chosen in the panel; a click on a cell asks why it has its colour.

import { node } from "./cards.js";

const NOTHING = { type: "FeatureCollection", features: [] };
const REMEMBERED = "khareetaty.map.surface";

/** A function from a corner of the grid (column, row) to degrees: the four known points around it, weighed. */
function cornersOf({ step, column, row, across, up, lon, lat }) {
  return (c, r) => {
    const i = Math.min(Math.floor((c - column) / step), across - 2);
    const j = Math.min(Math.floor((r - row) / step), up - 2);
    const u = (c - column) / step - i;
    const v = (r - row) / step - j;
    const at = j * across + i;
    const between = (of) => of[at] * (1 - u) * (1 - v) + of[at + 1] * u * (1 - v) + of[at + across] * (1 - u) * v + of[at + across + 1] * u * v;
    return [between(lon), between(lat)];
  };
}

export function featuresOf(surface, paints) {
  const corner = cornersOf(surface.lattice);
  return surface.columns.map((column, k) => {
    const row = surface.rows[k];
    const ring = [corner(column, row), corner(column + 1, row), corner(column + 1, row + 1), corner(column, row + 1)];
    ring.push(ring[0]);
    return {
      type: "Feature",
      geometry: { type: "Polygon", coordinates: [ring] },
      properties: { surface: surface.id, column, row, paint: paints.get(surface.classes[k]) ?? "none" },
    };
  });
}

export class Surfaces {
  constructor(owner) {
    this.owner = owner;
    this.root = owner.root;
    this.choices = [];
    this.features = [];
    this.turn = 0;
  }

  part(name) {
    return this.owner.part(name);
  }

  get isOn() {
    return this.features.length > 0;
  }

  async start() {
    const box = this.part("surfaces");
    if (!box || !this.root.dataset.surfacesUrl) return;
    const answer = await fetch(this.root.dataset.surfacesUrl, { credentials: "same-origin", cache: "no-cache" }).catch(() => null);
    if (!answer?.ok) return;
    this.choices = (await answer.json()).surfaces;
    const kind = this.part("surface-kind");
    for (const option of [...kind.options]) if (option.value && !this.choices.some((one) => one.kind === option.value)) option.remove();
    box.hidden = this.choices.length === 0;
    kind.addEventListener("change", () => this.chosen());
    this.part("surface-category").addEventListener("change", () => this.chosen());
    this.part("surface-horizon").addEventListener("change", () => this.chosen());
    this.part("why-close").addEventListener("click", () => this.close());
    this.root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    const asked = this.choices.find((one) => String(one.id) === this.root.dataset.surface) ?? this.remembered();
    if (!asked) return;
    kind.value = asked.kind;
    this.offer();
    this.part("surface-category").value = asked.category;
    this.offer();
    this.part("surface-horizon").value = asked.horizon;
    await this.chosen();
  }

  remembered() {
    if (this.owner.isOwnChoice) return null;
    try {
      const [kind, category, horizon] = JSON.parse(localStorage.getItem(REMEMBERED)) ?? [];
      return this.choices.find((one) => one.kind === kind && one.category === category && one.horizon === horizon);
    } catch {
      return null;
    }
  }

  /** Fill the two further choices with what there is for the first, keeping what was chosen where it can be. */
  offer() {
    const kin = this.choices.filter((one) => one.kind === this.part("surface-kind").value);
    this.fill("category", kin, (one) => [one.category, one.category_name]);
    const category = this.part("surface-category").value;
    this.fill("horizon", kin.filter((one) => one.category === category && one.horizon), (one) => [one.horizon, one.horizon_name]);
  }

  fill(name, from, pair) {
    const select = this.part(`surface-${name}`);
    const before = select.value;
    const options = new Map(from.map(pair));
    select.replaceChildren(...[...options].map(([value, text]) => node("option", { value }, text)));
    if (options.has(before)) select.value = before;
    this.part(`surface-${name}-box`).hidden = options.size < 2;
  }

  async chosen() {
    this.offer();
    const [kind, category, horizon] = ["kind", "category", "horizon"].map((name) => this.part(`surface-${name}`).value);
    const shown = this.choices.filter((one) => one.kind === kind && one.category === category && one.horizon === horizon);
    if (!this.owner.isOwnChoice) try {
      localStorage.setItem(REMEMBERED, JSON.stringify([kind, category, horizon]));
    } catch {
      // A browser that keeps nothing still shows.
    }
    this.close();
    this.tell(shown[0]);
    await this.draw(shown);
  }

  tell(surface) {
    const [legend, notes, link] = ["surface-legend", "surface-notes", "surface-page"].map((name) => this.part(name));
    for (const place of [legend, notes, link]) place.hidden = !surface;
    if (!surface) return;
    legend.replaceChildren(...surface.legend.map((step) => node("li", {}, node("span", { class: `swatch paint-${step.paint}`, "aria-hidden": "true" }), step.label)));
    notes.replaceChildren(...surface.notes.flatMap((note, k) => [k ? " · " : "", node("bdi", {}, note)]));
    const { kind, category, horizon } = surface;
    link.search = new URLSearchParams(Object.entries({ kind, category, horizon }).filter(([, value]) => value));
  }

  async draw(shown) {
    const turn = ++this.turn;
    const answers = await Promise.all(
      shown.map((one) =>
        fetch(this.root.dataset.surfaceUrl.replace("/0.json", `/${one.id}.json`), { credentials: "same-origin", cache: "no-cache" })
          .then((answer) => (answer.ok ? answer.json() : null))
          .catch(() => null),
      ),
    );
    if (turn !== this.turn) return;
    if (answers.includes(null)) this.owner.say(this.owner.texts.failed, { isProblem: true, retry: () => this.chosen() });
    const paints = new Map(shown[0]?.legend.map((step) => [step.class, step.paint]));
    this.features = answers.filter(Boolean).flatMap((surface) => featuresOf(surface, paints));
    const put = () => {
      this.owner.map.getSource("surface").setData({ type: "FeatureCollection", features: this.features });
      // Two fills over one another say neither: with a surface on, a hot spot keeps its outline only.
      const visibility = this.isOn || this.owner.hidden.has("hotspots") ? "none" : "visible";
      this.owner.map.setLayoutProperty("hotspots-fill", "visibility", visibility);
    };
    if (this.owner.map.getSource("surface")) put();
    else this.owner.map.once("load", put);
    this.root.dataset.surfaceCells = this.features.length;
    this.root.dispatchEvent(new CustomEvent("map:surface", { bubbles: true, detail: { cells: this.features.length } }));
  }

  /** The cell at a place on the screen. */
  under(point) {
    if (!this.isOn || !this.owner.map.getLayer("surface-fill")) return null;
    return this.owner.map.queryRenderedFeatures(point, { layers: ["surface-fill"] })[0]?.properties ?? null;
  }

  /** Say why one cell has its colour: the ordinary page's own words, asked for with its ordinary check. */
  async choose({ surface, column, row }, { opener = null } = {}) {
    const turn = (this.asked = {});
    this.opener = opener;
    this.owner.popup?.remove();
    this.mark(surface, column, row);
    const address = this.root.dataset.surfaceWhyUrl.replace("/0/", `/${surface}/`).replace("{column}", column).replace("{row}", row);
    const answer = await fetch(address, { headers: { "HX-Request": "true" }, credentials: "same-origin" }).catch(() => null);
    if (turn !== this.asked) return;
    if (!answer || (answer.status !== 404 && !answer.ok) || answer.redirected) {
      return void this.owner.say(answer?.redirected ? this.owner.texts.signedOut : this.owner.texts.failed, { isProblem: true });
    }
    const body = this.part("why-body");
    body.replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes);
    this.part("why").hidden = false;
    this.part("why").scrollTop = 0;
    body.querySelector("[tabindex='-1']")?.focus({ preventScroll: true });
    this.root.dispatchEvent(new CustomEvent("map:cell", { bubbles: true, detail: { column: Number(column), row: Number(row) } }));
  }

  /** Bring a place into the part of the map the panel leaves free. */
  show(center) {
    const [whole, panel] = [this.root.getBoundingClientRect(), this.part("why").getBoundingClientRect()];
    const isSheet = panel.width > whole.width * 0.8;
    const aside = getComputedStyle(this.root).direction === "rtl" ? panel.width / 2 : -panel.width / 2;
    this.owner.map.easeTo({ center, zoom: Math.max(this.owner.map.getZoom(), 12.5), offset: isSheet ? [0, -panel.height / 2] : [aside, 0] });
  }

  mark(surface, column, row) {
    const feature = this.features.find(({ properties: one }) => one.surface === Number(surface) && one.column === Number(column) && one.row === Number(row));
    this.owner.map?.getSource("surface-cell")?.setData(feature ? { type: "FeatureCollection", features: [feature] } : NOTHING);
  }

  close() {
    this.asked = null;
    const panel = this.part("why");
    if (!panel || panel.hidden) return;
    const hadFocus = panel.contains(document.activeElement);
    panel.hidden = true;
    this.owner.map?.getSource("surface-cell")?.setData(NOTHING);
    if (hadFocus) (this.opener ?? this.owner.map?.getCanvas())?.focus({ preventScroll: true });
  }
}
