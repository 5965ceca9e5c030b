// The table of cells and the map beside it: "Why?" answers on the map where there is one, and on a page of its own where not.

const map = () => document.querySelector("[data-map]");

document.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-surface-cell]");
  const command = map()?.commandMap;
  if (!link || !command?.map || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  await map().mapApi.ready;
  const [column, row] = link.dataset.surfaceCell.split(",");
  await command.surfaces.choose({ surface: map().dataset.surface, column, row }, { opener: link });
  map().scrollIntoView({ block: "nearest" }); // on a phone the map stands above the table
  command.surfaces.show(link.dataset.surfaceAt.split(",").map(Number));
});
document.addEventListener("map:cell", (event) => {
  const chosen = `${event.detail.column},${event.detail.row}`;
  for (const link of document.querySelectorAll("[data-surface-cell]")) link.closest("tr").classList.toggle("is-chosen", link.dataset.surfaceCell === chosen);
});
