// A place and its mirror place, read together. Deviation and asymmetry have the other sign there, and a bound is
// the larger of the two: the record's maps say so, but the display's grid does not lie evenly about a tilted
// mid-plane, so that one reading alone differs from the other. Readout, zones and picture all read here.

import { mirrorFrame, transform } from "./geometry.js";
import { NO_DATA, between, linearAt, nearestAt } from "./volume.js";

const PAIRED = { deviation: opposite, asymmetry: opposite, rarity: opposite, bound: larger };

// In stored units, whose zero is the value 0. Where one of the two has no data, the other one speaks for both.
function opposite(here, there) {
  if (here === NO_DATA) return there === NO_DATA ? NO_DATA : -there;
  return there === NO_DATA ? here : (here - there) / 2;
}

function larger(here, there) {
  return Math.max(here, there); // NO_DATA is the least that can be stored
}

// Whether a kind of volume is read in pairs, where the mid-plane is known.
export function isPaired(kind, mirrorWorld) {
  return Boolean(PAIRED[kind] && mirrorWorld);
}

// Interpolated value of a volume at a world point; NaN where there is no data, or no volume.
export function valueAt(kind, volumes, mm, mirrorWorld) {
  const volume = volumes[kind];
  if (!volume) return NaN;
  if (!isPaired(kind, mirrorWorld)) return volume.linear(mm);
  const [here, there] = [mm, transform(mirrorWorld, mm)].map((place) => linearAt(volume, ...volume.index(place)));
  return volume.value(PAIRED[kind](here, there));
}

// The same over a raster frame, for kinds on one grid: kind -> values. Twice the places, but their way through
// the grid is found once for all kinds, so it takes no longer than each alone.
export function samplePairs(kinds, volumes, frame, mirrorWorld) {
  const own = kinds.map((kind) => volumes[kind]);
  const here = storedPlanes(own, frame), there = storedPlanes(own, mirrorFrame(frame, mirrorWorld));
  return Object.fromEntries(kinds.map((kind, which) => {
    const values = here[which], others = there[which], pair = PAIRED[kind], volume = own[which];
    for (let n = 0; n < values.length; n += 1) values[n] = volume.value(pair(values[n], others[n]));
    return [kind, values];
  }));
}

// What volumes on one grid hold over a frame, interpolated, in stored units.
function storedPlanes(volumes, frame) {
  const planes = volumes.map(() => new Float64Array(frame.width * frame.height).fill(NO_DATA));
  if (!volumes.length) return planes;
  const [grid] = volumes, [nx, ny, nz] = grid.shape, first = grid.index(frame.start), slice = nx * ny;
  const [across, down] = [frame.across, frame.down].map((way) => way.map((step) => step / grid.spacing));
  for (let row = 0, n = 0; row < frame.height; row += 1) {
    let i = first[0] + row * down[0], j = first[1] + row * down[1], k = first[2] + row * down[2];
    for (let column = 0; column < frame.width; column += 1, n += 1, i += across[0], j += across[1], k += across[2]) {
      if (!(i > -0.5 && j > -0.5 && k > -0.5 && i < nx - 0.5 && j < ny - 0.5 && k < nz - 0.5)) continue;
      const x = i < 0 ? 0 : i > nx - 1 ? nx - 1 : i, y = j < 0 ? 0 : j > ny - 1 ? ny - 1 : j, z = k < 0 ? 0 : k > nz - 1 ? nz - 1 : k;
      const a = x < nx - 2 ? x | 0 : nx - 2, b = y < ny - 2 ? y | 0 : ny - 2, c = z < nz - 2 ? z | 0 : nz - 2;
      const thin = a < 0 || b < 0 || c < 0, at = a + nx * b + slice * c;
      for (let which = 0; which < volumes.length; which += 1) {
        const value = thin ? NO_DATA : between(volumes[which].stored, at, nx, slice, x - a, y - b, z - c);
        planes[which][n] = value === NO_DATA ? nearestAt(volumes[which], i, j, k) : value;
      }
    }
  }
  return planes;
}
