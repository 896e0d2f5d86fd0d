// Colour bar of the heat layer, drawn from the same tables as the picture, and its zones in one sentence.

import { LAYERS, RAMPS, digitsOf } from "./colours.js";
import { thresholdText, valueText } from "./ranges.js";
import { FAINT_ENTRY, faint } from "./zones.js";

const CONTEXT = { willReadFrequently: true }; // small, and drawn at every move: a graphics card would only be waited for
const HIDDEN = 0.25; // share of the bar for what is below the threshold

// `top`: the largest value in the record; the picture is interpolated, so it may reach less.
export function legendText(settings, shown, top) {
  const layer = LAYERS[settings.layer];
  if (!shown || layer.labels) return "";
  const digits = digitsOf(layer, settings.maximum), least = thresholdText(layer, settings.threshold, digits);
  if (shown.above + shown.under === 0 && !(settings.showBelow && shown.below)) {
    return top >= settings.threshold ? `Nothing in the interpolated picture reaches ${least}; the record's largest is ${valueText(layer, top, settings.threshold, digits)}.` : `Nothing reaches ${least}.`;
  }
  const both = layer.signed && settings.showLess ? " Both sides are counted." : "";
  const below = `${shown.below.toFixed(1)} ml below it${shown.bounded ? " but beyond the bound" : ""} (${settings.showBelow ? "faint" : "hidden"})`;
  const unknown = layer.bound ? "; the bound was not recorded, so all of it may be the model" : "";
  const under = shown.bounded ? `, ${shown.under.toFixed(1)} ml under the bound, may be the model (${settings.showWithin ? "hatched" : "hidden"})` : unknown;
  return `${shown.above.toFixed(1)} ml above the threshold, ${below}${under}.${both}`;
}

function rows(layer, { showLess }) {
  if (!layer.signed) return [[layer.positive, ""]];
  const more = [layer.positive, "more than mirror"];
  return showLess ? [more, [layer.negative, "less than mirror"]] : [more];
}

// `width`: of the canvas on the page, px; 0 while it is hidden.
export function drawLegend(canvas, settings, width) {
  const ratio = window.devicePixelRatio || 1, layer = LAYERS[settings.layer], digits = digitsOf(layer, settings.maximum);
  const ramps = rows(layer, settings), below = ramps.length * 14;
  const wide = width || 296, tall = below + 16, start = Math.round(wide * hiddenShare(settings));
  resize(canvas, wide * ratio, tall * ratio);
  if (canvas.style.height !== `${tall}px`) canvas.style.height = `${tall}px`;
  const context = canvas.getContext("2d", CONTEXT);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bars(canvas, { ramps, wide, start, ratio, showBelow: settings.showBelow }), 0, 0);
  context.scale(ratio, ratio);
  if (settings.threshold > 0) label(context, "0", 0, below + 8, "left");
  label(context, thresholdText({ before: layer.before }, settings.threshold, digits), start, below + 8, settings.threshold > 0 ? "center" : "left");
  label(context, valueText(layer, settings.maximum, settings.threshold, digits), wide, below + 8, "right");
  const under = settings.showBelow ? "faint" : "not shown";
  const [from, full] = [thresholdText({}, settings.threshold, digits), valueText({}, settings.maximum, settings.threshold, digits)];
  canvas.setAttribute("aria-label", `${layer.title}: ${under} below ${from}, full colour at ${full} ${layer.unit}`);
}

function resize(canvas, width, height) {
  if (canvas.width !== Math.trunc(width)) canvas.width = width;
  if (canvas.height !== Math.trunc(height)) canvas.height = height;
}

// The bars without their numbers, kept while a slider changes only these.
function bars(canvas, about) {
  const { ramps, wide, ratio, showBelow, start } = about, key = JSON.stringify(about);
  if (canvas.bars?.key === key) return canvas.bars.picture;
  const picture = document.createElement("canvas"), context = picture.getContext("2d", CONTEXT);
  resize(picture, wide * ratio, (ramps.length * 14 + 16) * ratio);
  context.scale(ratio, ratio);
  ramps.forEach(([name, words], row) => drawRamp(context, RAMPS[name], words, { top: row * 14, wide, start, showBelow }));
  canvas.bars = { key, picture };
  return picture;
}

// Share of the bar for what is below the threshold: none when everything is above it.
function hiddenShare(settings) {
  return settings.threshold > 0 ? HIDDEN : 0;
}

function drawRamp(context, table, words, { top, wide, start, showBelow }) {
  context.fillStyle = "#0d0f13";
  context.fillRect(0, top, start, 12);
  for (let x = 0; x < wide; x += 1) {
    if (x < start && !showBelow) continue;
    const entry = x < start ? 3 * FAINT_ENTRY : 3 * Math.round((255 * (x - start)) / (wide - start - 1));
    context.globalAlpha = x < start ? faint(x, start, Infinity) : 1;
    context.fillStyle = `rgb(${table[entry]}, ${table[entry + 1]}, ${table[entry + 2]})`;
    context.fillRect(x, top, 1, 12);
  }
  context.globalAlpha = 1;
  if (start > 0) label(context, showBelow ? "faint" : "not shown", start / 2, top + 6, "center");
  if (words) label(context, words, start + 6, top + 6, "left", "#ffffff");
}

function label(context, text, x, y, align, colour = "#b9c1cb") {
  Object.assign(context, { font: "11px system-ui, sans-serif", textAlign: align, textBaseline: "middle", fillStyle: colour });
  context.fillText(text, x, y);
}
