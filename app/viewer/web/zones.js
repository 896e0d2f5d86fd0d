// Zones of a place, and how strongly each is drawn: under the bound, beyond it but below the threshold,
// above both. A margin is |asymmetry| minus the bound, nats; decided on the server, from the maps as written.

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

// Millilitres of the zones over the whole map; under the bound, what reaches the threshold counts.
export function zoneVolumes({ map, margin, signed, both, threshold }) {
  const least = map.leastStored(threshold), count = { above: 0, below: 0, under: 0 };
  const values = map.stored, margins = margin?.stored;
  for (let n = 0; n < values.length; n += 1) {
    let size = values[n];
    if (size < 0) {
      if (size === -32768 || !(signed && both)) continue;
      size = -size;
    }
    if (size === 0 || (margins && margins[n] === -32768)) continue;
    if (margins && margins[n] <= 0) count.under += size >= least ? 1 : 0;
    else if (size >= least) count.above += 1;
    else count.below += 1;
  }
  const ml = map.spacing ** 3 / 1000;
  return { above: count.above * ml, below: count.below * ml, under: count.under * ml };
}

export function zoneOfFinding({ asymmetry, bound }) {
  return Math.abs(asymmetry) > bound ? "beyond" : "within";
}

// Zone of a world point; null where nothing was compared.
export function zoneAt(mm, { margin }) {
  const value = margin ? margin.linear(mm) : NaN;
  if (!Number.isFinite(value)) return null;
  return value > 0 ? "beyond" : "within";
}

// Almost every place of a healthy brain differs a little from its mirror place, by more than the model
// could add: only from `notable` SD on is that worth a reader's attention.
export function shownZone(zone, deviation, notable) {
  return zone === "beyond" && !(Math.abs(deviation) >= notable) ? "small" : zone;
}

export function zoneText(zone) {
  if (zone === "beyond") return "Beyond the bound: the scan differs here";
  if (zone === "small") return "A small difference of the scan, as healthy scans have";
  if (zone === "within") return "Under the bound: the model may have made it";
  return "Nothing was compared at this point";
}
