// One volume in the browser: int16 voxels on an axis-aligned RAS+ grid, sampled in world millimetres.

const MAGIC = "MEDSYMV1";
export const NO_DATA = -32768;
const SLACK = 1e-6; // of a stored step: a threshold that is a stored value is reached by it

export class Volume {
  constructor(about, stored) {
    Object.assign(this, about); // shape, spacing, origin, slope, intercept, low, high
    this.stored = stored;
  }

  // Voxel index (fractional) of a world point.
  index(mm) {
    return mm.map((value, axis) => (value - this.origin[axis]) / this.spacing);
  }

  value(stored) {
    return stored === NO_DATA ? NaN : stored * this.slope + this.intercept;
  }

  // Linear interpolation at a world point; NaN outside or where there is no data.
  linear(mm) {
    const [i, j, k] = this.index(mm);
    return this.value(linearAt(this, i, j, k));
  }

  nearest(mm) {
    const [i, j, k] = this.index(mm);
    return this.value(nearestAt(this, i, j, k));
  }

  // Smallest stored size that reaches a threshold; of maps whose zero is stored as zero.
  leastStored(threshold) {
    return Math.max(1, Math.ceil(threshold / this.slope - SLACK));
  }

  centre() {
    return this.origin.map((start, axis) => start + ((this.shape[axis] - 1) * this.spacing) / 2);
  }

  clamp(mm) {
    return mm.map((value, axis) => {
      const end = this.origin[axis] + (this.shape[axis] - 1) * this.spacing;
      return Math.min(Math.max(value, this.origin[axis]), end);
    });
  }
}

// "1 in N" of every place, from its deviation and the steps of the dial, so that both say the same. Its
// voxels are those of the deviation; what is interpolated is the deviation, not the rarity.
export class RarityVolume extends Volume {
  constructor(deviation, steps) {
    super(deviation, deviation.stored);
    this.steps = steps.map(({ one_in: oneIn, sd }) => ({ oneIn, stored: sd / deviation.slope - SLACK }));
    this.low = this.at(deviation.low / deviation.slope);
    this.high = this.at(deviation.high / deviation.slope);
  }

  value(stored) {
    return stored === NO_DATA ? NaN : this.at(stored);
  }

  // Negative where there is less than at the mirror place; never nearer to 0 than 1 in 1.
  at(stored) {
    const size = Math.abs(stored);
    let oneIn = 1;
    for (const step of this.steps) {
      if (step.stored > size) break;
      oneIn = step.oneIn;
    }
    return stored < 0 ? -oneIn : oneIn;
  }

  leastStored(threshold) {
    if (threshold <= 1) return 1;
    const step = this.steps.find(({ oneIn }) => oneIn >= threshold);
    return step ? Math.max(1, Math.ceil(step.stored)) : Infinity;
  }
}

export function nearestAt(volume, i, j, k) {
  const [nx, ny, nz] = volume.shape;
  const a = Math.round(i), b = Math.round(j), c = Math.round(k);
  if (a < 0 || b < 0 || c < 0 || a >= nx || b >= ny || c >= nz) return NO_DATA;
  return volume.stored[a + nx * (b + ny * c)];
}

// Trilinear value in stored units; the nearest voxel where a neighbour has no data.
export function linearAt(volume, i, j, k) {
  const [nx, ny, nz] = volume.shape;
  if (!(i > -0.5 && j > -0.5 && k > -0.5 && i < nx - 0.5 && j < ny - 0.5 && k < nz - 0.5)) return NO_DATA;
  const x = Math.min(Math.max(i, 0), nx - 1), y = Math.min(Math.max(j, 0), ny - 1);
  const z = Math.min(Math.max(k, 0), nz - 1);
  const a = Math.min(x | 0, nx - 2), b = Math.min(y | 0, ny - 2), c = Math.min(z | 0, nz - 2);
  if (a < 0 || b < 0 || c < 0) return nearestAt(volume, i, j, k);
  const value = between(volume.stored, a + nx * (b + ny * c), nx, nx * ny, x - a, y - b, z - c);
  return value === NO_DATA ? nearestAt(volume, i, j, k) : value;
}

// Trilinear value within the cube of voxels that begins at index p, u, v and w voxels from there; `row` and `slice`
// are the steps to its neighbours along y and z. NO_DATA where a corner has no data.
export function between(s, p, row, slice, u, v, w) {
  const q = p + slice;
  const v000 = s[p], v100 = s[p + 1], v010 = s[p + row], v110 = s[p + row + 1];
  const v001 = s[q], v101 = s[q + 1], v011 = s[q + row], v111 = s[q + row + 1];
  if (v000 === NO_DATA || v100 === NO_DATA || v010 === NO_DATA || v110 === NO_DATA || v001 === NO_DATA || v101 === NO_DATA || v011 === NO_DATA || v111 === NO_DATA) return NO_DATA;
  const front = (v000 + u * (v100 - v000)) * (1 - v) + (v010 + u * (v110 - v010)) * v;
  const back = (v001 + u * (v101 - v001)) * (1 - v) + (v011 + u * (v111 - v011)) * v;
  return front * (1 - w) + back * w;
}

export async function loadVolume(about) {
  const answer = await fetch(about.url, { cache: "no-store", credentials: "same-origin" });
  if (!answer.ok) throw new Error(`volume not available (${answer.status}); reload the page`);
  const bytes = await answer.arrayBuffer();
  const count = about.shape[0] * about.shape[1] * about.shape[2];
  const magic = new TextDecoder("latin1").decode(new Uint8Array(bytes, 0, Math.min(MAGIC.length, bytes.byteLength)));
  if (magic !== MAGIC || bytes.byteLength !== MAGIC.length + 2 * count) {
    throw new Error("the server did not answer with a volume");
  }
  return new Volume(about, new Int16Array(bytes, MAGIC.length));
}

// Window of a scan: low and high percentile of what is not background.
export function autoWindow(volume) {
  const bins = new Uint32Array(1024), step = Math.max(1, Math.floor(volume.stored.length / 200000));
  for (let n = 0; n < volume.stored.length; n += step) {
    if (volume.stored[n] !== NO_DATA) bins[(volume.stored[n] + 32768) >> 6] += 1;
  }
  bins[bins.indexOf(Math.max(...bins))] = 0; // the background's bin
  const total = bins.reduce((sum, count) => sum + count, 0);
  const at = (share) => {
    let seen = 0;
    for (let bin = 0; bin < bins.length; bin += 1) {
      seen += bins[bin];
      if (seen >= share * total) return volume.value((bin << 6) - 32768 + 32);
    }
    return volume.high;
  };
  const low = at(0.02), high = at(0.995);
  return high > low ? [low, high] : [volume.low, volume.high > volume.low ? volume.high : volume.low + 1];
}
