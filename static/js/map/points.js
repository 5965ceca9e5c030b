// The incidents on the map, by id. Live updates are gathered and drawn at most four times a second.

const BATCH_MS = 250;

export class Points {
  /** `draw` takes a list of features. */
  constructor(draw) {
    this.byId = new Map();
    this.draw = draw;
    this.timer = null;
  }

  replace(features) {
    this.byId = new Map(features.map((feature) => [Number(feature.properties.id), feature]));
    this.flush();
  }

  upsert(feature) {
    const [longitude, latitude] = feature?.geometry?.coordinates ?? [];
    if (!Number.isFinite(longitude) || !Number.isFinite(latitude)) return;
    this.byId.set(Number(feature.properties.id), feature);
    this.later();
  }

  remove(id) {
    if (this.byId.delete(Number(id))) this.later();
  }

  get(id) {
    return this.byId.get(Number(id));
  }

  later() {
    this.timer ??= setTimeout(() => this.flush(), BATCH_MS);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = null;
    this.draw([...this.byId.values()]);
  }
}
