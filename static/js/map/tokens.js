// The map's colours are the page's tokens, so that one change of theme changes both.

const NAMES = [
  "bg", "surface", "raised", "text", "muted", "faint", "line", "accent", "accent-ink", "critical", "high", "medium", "low", "ok",
  "hot-1", "hot-2", "hot-3", "hot-4", "hot-5", "cold-1", "cold-2", "cold-3", "sea", "land", "road",
];
// Used only where a page brings no tokens.
const SPARE = { bg: "#0a0f16", surface: "#111923", text: "#e8eef6", accent: "#3cc6b8", sea: "#0b131d", land: "#141e2a", road: "#22303f" };

/** Any CSS colour as the `rgba()` the map's style understands. */
function plain(colour, brush) {
  brush.clearRect(0, 0, 1, 1);
  brush.fillStyle = "#000";
  brush.fillStyle = colour;
  brush.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = brush.getImageData(0, 0, 1, 1).data;
  return `rgba(${red},${green},${blue},${Math.round((alpha / 255) * 1000) / 1000})`;
}

/** The tokens as they stand on `element`, by name without the dashes in front. */
export function readTokens(element) {
  const style = getComputedStyle(element);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  return Object.fromEntries(NAMES.map((name) => [name, plain(style.getPropertyValue(`--${name}`).trim() || SPARE[name] || "#888", brush)]));
}

/** Call `then` whenever the page's theme changes, by its switch or by the device. */
export function onThemeChange(then) {
  const observer = new MutationObserver(then);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "class"] });
  const media = matchMedia("(prefers-color-scheme: light)");
  media.addEventListener("change", then);
  return () => {
    observer.disconnect();
    media.removeEventListener("change", then);
  };
}
