// The scan minus its mirror, in colour over a dimmed scan.

import { RAMPS } from "./colours.js";

const DIM = 0.45; // brightness of the scan below
const FULL_SHARE = 0.5; // of the window's width: a difference that has the full colour
const LEAST_SHARE = 0.05; // of the window's width: smaller differences are noise to the eye

export function paintDifference(pixels, { scan, mirror }, [low, high]) {
  const width = Math.max(high - low, 1e-12);
  const shade = (value) => Math.min(Math.max((value - low) / width, 0), 1);
  for (let n = 0; n < scan.length; n += 1) {
    const grey = (shade(scan[n]) * 255 * DIM) | 0; // NaN | 0 is 0
    const difference = shade(scan[n]) - shade(mirror[n]), size = Math.abs(difference);
    let colour = [grey, grey, grey];
    if (size > LEAST_SHARE) {
      const share = Math.min((size - LEAST_SHARE) / (FULL_SHARE - LEAST_SHARE), 1), entry = 3 * Math.round(255 * share);
      const table = difference > 0 ? RAMPS.orange : RAMPS.blue, alpha = Math.min(1, 0.25 + share);
      colour = colour.map((value, channel) => value + (table[entry + channel] - value) * alpha);
    }
    pixels.set([...colour, 255], 4 * n);
  }
}
