// Window of the scan: presets, and what a width, a level or a drag make of it; [low, high] in values of the scan.

import { autoWindow } from "./volume.js";

const CT_PRESETS = [["Brain", [0, 80]], ["Stroke", [20, 60]], ["Subdural", [-25, 175]], ["Bone", [200, 1000]]];

export function windowPresets(scan) {
  const isCt = scan.low < -500 && scan.high > 500;
  return [["Auto", autoWindow(scan)], ...(isCt ? CT_PRESETS : []), ["Full range", [scan.low, scan.high]]];
}

export function changedWindow([low, high], { width, level }) {
  const half = (width ?? high - low) / 2, middle = level ?? (low + high) / 2;
  return [middle - half, middle + half];
}

// A drag to the right widens, upwards brightens; in shares of the scan's range.
export function draggedWindow([low, high], scan, { wider, higher }) {
  const span = scan.high - scan.low;
  return changedWindow([low, high], { width: Math.max(span / 500, high - low + wider * span), level: (low + high) / 2 - higher * span });
}
