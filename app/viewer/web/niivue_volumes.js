// What the 3D engine is given: the brain cut out of the scan, and the part of a map beyond the bound.

import { LAYERS, RAMPS } from "./colours.js";
import { NO_DATA, linearAt } from "./volume.js";
import { hasBound, voxelMargin } from "./zones.js";

// Stored values of the scan inside a box; "no data" outside the brain, where that is known, so that
// no face is drawn. Int16, x fastest.
export function brainVoxels({ scan, anatomy }, box) {
  const [nx, ny, nz] = box.shape, voxels = new Int16Array(nx * ny * nz).fill(NO_DATA);
  const start = box.origin.map((value, axis) => Math.round((value - scan.origin[axis]) / scan.spacing));
  const mask = anatomy && smoothMask(anatomy);
  const places = anatomy && box.shape.map((count, axis) => Float64Array.from({ length: count }, (_, n) => (box.origin[axis] + n * box.spacing - anatomy.origin[axis]) / anatomy.spacing));
  for (let k = 0, n = 0; k < nz; k += 1) {
    for (let j = 0; j < ny; j += 1) {
      const row = start[0] + scan.shape[0] * (start[1] + j + scan.shape[1] * (start[2] + k));
      for (let i = 0; i < nx; i += 1, n += 1) {
        if (!mask || linearAt(mask, places[0][i], places[1][j], places[2][k]) > EDGE) voxels[n] = scan.stored[row + i];
      }
    }
  }
  return voxels;
}

// Brain or not on the grid of the labels, smoothed along each axis: else its voxels are seen as steps.
function smoothMask({ shape, stored }) {
  let mask = Int16Array.from(stored, (label) => (label > 0 ? BRAIN : 0));
  for (const stride of [1, shape[0], shape[0] * shape[1]]) {
    const from = mask;
    mask = Int16Array.from(from, (value, n) => ((from[n - stride] || 0) + 2 * value + (from[n + stride] || 0)) / 4);
  }
  return { shape, stored: mask };
}

// Values of the layer that count as signal: beyond the bound, and of the sign that is shown. Zero
// elsewhere. Float32 on the grid of the maps.
export function signalVoxels(volumes, { layer, showLess }) {
  const map = volumes[layer], { signed, bound } = LAYERS[layer];
  const marginAt = bound && hasBound(volumes) ? voxelMargin(map, volumes) : () => Infinity; // above 0: beyond the bound
  return Float32Array.from(map.stored, (stored, n) => {
    if (stored === NO_DATA || !(marginAt(n) > 0)) return 0;
    const value = map.value(stored);
    return value < 0 && !(signed && showLess) ? 0 : value;
  });
}

const CLEAREST = 24; // of 255: opacity at the threshold, so that the bright core shows through its rim
const BRAIN = 1000, EDGE = 500; // stored values of the mask while it is interpolated

// A ramp of colours.js as the engine reads it. The first entry is clear: below the threshold the
// engine paints entry 0, and an opaque one would fill the whole box.
export function colourMap(name) {
  const table = RAMPS[name], entries = Array.from({ length: 256 }, (_, n) => n);
  const [R, G, B] = [0, 1, 2].map((channel) => entries.map((n) => table[3 * n + channel]));
  return { R, G, B, A: entries.map((n) => (n ? Math.round(CLEAREST + (255 - CLEAREST) * (n / 255) ** 1.5) : 0)), I: entries };
}

// Grey whose opacity grows with the brightness: fluid in the grooves stays clear, so they are seen.
export function scanMap() {
  const grey = [0, 176, 255];
  return { R: grey, G: grey, B: grey, A: [0, 90, 200], I: [0, 128, 255] };
}

// A lit ball: how bright a surface is that faces this way. Made here, so that nothing is loaded.
export function shadingTable() {
  const canvas = document.createElement("canvas"), size = 128;
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d");
  const light = context.createRadialGradient(0.42 * size, 0.36 * size, 0.02 * size, 0.5 * size, 0.5 * size, 0.5 * size);
  for (const [at, grey] of [[0, 200], [0.35, 170], [0.75, 115], [1, 35]]) light.addColorStop(at, `rgb(${grey}, ${grey}, ${grey})`);
  context.fillStyle = light;
  context.fillRect(0, 0, size, size);
  return canvas.toDataURL();
}
