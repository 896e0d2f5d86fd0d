// What is under the crosshair, in words and numbers; and the same point on the other side.

import { LAYERS } from "./colours.js";
import { distanceToMidplane, sideOf, transform } from "./geometry.js";
import { valueAt } from "./mirror_pair.js";
import { healthyWords, oneInOf, placeRarity } from "./rarity.js";
import { recordedAt } from "./recorded.js";
import { figuresUp } from "./upwards.js";
import { zoneAt, zoneOfFinding } from "./zones.js";

const ANTISYMMETRIC = new Set(["deviation", "asymmetry"]); // the same with the other sign at the mirror place
const FLOAT32 = 2e-7; // share that 32 bits lose: 0.2 is not rounded up to 0.21

// What the numbers mean, shown when the pointer rests on their name.
const MEANING = {
  mm: "Place in the scanner's coordinates: to the patient's right, to the front, upwards",
  voxel: "Column, row and slice in the scan file, counted from 0",
  scan: "Brightness of the scan at the place and at its mirror place, interpolated for the picture: a single voxel of the file can be darker or brighter",
  deviation: "How much more evidence of pathology there is here than at the mirror place, in standard deviations (SD) of the cases it is compared with, averaged over some millimetres",
  asymmetry: "Evidence of pathology here minus evidence at the mirror place, not averaged. 0.7 nats double the odds",
  pathology: "Probability of pathology that the model gives this place, 0 to 1",
  p: "Share of the cases compared with that deviate anywhere as far as this place does",
  bound: "The largest asymmetry that the model can have made itself here, whatever the scan: proved. Beyond it, the scan itself differs",
  defect: "The largest difference between left and right that the model was measured to make itself, anywhere in this scan. It never exceeds the bound",
  mirror: "The same place on the other side of the mid-plane",
};

export function formatMm(mm) {
  return mm.map((value) => number(value, 1)).join("   ");
}

export function number(value, digits, unit = "") {
  if (!Number.isFinite(value)) return "\u2013";
  const text = Math.abs(value).toFixed(digits);
  return `${value < 0 && Number(text) !== 0 ? "\u2212" : ""}${text}${unit ? ` ${unit}` : ""}`;
}

function scanDigits(volume) {
  const span = volume.high - volume.low;
  return span >= 200 ? 0 : span >= 20 ? 1 : span >= 2 ? 2 : 3;
}

// Decimals that keep two figures of a small bound: a bound shown as 0 would claim too much.
export function boundDigits(bound) {
  return bound > 0 && bound < 0.1 ? Math.min(6, 1 - Math.floor(Math.log10(bound))) : 2;
}

// A bound in words, rounded up: the model may add no more than is said.
export function boundWords(bound) {
  if (!Number.isFinite(bound)) return "\u2013";
  const digits = boundDigits(bound), scale = 10 ** digits;
  return bound > 0 ? number(Math.ceil(bound * scale * (1 - FLOAT32)) / scale, digits, LAYERS.bound.unit) : `below 0.000001 ${LAYERS.bound.unit}`;
}

// Facts at a world point, as numbers; `words` turns them into text. Where the record holds them they are
// the record's own: the maps here are interpolated. `finding` null: all is read from the maps.
export function factsAt(mm, about) {
  const { volumes, mirrorWorld, structures, measuredDefect, calibration = {} } = about;
  const recorded = (place) => (about.finding === undefined ? recordedAt(place, about) : null), finding = about.finding ?? recorded(mm);
  const mirror = mirrorWorld ? transform(mirrorWorld, mm) : null;
  const at = (kind, point = mm) => (point ? valueAt(kind, volumes, point, mirrorWorld) : NaN), opposite = mirror && recorded(mirror);
  const label = volumes.anatomy ? volumes.anatomy.nearest(mm) : 0, { world_to_voxel: toVoxel } = volumes.scan;
  const facts = { mm, mirror, voxel: toVoxel ? transform(toVoxel, mm) : null, defect: measuredDefect, rarity: rarityWords(finding?.p_value, calibration) };
  facts.distance = mirrorWorld ? distanceToMidplane(mm, mirrorWorld) : NaN;
  facts.structure = label > 0 ? (structures[label] || `structure ${label}`).replaceAll("-", " ").toLowerCase() : null;
  facts.zone = Number.isFinite(finding?.bound) ? zoneOfFinding(finding) : zoneAt(mm, volumes, mirrorWorld);
  facts.bound = finding?.bound ?? at("bound");
  for (const kind of ["scan", "deviation", "asymmetry", "pathology"]) {
    facts[kind] = finding?.[kind] ?? at(kind);
    facts[mirrorName(kind)] = ANTISYMMETRIC.has(kind) && mirror ? -facts[kind] : opposite?.[kind] ?? at(kind, mirror);
  }
  facts.rarity ??= placeRarity(calibration, facts.deviation);
  return facts;
}

export function mirrorName(kind) {
  return `mirror${kind[0].toUpperCase()}${kind.slice(1)}`;
}

// How often a case of the calibration deviates as far anywhere; a dash where nobody can say.
export function pText(value) {
  return Number.isFinite(value) ? figuresUp(value) : "\u2013";
}

export function rarityWords(p, calibration) {
  if (!Number.isFinite(p)) return null;
  const many = oneInOf(p, calibration.n);
  return `p ${pText(p)}: ${many > 1 ? `1 in ${many}` : "more than half of"} ${healthyWords(calibration)}`;
}

function defectWords(defect) {
  return Number.isFinite(defect) ? `${number(defect, boundDigits(defect), "nats")}, whole scan` : "not measured";
}

// Rows of the readout: {label, meaning, values: [[text, name], ...]}, one value or here and at the mirror place.
export function words(facts, volumes) {
  const digits = scanDigits(volumes.scan), hasMaps = Boolean(volumes.deviation);
  const row = (name, label, text) => ({ label, meaning: MEANING[name], values: [[text, name]] });
  const pair = (kind, label, places, unit) => ({ label, meaning: MEANING[kind], values: [kind, mirrorName(kind)].map((name) => [Number.isFinite(facts[name]) ? number(facts[name], places, unit) : kind === "scan" ? "outside" : "\u2013", name]) });
  const rows = [row("mm", "Place (mm)", formatMm(facts.mm))];
  if (facts.voxel) rows.push(row("voxel", "Voxel of file", facts.voxel.map((index) => number(index, 1)).join("   ")));
  rows.push(row("structure", "Structure", facts.structure || (volumes.anatomy ? "none" : "\u2013")), row("side", "Side", sideOf(facts.distance) || "\u2013"));
  rows.push({ heads: ["Here", "Mirror place"] }, pair("scan", "Scan (interp.)", digits));
  if (volumes.deviation) rows.push(pair("deviation", "Deviation (SD)", 2));
  if (volumes.asymmetry) rows.push(pair("asymmetry", "Asym. (nats)", 2));
  if (volumes.pathology) rows.push(pair("pathology", "Pathology", 2));
  if (volumes.rarity || facts.rarity) rows.push(row("p", "Rarity", facts.rarity || "\u2013"));
  if (volumes.bound) rows.push(row("bound", "Bound here", boundWords(facts.bound)));
  if (hasMaps) rows.push(row("defect", "Measured defect", defectWords(facts.defect)));
  if (facts.mirror) rows.push(row("mirror", "Mirror at (mm)", formatMm(facts.mirror)));
  return rows;
}
