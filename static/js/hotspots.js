// The list of hot spots and the map beside it: choosing in one shows in the other.

const map = () => document.querySelector("[data-map]");

function choose(id, { scroll = false } = {}) {
  for (const spot of document.querySelectorAll("[data-hotspot]")) {
    const isIt = spot.dataset.hotspot === String(id);
    spot.classList.toggle("is-chosen", isIt);
    if (isIt && scroll) spot.scrollIntoView({ block: "nearest" });
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-hotspot-show]");
  if (!button) return;
  choose(button.dataset.hotspotShow);
  const root = map();
  await root?.mapApi?.ready;
  root?.commandMap?.showHotspot(button.dataset.hotspotShow);
});
document.addEventListener("map:hotspot", (event) => choose(event.detail.id, { scroll: true }));

// A page about one hot spot shows that one.
const focus = document.querySelector("[data-hotspot-focus]")?.dataset.hotspotFocus;
if (focus) {
  let isShown = false;
  document.addEventListener("map:loaded", async (event) => {
    if (isShown) return;
    isShown = true;
    await event.target.mapApi.ready;
    event.target.commandMap.showHotspot(focus);
  });
}
