// From volumes to pixels: sample a plane once, colour it as often as a slider moves.

import { LAYERS, RAMPS, structureColours } from "./colours.js";
import { linearAt, nearestAt } from "./volume.js";
import { AT_BOUND, FAINT_ENTRY, fade, faint, hasBound, marginOf } from "./zones.js";

const HATCH_MM = 6; // from stripe to stripe in the zone under the bound
const STRIPE = [0.35, 0.75]; // share of the opacity on a stripe: far under the bound, at the bound
const STRIPES = [28, 32, 38, 205, 210, 217]; // dark beside light, to be seen on any grey

// Values of a volume over a raster frame.
export function samplePlane(volume, frame, { linear }) {
  const values = new Float32Array(frame.width * frame.height);
  const first = volume.index(frame.start);
  const across = frame.across.map((step) => step / volume.spacing);
  const down = frame.down.map((step) => step / volume.spacing);
  const read = linear ? linearAt : nearestAt;
  for (let row = 0, n = 0; row < frame.height; row += 1) {
    let i = first[0] + row * down[0], j = first[1] + row * down[1], k = first[2] + row * down[2];
    for (let column = 0; column < frame.width; column += 1, n += 1) {
      values[n] = volume.value(read(volume, i, j, k));
      i += across[0];
      j += across[1];
      k += across[2];
    }
  }
  return values;
}

// Volumes that a layer needs to be coloured.
export function layerVolumes(layer) {
  if (!LAYERS[layer]) return [];
  return LAYERS[layer].bound ? [layer, "asymmetry", "bound"] : [layer];
}

export function paintScan(pixels, scan, [low, high]) {
  const scale = 255 / Math.max(high - low, 1e-12);
  for (let n = 0; n < scan.length; n += 1) {
    const grey = Math.min(Math.max((scan[n] - low) * scale, 0), 255) | 0; // NaN | 0 is 0
    pixels[4 * n] = pixels[4 * n + 1] = pixels[4 * n + 2] = grey;
    pixels[4 * n + 3] = 255;
  }
}

// What of a sampled layer may have a colour: pixels and their values, margins and strengths; see zones.js. Kept with
// the samples, as no slider changes them. `both`: those below zero, too.
function signalOf(samples, layer, both) {
  const key = `${layer} ${both}`;
  samples.signals ||= {};
  samples.signals[key] ||= findSignal(samples, layer, both);
  return samples.signals[key];
}

function findSignal(samples, layer, both) {
  const values = samples[layer], { asymmetry, bound } = samples, bounded = LAYERS[layer].bound && hasBound(samples);
  const pixels = [], margins = [];
  for (let n = 0; n < values.length; n += 1) {
    const value = values[n];
    if (!(value > 0 || (both && value < 0))) continue;
    const margin = bounded ? marginOf(asymmetry[n], bound[n], value < 0) : Infinity;
    if (!(margin > 0 || margin <= 0)) continue; // nothing was compared
    pixels.push(n);
    margins.push(margin);
  }
  return { pixels: Uint32Array.from(pixels), margins: Float64Array.from(margins), strengths: Float64Array.from(margins, fade) };
}

// Colour by size, strength by the margin to the bound.
export function paintMap(pixels, samples, { width, across }, settings) {
  const layer = LAYERS[settings.layer], values = samples[settings.layer];
  if (!values) return;
  const { threshold, opacity, showWithin, showBelow } = settings;
  const period = Math.max(4, Math.round(HATCH_MM / Math.hypot(...across)));
  const steps = 255 / Math.max(settings.maximum - threshold, 1e-9), both = Boolean(layer.signed && settings.showLess);
  const positive = RAMPS[layer.positive], negative = RAMPS[layer.negative || layer.positive];
  const signal = signalOf(samples, settings.layer, both), { margins, strengths } = signal;
  for (let m = 0; m < margins.length; m += 1) {
    const n = signal.pixels[m], value = values[n], size = value < 0 ? -value : value, margin = margins[m];
    if (size < threshold && !showBelow) continue;
    const table = value < 0 ? negative : positive;
    if (size < threshold) {
      if (margin > 0) blend(pixels, 4 * n, table, FAINT_ENTRY, opacity * faint(size, threshold, margin));
      continue;
    }
    const entry = Math.min(255, Math.round(steps * (size - threshold))), strength = strengths[m];
    if (margin > 0) blend(pixels, 4 * n, table, entry, opacity * strength);
    else if (showWithin) {
      const stripe = ((n % width) + Math.floor(n / width)) % period, near = strength / AT_BOUND;
      if (stripe < 2) blend(pixels, 4 * n, STRIPES, stripe, opacity * (STRIPE[0] + (STRIPE[1] - STRIPE[0]) * near));
      else blend(pixels, 4 * n, table, entry, opacity * strength);
    }
  }
}

export function paintLabels(pixels, labels, width, { names, opacity }) {
  const colours = new Map(), colourOf = structureColours(names);
  for (let n = 0; n < labels.length; n += 1) {
    const label = labels[n];
    if (!(label > 0)) continue;
    if (!colours.has(label)) colours.set(label, colourOf(label));
    const edge = labels[n - 1] !== label || labels[n + 1] !== label || labels[n - width] !== label || labels[n + width] !== label;
    blend(pixels, 4 * n, colours.get(label), 0, edge ? opacity : 0.35 * opacity);
  }
}

// Mix an entry of a table of colours into a pixel.
function blend(pixels, at, table, entry, alpha) {
  const from = 3 * entry;
  pixels[at] += (table[from] - pixels[at]) * alpha;
  pixels[at + 1] += (table[from + 1] - pixels[at + 1]) * alpha;
  pixels[at + 2] += (table[from + 2] - pixels[at + 2]) * alpha;
}
