// Places whose numbers the record holds: peaks of findings, the largest deviation, and their mirror places.

import { transform } from "./geometry.js";
import { oneInOf, stepsReached } from "./rarity.js";

const SAME_MM = 0.05;

export function samePlace(one, other) {
  return one.every((value, axis) => Math.abs(value - other[axis]) < SAME_MM);
}

// What the record says of a place, as of a finding; undefined where it says nothing.
export function recordedAt(mm, { findings = [], largest, largestValues, mirrorWorld }) {
  const known = findings.map((found) => [found.peak_mm, found]);
  if (largest && largestValues) known.push([largest, largestValues]);
  for (const [place, found] of known) {
    if (samePlace(place, mm)) return found;
    if (mirrorWorld && samePlace(transform(mirrorWorld, place), mm)) return mirrored(found);
  }
  return undefined;
}

function mirrored({ deviation, asymmetry, bound, p_value: p }) {
  return { deviation: -deviation, asymmetry: asymmetry === undefined ? undefined : -asymmetry, bound, p_value: p };
}

// Largest value of a layer that the record holds; NaN where it holds none.
export function recordedTop(layer, { findings = [], largestValues, calibration = {} }) {
  const known = [...findings, ...(largestValues ? [largestValues] : [])];
  const { thresholds: steps, n } = calibration;
  const rarity = ({ p_value: p, deviation }) => (Number.isFinite(p) ? oneInOf(p, n) : steps?.[stepsReached(steps, deviation) - 1]?.one_in);
  const values = known.map((found) => (layer === "rarity" ? rarity(found) : layer === "deviation" || layer === "asymmetry" ? found[layer] : NaN));
  return Math.max(...values.filter(Number.isFinite), -Infinity);
}
