// The slider under the map: the hot spots as they stood after an earlier run. Incidents stay those of now.

const WAIT_MS = 150; // a dragged slider asks once it rests

async function begin(panel) {
  const root = panel.parentElement.querySelector("[data-map]");
  const slider = panel.querySelector("input");
  const said = panel.querySelector("[data-time-text]");
  const [back, on, now] = ["back", "on", "now"].map((name) => panel.querySelector(`[data-time-${name}]`));
  const answer = await fetch(panel.dataset.url, { credentials: "same-origin", cache: "no-cache" }).catch(() => null);
  if (!answer?.ok) return;
  const { moments } = await answer.json();
  if (moments.length < 2 || !root) return;
  // The answer may be here before the map's own script has begun.
  if (!root.mapApi) await new Promise((resolve) => root.addEventListener("map:ready", resolve, { once: true }));
  const last = moments.length - 1;
  slider.max = String(last);
  slider.value = String(last);

  let turn = 0;
  let timer = null;
  const place = () => Number(slider.value);
  const words = () => (place() === last ? `${moments[last].text} (${panel.dataset.textNow})` : moments[place()].text);
  function tell(count) {
    said.textContent = count === undefined ? words() : `${words()} · ${panel.dataset.textCount.replace("{n}", count)}`;
    slider.setAttribute("aria-valuetext", words());
    panel.classList.toggle("is-past", place() !== last);
    back.disabled = place() === 0;
    on.disabled = now.disabled = place() === last;
  }
  async function look() {
    const mine = ++turn;
    await root.mapApi.ready;
    const count = await root.commandMap.showRun(place() === last ? null : moments[place()].run);
    if (mine === turn && count !== undefined) tell(count);
  }
  function go(to) {
    slider.value = String(Math.max(0, Math.min(last, to)));
    tell();
    clearTimeout(timer);
    timer = setTimeout(look, WAIT_MS);
  }
  slider.addEventListener("input", () => go(place()));
  back.addEventListener("click", () => go(place() - 1));
  on.addEventListener("click", () => go(place() + 1));
  now.addEventListener("click", () => go(last));
  // It goes with its layer: where hot spots are switched off there is nothing to go back to.
  const box = root.querySelector('[data-map-layer="hotspots"]');
  const follow = () => (panel.hidden = box ? !box.checked : false);
  box?.addEventListener("change", follow);
  tell();
  follow();
}

for (const panel of document.querySelectorAll("[data-hotspot-time]")) begin(panel);
