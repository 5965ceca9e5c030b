// The incident's own page follows its incident.
import { follow } from "./feed.js";
import { incidentChanged } from "./panel.js";

const watch = document.getElementById("watch");
const head = watch.dataset.liveHead;
watch.removeAttribute("data-live-head");
follow({
  room: watch.dataset.room,
  after: Number(head),
  onEvent: (event) => { if (event.ref) incidentChanged(event.ref); },
  onReset: () => incidentChanged(document.getElementById("incident").dataset.ref),
});
