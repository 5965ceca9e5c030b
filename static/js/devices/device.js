// One device's page: it follows the device's room, and asks for what it shows again when the room says that something came.

import { sayFeed } from "../feed.js";
import { followRooms } from "./rooms.js";

const page = document.getElementById("device-page");
const chart = document.getElementById("device-chart");
const now = document.getElementById("device-now");
const CHART_EVERY_MS = { hour: 4_000, day: 20_000, week: 120_000, month: 600_000 };
const NOW_EVERY_MS = 1_000;
let drawnAt = Date.now();
let askedAt = 0;
let chartTimer = null;
let nowTimer = null;

function shown() {
  const part = chart.querySelector("[data-chart-of]");
  return part ? { metric: part.dataset.chartOf, span: part.dataset.span } : { metric: "", span: "day" };
}

async function replace(where, url) {
  const answer = await fetch(url, { credentials: "same-origin", cache: "no-store" }).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const wasOpen = where.querySelector("details")?.open;
  where.innerHTML = await answer.text();
  if (wasOpen && where.querySelector("details")) where.querySelector("details").open = true;
}

function draw({ metric, span }) {
  clearTimeout(chartTimer);
  chartTimer = null;
  drawnAt = Date.now();
  return replace(chart, `${page.dataset.chartUrl}?${new URLSearchParams({ metric, span })}`);
}

/** Soon, and not more often than a curve of that length can show. */
function drawSoon() {
  const { span } = shown();
  chartTimer ??= setTimeout(() => draw(shown()), Math.max(0, drawnAt + (CHART_EVERY_MS[span] ?? 20_000) - Date.now()));
}

function askNow() {
  nowTimer ??= setTimeout(() => {
    nowTimer = null;
    askedAt = Date.now();
    replace(now, page.dataset.nowUrl);
  }, Math.max(0, askedAt + NOW_EVERY_MS - Date.now()));
}

// Another span or metric without leaving the page; the link works without a script, too.
page.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-span-link], [data-metric]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  const asked = { metric: link.dataset.metric ?? shown().metric, span: link.dataset.spanLink ?? shown().span };
  const focus = link.dataset.spanLink ? `[data-span-link="${link.dataset.spanLink}"]` : null;
  history.replaceState(null, "", `?${new URLSearchParams(asked)}`);
  await draw(asked);
  if (focus) chart.querySelector(focus)?.focus();
});

followRooms([page.dataset.room], {
  onFrame: (frame) => {
    askNow();
    if (frame.type === "readings" && frame.data.some((row) => row.metric === shown().metric)) drawSoon();
  },
  onResync: () => { askNow(); draw(shown()); },
  onState: sayFeed,
});
