// What is under the crosshair, in words and numbers; and the same point on the other side.

import { LAYERS } from "./colours.js";
import { distanceToMidplane, sideOf, transform } from "./geometry.js";
import { largerBound, zoneAt } from "./raster.js";

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

// Facts at a world point, as numbers; `words` turns them into text.
// At the peak of a finding they are the finding's own: the maps here are interpolated.
export function factsAt(mm, { volumes, mirrorWorld, structures, finding }) {
  const mirror = mirrorWorld ? transform(mirrorWorld, mm) : null;
  const at = (kind, point = mm) => (volumes[kind] && point ? volumes[kind].linear(point) : NaN);
  const label = volumes.anatomy ? volumes.anatomy.nearest(mm) : 0;
  const distance = mirrorWorld ? distanceToMidplane(mm, mirrorWorld) : NaN;
  return {
    mm,
    mirror,
    distance,
    scan: at("scan"),
    mirrorScan: at("scan", mirror),
    deviation: finding ? finding.deviation : at("deviation"),
    asymmetry: finding ? finding.asymmetry : at("asymmetry"),
    bound: finding ? finding.bound : largerBound(at("bound"), at("bound", mirror)),
    zone: finding ? zoneOfFinding(finding) : zoneAt(mm, volumes),
    pathology: at("pathology"),
    structure: label > 0 ? (structures[label] || `structure ${label}`).replaceAll("-", " ").toLowerCase() : null,
  };
}

export function words(facts, volumes) {
  const digits = scanDigits(volumes.scan);
  const rows = [
    ["World x y z (mm)", formatMm(facts.mm), "mm"],
    ["Structure", facts.structure || (volumes.anatomy ? "none" : "\u2013"), "structure"],
    ["Side of mid-plane", sideOf(facts.distance) || "\u2013", "side"],
    ["Scan", Number.isFinite(facts.scan) ? number(facts.scan, digits) : "outside the scan", "scan"],
    ["Scan, mirror point", facts.mirror && Number.isFinite(facts.mirrorScan) ? number(facts.mirrorScan, digits) : "outside the scan", "mirrorScan"],
  ];
  for (const kind of ["deviation", "asymmetry", "bound", "pathology"]) {
    if (volumes[kind]) rows.push([LAYERS[kind].title, number(facts[kind], kind === "bound" ? boundDigits(facts.bound) : 2, LAYERS[kind].unit), kind]);
  }
  if (facts.mirror) rows.push(["Mirror point (mm)", formatMm(facts.mirror), "mirror"]);
  return rows;
}

export function zoneOfFinding({ asymmetry, bound }) {
  return Math.abs(asymmetry) > bound ? "beyond" : "within";
}

// Almost every place of a healthy brain differs a little from its mirror place, by more than the model
// could add: only from `notable` SD on is that worth a reader's attention.
export function shownZone(zone, deviation, notable) {
  return zone === "beyond" && !(Math.abs(deviation) >= notable) ? "small" : zone;
}

export function zoneText(zone) {
  if (zone === "beyond") return "Beyond the bound: the scan differs here";
  if (zone === "small") return "A small difference of the scan, as healthy scans have";
  if (zone === "within") return "Within the bound: the model may have made it";
  return "Nothing was compared at this point";
}
