// Takes a chart away as a picture, or the page to the printer. The PNG is made here, from the SVG as it is drawn: shapes as an image with
// their computed colours written out, words by the canvas, which has the page's fonts (an SVG image has none) and shapes Arabic.
import { say } from "./ui.js";

const SCALE = 2;
const MARGIN = 16;
const DRAWN = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "stroke-linecap", "stroke-opacity", "opacity", "visibility"];
const ALIGN = { start: "start", middle: "center", end: "end" };
const BASELINE = { central: "middle", middle: "middle", hanging: "hanging", "text-before-edge": "top" };

for (const button of document.querySelectorAll("[data-export-png], [data-export-print]")) button.hidden = false;

document.addEventListener("click", async (event) => {
  if (event.target.closest("[data-export-print]")) return print();
  const button = event.target.closest("[data-export-png]");
  if (!button) return;
  try {
    const holder = document.getElementById(button.dataset.exportPng);
    const svg = [holder, ...holder.querySelectorAll("svg")].find((one) => one.matches("svg") && one.getBoundingClientRect().width > 0);
    const title = button.dataset.exportTitle || document.querySelector("h1")?.textContent.trim() || "";
    save(await pictureOf(svg, { title, note: button.dataset.exportNote }), `${button.dataset.exportName}.png`);
  } catch (error) {
    console.error(error);
    say(button.dataset.textFailed);
  }
});

/** A PNG (a Blob) of an SVG in the page, on its ground, with a title above and a note below. */
export async function pictureOf(svg, { title = "", note = "" } = {}) {
  await document.fonts.ready;
  const box = svg.getBoundingClientRect();
  const family = getComputedStyle(document.body).fontFamily;
  const isRtl = getComputedStyle(document.documentElement).direction === "rtl";
  const head = title ? 34 : 0;
  const foot = note ? 26 : 0;
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil((box.width + 2 * MARGIN) * SCALE);
  canvas.height = Math.ceil((box.height + 2 * MARGIN + head + foot) * SCALE);
  const pen = canvas.getContext("2d");
  pen.scale(SCALE, SCALE);
  pen.fillStyle = groundOf(svg);
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.direction = isRtl ? "rtl" : "ltr";
  pen.textAlign = "start";
  pen.textBaseline = "middle";
  const edge = isRtl ? box.width + MARGIN : MARGIN;
  const style = getComputedStyle(document.body);
  pen.fillStyle = style.color;
  if (title) {
    pen.font = `600 16px ${family}`;
    pen.fillText(title, edge, MARGIN + 10, box.width);
  }
  if (note) {
    pen.font = `400 11px ${family}`;
    pen.globalAlpha = 0.75;
    pen.fillText(note, edge, MARGIN + head + box.height + 16, box.width);
    pen.globalAlpha = 1;
  }
  pen.translate(MARGIN, MARGIN + head);
  pen.drawImage(await shapesOf(svg, box), 0, 0, box.width, box.height);
  for (const text of svg.querySelectorAll("text")) write(pen, text, box);
  return new Promise((resolve, reject) => { canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/png"); });
}

async function shapesOf(svg, box) {
  const copy = svg.cloneNode(true);
  const from = [svg, ...svg.querySelectorAll("*")];
  const to = [copy, ...copy.querySelectorAll("*")];
  from.forEach((element, at) => {
    const style = getComputedStyle(element);
    for (const name of DRAWN) to[at].setAttribute(name, style.getPropertyValue(name));
    if (style.display === "none") to[at].setAttribute("display", "none");
    to[at].removeAttribute("class");
    to[at].removeAttribute("style");
  });
  for (const words of copy.querySelectorAll("text, title, desc, a:empty")) words.remove();
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", box.width * SCALE);
  copy.setAttribute("height", box.height * SCALE);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  return image;
}

function write(pen, text, box) {
  const style = getComputedStyle(text);
  const words = text.textContent.trim().replace(/\s+/g, " ");
  const place = text.getScreenCTM();
  if (!words || style.display === "none" || style.visibility === "hidden" || !place) return;
  const x = text.x.baseVal.numberOfItems ? text.x.baseVal.getItem(0).value : 0;
  const y = text.y.baseVal.numberOfItems ? text.y.baseVal.getItem(0).value : 0;
  pen.save();
  pen.transform(place.a, place.b, place.c, place.d, place.e - box.left, place.f - box.top);
  pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  pen.direction = style.direction;
  pen.textAlign = ALIGN[style.textAnchor] ?? "start";
  pen.textBaseline = BASELINE[style.dominantBaseline] ?? "alphabetic";
  pen.fillStyle = style.fill;
  pen.globalAlpha = Number(style.opacity);
  pen.fillText(words, x, y);
  pen.restore();
}

/** The colour the chart stands on: its nearest ancestor's that is not see-through. */
function groundOf(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (colour && colour !== "transparent" && !/^rgba\(.*, 0\)$/.test(colour)) return colour;
  }
  return "#fff";
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 30_000);
}
