// Colour bar with its zones, drawn from the same tables as the picture.

import { LAYERS, RAMPS, digitsOf } from "./colours.js";

const SWATCH = 24; // pixels of the hatched sample
const HIDDEN = 0.25; // share of the bar for what is below the threshold

export function legendText(settings, shown) {
  const layer = LAYERS[settings.layer];
  if (!shown || layer.labels) return "";
  const unit = layer.unit ? ` ${layer.unit}` : "";
  const total = shown.beyond + shown.within;
  if (total === 0) return `Nothing reaches ${settings.threshold.toFixed(digitsOf(layer, settings.maximum))}${unit}.`;
  const both = layer.signed && settings.showLess ? ", both sides counted" : "";
  if (!layer.bound) return `${shown.beyond.toFixed(1)} ml shown.`;
  return `${shown.beyond.toFixed(1)} ml beyond the bound, ${shown.within.toFixed(1)} ml within it (${settings.showWithin ? "hatched" : "hidden"})${both}.`;
}

function rows(layer, { showLess }) {
  if (!layer.signed) return [[layer.positive, ""]];
  const more = [layer.positive, "more than mirror"];
  return showLess ? [more, [layer.negative, "less than mirror"]] : [more];
}

export function drawLegend(canvas, settings, { zones }) {
  const ratio = window.devicePixelRatio || 1, layer = LAYERS[settings.layer], digits = digitsOf(layer, settings.maximum);
  const wide = canvas.clientWidth || 296, tall = rows(layer, settings).length * 14 + (zones ? 18 : 0) + 18;
  canvas.width = wide * ratio;
  canvas.height = tall * ratio;
  canvas.style.height = `${tall}px`;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const ramps = rows(layer, settings);
  ramps.forEach(([name, words], row) => drawRamp(context, RAMPS[name], words, { top: row * 14, wide, start: Math.round(wide * hiddenShare(settings)) }));
  const below = ramps.length * 14;
  if (settings.threshold > 0) label(context, "0", 0, below + 9, "left");
  label(context, settings.threshold.toFixed(digits), wide * hiddenShare(settings), below + 9, settings.threshold > 0 ? "center" : "left");
  label(context, `${settings.maximum.toFixed(digits)} ${layer.unit}`, wide, below + 9, "right");
  if (zones) {
    drawHatch(context, 0, below + 22, SWATCH, 10, settings.showWithin);
    label(context, `within the bound: may be the model${settings.showWithin ? "" : " (hidden)"}`, SWATCH + 6, below + 27, "left");
  }
  canvas.setAttribute("aria-label", `${layer.title}: not shown below ${settings.threshold.toFixed(digits)}, full colour at ${settings.maximum.toFixed(digits)} ${layer.unit}`);
}

// Share of the bar for what is not drawn: none when everything is.
function hiddenShare(settings) {
  return settings.threshold > 0 ? HIDDEN : 0;
}

function drawRamp(context, table, words, { top, wide, start }) {
  context.fillStyle = "#0d0f13";
  context.fillRect(0, top, start, 12);
  if (start > 0) label(context, "not shown", start / 2, top + 6, "center");
  for (let x = start; x < wide; x += 1) {
    const entry = 3 * Math.round((255 * (x - start)) / (wide - start - 1));
    context.fillStyle = `rgb(${table[entry]}, ${table[entry + 1]}, ${table[entry + 2]})`;
    context.fillRect(x, top, 1, 12);
  }
  if (words) label(context, words, start + 6, top + 6, "left", "#ffffff");
}

function drawHatch(context, left, top, wide, tall, visible) {
  context.fillStyle = "#2c2620";
  context.fillRect(left, top, wide, tall);
  if (!visible) return;
  context.save();
  context.beginPath();
  context.rect(left, top, wide, tall);
  context.clip();
  context.strokeStyle = "#bec4cc";
  context.lineWidth = 1.2;
  for (let x = left - tall; x < left + wide; x += 6) {
    context.beginPath();
    context.moveTo(x, top + tall);
    context.lineTo(x + tall, top);
    context.stroke();
  }
  context.restore();
}

function label(context, text, x, y, align, colour = "#b9c1cb") {
  Object.assign(context, { font: "11px system-ui, sans-serif", textAlign: align, textBaseline: "middle", fillStyle: colour });
  context.fillText(text, x, y);
}
