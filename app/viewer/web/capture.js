// A picture to keep: the panes with the research-use strip, sides, model and settings burned in.

import { LAYERS, digitsOf } from "./colours.js";
import { conventionText } from "./geometry.js";
import { thresholdText, valueText } from "./ranges.js";
import { rarityText, stepsReached } from "./rarity.js";
import { boundWords, factsAt, formatMm, number } from "./readout.js";

// What a picture without its page must still say, one subject a line.
export function captionLines(viewer, shownText) {
  const { settings, model, software, calibration } = viewer;
  const hash = String(model.sha256 || "").slice(0, 16), [low, high] = settings.window;
  return [
    `${viewer.caseName}   crosshair ${formatMm(viewer.crosshair)} mm   ${viewText(viewer)}   window ${number(low, 1)} to ${number(high, 1)}`,
    heatText(viewer, shownText),
    ...dialLines(viewer),
    ...(viewer.captionLines?.() || []),
    [boundText(viewer), `Calibration: ${viewer.comparedWith || calibration.name || "none"}`].filter(Boolean).join("   "),
    `Model ${model.name || "unknown"} ${model.version || ""} sha256 ${hash || "unknown"}   medsym ${software.medsym || "unknown"}`,
  ];
}

// How the head is seen; in 3D the planes' convention says nothing.
export function viewText({ display, views, zoom }) {
  const pane = views.pane(), nose = display.noseLeft ? "sagittal nose on left" : "sagittal nose on right";
  if (views.name === "3d") return `3D: ${pane.words()}; never mirrored   zoom ${number(pane.zoom, 1)}`;
  return `${conventionText(display)}; ${nose}${pane ? "" : `   zoom ${number(zoom, 1)}`}`;
}

// What the dial says of the threshold, and what speaks against p-values.
function dialLines({ settings, display, calibration, assessable }) {
  if (!assessable) return [];
  const { thresholds: steps, reason, warning, caution } = calibration;
  const dialled = steps?.length && display.overlay && settings.layer === "deviation";
  const said = [dialled && rarityText(calibration, stepsReached(steps, settings.threshold)), reason && `No p-value: ${reason}.`, warning && `Warning: ${warning}.`, caution];
  return said.filter(Boolean).length ? [said.filter(Boolean).join(" ")] : [];
}

function heatText(viewer, shownText) {
  const { settings, display } = viewer, layer = LAYERS[settings.layer];
  if (!viewer.assessable) return `NOT ASSESSABLE: ${viewer.reasons.join("; ") || "no reason was recorded"}`;
  if (viewer.waiting) return "MAPS NOT READ YET: this picture shows the scan alone";
  const solid = viewer.views.name === "3d";
  if (solid && layer?.labels) return `${layer.title}: not drawn in 3D`;
  const lines = !solid && viewer.volumes.anatomy && display.outlines ? "; outlines of the structures" : "";
  if (!display.overlay || !layer) return `Heatmap off${lines}`;
  if (layer.labels) return layer.title + lines;
  const { threshold, maximum } = settings, digits = digitsOf(layer, maximum);
  const from = thresholdText(layer, threshold, digits), full = valueText(layer, maximum, threshold, digits);
  return `${layer.title}: threshold ${from}, full colour at ${full}, opacity ${Math.round(settings.opacity * 100)} %${lines}. ${solid ? shownText.replace(/\((hatched|faint)\)/g, "(not drawn in 3D)") : shownText}`;
}

// How much asymmetry the model itself may add: at the crosshair, and where it is largest.
function boundText(viewer) {
  if (!viewer.volumes.bound) return "";
  const { bound } = factsAt(viewer.crosshair, { ...viewer, finding: viewer.findings[viewer.place] }), most = viewer.largestBound;
  return `Bound at the crosshair ${boundWords(bound)}, largest ${boundWords(most ?? NaN)}`;
}

// A text in lines that fit a width, broken between words.
function wrap(text, font, width) {
  const context = document.createElement("canvas").getContext("2d"), lines = [""];
  context.font = font;
  for (const word of text.split(" ")) {
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (lines.at(-1) && context.measureText(longer).width > width) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

export function composePicture(viewer, shownText) {
  const panes = [...viewer.panes, viewer.views.pane()].filter((pane) => pane?.canvas.clientWidth > 0);
  const boxes = panes.map((pane) => pane.canvas.getBoundingClientRect());
  const left = Math.min(...boxes.map((box) => box.left)), top = Math.min(...boxes.map((box) => box.top));
  const ratio = panes[0].ratio, strip = 34 * ratio, line = 20 * ratio;
  const wide = Math.round((Math.max(...boxes.map((box) => box.right)) - left) * ratio);
  const tall = Math.round((Math.max(...boxes.map((box) => box.bottom)) - top) * ratio);
  const canvas = document.createElement("canvas"), caption = `${12 * ratio}px system-ui, sans-serif`;
  const lines = captionLines(viewer, shownText).flatMap((text) => wrap(text, caption, wide - 350 * ratio));
  canvas.width = wide;
  canvas.height = strip + tall + lines.length * line + 14 * ratio;
  const context = canvas.getContext("2d");
  context.fillStyle = "#14171c";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = "#3a2a08";
  context.fillRect(0, 0, wide, strip - 4 * ratio);
  context.textBaseline = "middle";
  context.fillStyle = "#ffd48a";
  context.font = `600 ${14 * ratio}px system-ui, sans-serif`;
  context.fillText(viewer.researchUseOnly, 10 * ratio, strip / 2 - 2 * ratio, wide - 20 * ratio);
  panes.forEach((pane, n) => context.drawImage(pane.canvas, Math.round((boxes[n].left - left) * ratio), strip + Math.round((boxes[n].top - top) * ratio)));
  context.fillStyle = "#e8ebef";
  context.font = caption;
  lines.forEach((text, n) => context.fillText(text, 10 * ratio, strip + tall + (n + 0.9) * line));
  drawColourBar(context, viewer, { right: wide - 10 * ratio, top: strip + tall + 8 * ratio });
  return canvas;
}

function drawColourBar(context, viewer, { right, top }) {
  const { legend } = viewer.panel.heat;
  const shown = viewer.display.overlay && LAYERS[viewer.settings.layer] && !LAYERS[viewer.settings.layer].labels;
  if (shown) context.drawImage(legend, right - legend.width, top);
}

export function savePicture(viewer, shownText) {
  composePicture(viewer, shownText).toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `medsym_${viewer.caseName.replace(/[^A-Za-z0-9_.-]/g, "_")}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }, "image/png");
}
