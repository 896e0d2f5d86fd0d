// From volumes to pixels: sample a plane once, colour it as often as a slider moves.

import { LAYERS, RAMPS, structureColours } from "./colours.js";
import { NO_DATA, linearAt, nearestAt } from "./volume.js";

const HATCH_MM = 6; // from stripe to stripe in the zone within the bound
const WITHIN_FILL = 0.12; // share of the opacity between the stripes
const WITHIN_STRIPE = 0.75; // share of the opacity on a stripe
const STRIPES = [[28, 32, 38], [205, 210, 217]]; // dark beside light, to be seen on any grey

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
  return LAYERS[layer].bound ? [layer, "zone"] : [layer];
}

export function paintScan(pixels, scan, [low, high]) {
  const scale = 255 / Math.max(high - low, 1e-12);
  for (let n = 0; n < scan.length; n += 1) {
    const grey = Math.min(Math.max((scan[n] - low) * scale, 0), 255) | 0; // NaN | 0 is 0
    pixels[4 * n] = pixels[4 * n + 1] = pixels[4 * n + 2] = grey;
    pixels[4 * n + 3] = 255;
  }
}

// Value of the zone volume where the scan itself differs from its mirror: the model cannot have made
// this asymmetry. Decided on the server, from the maps as they were written.
const BEYOND = 2;

export function largerBound(bound, mirrorBound) {
  return mirrorBound > bound ? mirrorBound : bound; // a missing mirror bound (NaN) is not larger
}

// Whether a value of a layer is drawn at all: its size, and for signed layers its sign.
export function isShown(value, settings) {
  const { signed } = LAYERS[settings.layer];
  if (value < 0 && !(signed && settings.showLess)) return false;
  const size = Math.abs(value);
  return size >= settings.threshold && size > 0;
}

export function paintMap(pixels, samples, { width, across }, settings) {
  const layer = LAYERS[settings.layer], values = samples[settings.layer];
  if (!values) return;
  const period = Math.max(4, Math.round(HATCH_MM / Math.hypot(...across)));
  const span = Math.max(settings.maximum - settings.threshold, 1e-9);
  const positive = RAMPS[layer.positive], negative = RAMPS[layer.negative || layer.positive];
  for (let n = 0; n < values.length; n += 1) {
    const value = values[n], size = Math.abs(value);
    if (!isShown(value, settings)) continue;
    const table = value < 0 ? negative : positive;
    const entry = 3 * Math.min(255, Math.round((255 * (size - settings.threshold)) / span));
    const beyond = !layer.bound || !samples.zone || samples.zone[n] === BEYOND;
    if (beyond) {
      blend(pixels, 4 * n, table[entry], table[entry + 1], table[entry + 2], settings.opacity);
    } else if (settings.showWithin) {
      const stripe = STRIPES[((n % width) + Math.floor(n / width)) % period];
      if (stripe) blend(pixels, 4 * n, ...stripe, WITHIN_STRIPE * settings.opacity);
      else blend(pixels, 4 * n, table[entry], table[entry + 1], table[entry + 2], WITHIN_FILL * settings.opacity);
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
    blend(pixels, 4 * n, ...colours.get(label), edge ? opacity : 0.35 * opacity);
  }
}

function blend(pixels, at, red, green, blue, alpha) {
  pixels[at] += (red - pixels[at]) * alpha;
  pixels[at + 1] += (green - pixels[at + 1]) * alpha;
  pixels[at + 2] += (blue - pixels[at + 2]) * alpha;
}

// Millilitres shown beyond and within the bound, over the whole map.
export function shownVolumes(volumes, settings) {
  const layer = LAYERS[settings.layer], map = volumes[settings.layer];
  if (!map || layer.labels) return null;
  const zones = layer.bound && volumes.zone ? volumes.zone.stored : null; // on the grid of the maps
  const ml = map.spacing ** 3 / 1000;
  let beyond = 0, within = 0;
  for (let n = 0; n < map.stored.length; n += 1) {
    if (map.stored[n] === 0 || map.stored[n] === NO_DATA || !isShown(map.value(map.stored[n]), settings)) continue;
    if (!zones || zones[n] === BEYOND) beyond += 1;
    else within += 1;
  }
  return { beyond: beyond * ml, within: within * ml };
}

// Zone of a world point; null where nothing was compared.
export function zoneAt(mm, { zone }) {
  const value = zone ? zone.nearest(mm) : NaN;
  if (!Number.isFinite(value)) return null;
  return value === BEYOND ? "beyond" : "within";
}
