// From where to where a layer is coloured, and how its values are written.

import { LAYERS, digitsOf } from "./colours.js";
import { besideThreshold, thresholdUp } from "./upwards.js";

// Deviation from which a place belongs to a finding, if it holds a peak; SD.
export function notableDeviation(peak) {
  return peak.extent_sd || peak.peak_sd || LAYERS.deviation.threshold;
}

// Top of the sliders: the largest value of the map, with room, and every step of the dial.
export function scaleTop(name, { volumes, peak, calibration }) {
  const layer = LAYERS[name], map = volumes[name], isDeviation = name === "deviation";
  const start = isDeviation ? Math.max(2 * (peak.peak_sd || 0), calibration.thresholds?.at(-1)?.sd || 0) : 0;
  const top = Math.max(Math.abs(map.low), Math.abs(map.high), layer.least, start), grain = 10 ** -digitsOf(layer, top);
  return Math.ceil(top / grain) * grain;
}

// Threshold and full colour at which a layer starts.
export function layerRange(name, viewer) {
  const layer = LAYERS[name];
  if (!layer || layer.labels) return {};
  const top = scaleTop(name, viewer), rate = viewer.peak.false_alarm_rate;
  const usual = name === "deviation" ? notableDeviation(viewer.peak) : name === "rarity" && rate ? 1 / rate : layer.threshold;
  const threshold = Math.min(usual, top), maximum = Math.max(Math.min(top, 2 * threshold), Math.min(top, 3 * Math.max(threshold, layer.least)));
  return { threshold, maximum: layer.signed ? maximum : top };
}

function withUnit(layer, text) {
  return [layer.before, text, layer.unit].filter(Boolean).join(" ");
}

// Threshold of a layer with its unit, as "3.1 SD" or "1 in 20".
export function thresholdText(layer, threshold, digits) {
  return withUnit(layer, thresholdUp(threshold, digits));
}

// Another value of a layer, beside its threshold.
export function valueText(layer, value, threshold, digits) {
  return withUnit(layer, besideThreshold(value, threshold, digits));
}
