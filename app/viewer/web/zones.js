// Zones of a place, and how strongly each is drawn: under the bound, beyond it but below the threshold,
// above both. A margin is the asymmetry towards the side that is shown minus the larger bound of the place and
// its mirror place, nats. Asymmetry and bound are interpolated, then compared: what the readout shows decides.

import { valueAt } from "./mirror_pair.js";

const FULL_NATS = 0.5; // beyond the bound from which a place has its full strength: odds times 1.6
export const AT_BOUND = 0.35; // share of the strength at the bound itself; on either side it changes without a jump
const FAINT = 0.5; // share of the strength just below the threshold
export const FAINT_ENTRY = 150; // of a ramp, for what is below the threshold: its middle, seen on any grey

// Share of the strength that a margin leaves: 0 far under the bound, 1 far beyond it, never falling.
export function fade(margin) {
  const share = margin > 0 ? AT_BOUND + ((1 - AT_BOUND) * margin) / FULL_NATS : AT_BOUND * (1 + margin / FULL_NATS);
  return share < 0 ? 0 : share > 1 ? 1 : share;
}

// The same for a place below the threshold: fainter, and fainter still the smaller its value.
export function faint(size, threshold, margin) {
  return (FAINT * size * fade(margin)) / threshold;
}

export function zoneOf(size, threshold, margin) {
  if (margin <= 0) return "under";
  return size >= threshold ? "above" : "below";
}

export function hasBound({ asymmetry, bound }) {
  return Boolean(asymmetry && bound);
}

// NaN where nothing was compared; `less`: the side with less evidence is shown here.
export function marginOf(asymmetry, bound, less) {
  return (less ? -asymmetry : asymmetry) - bound;
}

// Margins of the voxels of a map in the direction of its own sign; Infinity where no bound is known.
export function voxelMargin(map, { asymmetry, bound }) {
  return (n) => marginOf(asymmetry.value(asymmetry.stored[n]), bound.value(bound.stored[n]), map.stored[n] < 0);
}

// Millilitres of the zones over the whole map; under the bound, what reaches the threshold counts.
export function zoneVolumes({ map, volumes, layer, both, threshold }) {
  const least = map.leastStored(threshold), count = { above: 0, below: 0, under: 0 }, values = map.stored;
  const bounded = layer.bound && hasBound(volumes), marginAt = bounded ? voxelMargin(map, volumes) : () => Infinity;
  for (let n = 0; n < values.length; n += 1) {
    let size = values[n];
    if (size < 0) {
      if (size === -32768 || !(layer.signed && both)) continue;
      size = -size;
    }
    const margin = size === 0 ? NaN : marginAt(n);
    if (margin <= 0) count.under += size >= least ? 1 : 0;
    else if (margin > 0) count[size >= least ? "above" : "below"] += 1;
  }
  const ml = map.spacing ** 3 / 1000;
  return { above: count.above * ml, below: count.below * ml, under: count.under * ml, bounded };
}

export function zoneOfFinding({ asymmetry, bound }) {
  return Math.abs(asymmetry) > bound ? "beyond" : "within";
}

// Zone of a world point; null where nothing was compared. A difference against the sign of the deviation is no
// evidence for it, and none that the model made.
export function zoneAt(mm, volumes, mirrorWorld) {
  const [deviation, asymmetry, bound] = ["deviation", "asymmetry", "bound"].map((kind) => valueAt(kind, volumes, mm, mirrorWorld));
  if (!hasBound(volumes)) return Number.isFinite(deviation) ? "unknown" : null;
  const margin = marginOf(asymmetry, bound, (deviation || asymmetry) < 0);
  if (!Number.isFinite(margin)) return null;
  return margin > 0 ? "beyond" : Math.abs(asymmetry) > bound ? "small" : "within";
}

// Almost every place of a healthy brain differs a little from its mirror place, by more than the model
// could add: only from `notable` SD on is that worth a reader's attention.
export function shownZone(zone, deviation, notable) {
  return zone === "beyond" && !(Math.abs(deviation) >= notable) ? "small" : zone;
}

export function zoneText(zone) {
  if (zone === "beyond") return "Beyond the bound: the scan differs here";
  if (zone === "small") return "A small difference of the scan, below what makes a finding";
  if (zone === "within") return "Under the bound: the model may have made it";
  if (zone === "unknown") return "The bound was not recorded: the model may have made it";
  return "Nothing was compared at this point";
}
