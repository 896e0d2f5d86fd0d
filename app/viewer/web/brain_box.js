// Box around the brain on the grid of the scan: what the mosaic and the 3D view show of a head.

import { NO_DATA, autoWindow } from "./volume.js";

const MARGIN_MM = 6; // around the brain, so that its edge is seen against the dark
const HEAD = 0.2; // of the window: what counts as head where there is no anatomy
const known = new WeakMap();

// The box as a grid of its own: shape, spacing and origin (mm); its voxels are those of the scan.
export function brainBox(volumes) {
  if (!known.has(volumes)) known.set(volumes, findBox(volumes));
  return known.get(volumes);
}

function findBox({ scan, anatomy }) {
  const source = anatomy || scan;
  const [low, high] = anatomy ? [0, 0] : autoWindow(scan);
  const least = anatomy ? 1 : (low + HEAD * (high - low) - scan.intercept) / scan.slope;
  const found = filledRange(source, Math.max(least, NO_DATA + 1));
  if (!found) return { shape: scan.shape, spacing: scan.spacing, origin: scan.origin };
  const origin = [], shape = [];
  for (let axis = 0; axis < 3; axis += 1) {
    const toScan = (index, side) => (source.origin[axis] + index * source.spacing + side * MARGIN_MM - scan.origin[axis]) / scan.spacing;
    const first = Math.max(0, Math.floor(toScan(found[axis][0], -1)));
    const last = Math.min(scan.shape[axis] - 1, Math.ceil(toScan(found[axis][1], 1)));
    origin.push(scan.origin[axis] + first * scan.spacing);
    shape.push(Math.max(1, last - first + 1));
  }
  return { shape, spacing: scan.spacing, origin };
}

// First and last index along each axis of what reaches a stored value; null where nothing does.
function filledRange({ stored, shape: [nx, ny, nz] }, least) {
  const range = [[nx, -1], [ny, -1], [nz, -1]];
  const widen = (axis, index) => {
    if (index < range[axis][0]) range[axis][0] = index;
    if (index > range[axis][1]) range[axis][1] = index;
  };
  for (let k = 0, n = 0; k < nz; k += 1) {
    for (let j = 0; j < ny; j += 1) {
      const row = n;
      let first = 0, last = nx - 1;
      while (first < nx && stored[row + first] < least) first += 1;
      n += nx;
      if (first === nx) continue;
      while (stored[row + last] < least) last -= 1;
      widen(0, first);
      widen(0, last);
      widen(1, j);
      widen(2, k);
    }
  }
  return range[0][1] < 0 ? null : range;
}
