// Planes, display conventions and the way between screen and world. The only file that knows what is left.
// World is RAS+: axis 0 grows to the patient's right, 1 to the front, 2 upwards; millimetres.

export const PLANES = {
  axial: { across: 0, up: 1, through: 2, title: "Axial" },
  coronal: { across: 0, up: 2, through: 1, title: "Coronal" },
  sagittal: { across: 1, up: 2, through: 0, title: "Sagittal" },
};
export const AXIS_NAMES = ["x", "y", "z"];
const POSITIVE = ["R", "A", "S"];
const NEGATIVE = ["L", "P", "I"];

// +1 when the across axis grows to the right of the screen, -1 when it grows to the left.
export function acrossSign(plane, display) {
  if (PLANES[plane].across === 0) return display.radiological ? -1 : 1;
  return display.noseLeft ? -1 : 1;
}

// Letters at the four edges of a pane; a star marks a mirrored picture, whose sides are exchanged.
export function edgeLetters(plane, display, mirrored) {
  const { across, up } = PLANES[plane];
  const sign = acrossSign(plane, display);
  const right = sign > 0 ? POSITIVE[across] : NEGATIVE[across];
  const left = sign > 0 ? NEGATIVE[across] : POSITIVE[across];
  const swap = mirrored && across === 0;
  const star = mirrored ? "*" : "";
  return {
    left: (swap ? right : left) + star,
    right: (swap ? left : right) + star,
    top: POSITIVE[up] + star,
    bottom: NEGATIVE[up] + star,
  };
}

export function conventionText(display) {
  return display.radiological ? "Radiological: R on left" : "Neurological: L on left";
}

// Apply a 4x4 matrix to a point.
export function transform(matrix, mm) {
  return [0, 1, 2].map((row) => matrix[row][0] * mm[0] + matrix[row][1] * mm[1] + matrix[row][2] * mm[2] + matrix[row][3]);
}

// Whether a matrix from one scan's world to another's is a turn by less than 45 degrees about every
// axis and no mirror: then left stays left and the letters of one are those of the other.
export function keepsSides(matrix) {
  const [[a, b, c], [d, e, f], [g, h, i]] = matrix;
  const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  return determinant > 0 && Math.min(a, e, i) > Math.SQRT1_2;
}

// The part of a way that stays at the same distance from the mid-plane: the mean of it and its mirror.
export function withinPlane(way, mirrorWorld) {
  const origin = transform(mirrorWorld, [0, 0, 0]), mirrored = transform(mirrorWorld, way);
  return way.map((value, axis) => (value + mirrored[axis] - origin[axis]) / 2);
}

// Millimetres from the mid-plane, positive on the patient's right.
export function distanceToMidplane(mm, mirrorWorld) {
  const other = transform(mirrorWorld, mm);
  const length = Math.hypot(mm[0] - other[0], mm[1] - other[1], mm[2] - other[2]) / 2;
  return mm[0] >= other[0] ? length : -length;
}

// Side of the mid-plane in words; within a tenth of a millimetre there is none.
export function sideOf(distance) {
  if (!Number.isFinite(distance)) return "";
  if (Math.abs(distance) < 0.05) return "on it";
  return `${distance > 0 ? "right" : "left"}, ${Math.abs(distance).toFixed(1)} mm`;
}

// Side that a whole slice of a box shows: a tilted mid-plane crosses it, or leaves it on one side.
export function sideOfSlice(plane, box, mm, mirrorWorld) {
  const { across, up, through } = PLANES[plane], end = (axis) => box.origin[axis] + (box.shape[axis] - 1) * box.spacing;
  const distances = [box.origin[across], end(across)].flatMap((a) => [box.origin[up], end(up)].map((b) => {
    const corner = [0, 0, 0];
    Object.assign(corner, { [across]: a, [up]: b, [through]: mm });
    return distanceToMidplane(corner, mirrorWorld);
  }));
  const [least, most] = [Math.min(...distances), Math.max(...distances)];
  if (Math.max(Math.abs(least), Math.abs(most)) < 0.05) return "on it";
  return least > 0 ? "right" : most < 0 ? "left" : "both";
}

// Frame of a raster of a plane: world = start + column * across + row * down, on the grid of a volume.
export function rasterFrame(plane, display, grid, throughMm) {
  const axes = PLANES[plane];
  const sign = acrossSign(plane, display);
  const width = grid.shape[axes.across], height = grid.shape[axes.up];
  const start = [0, 0, 0], across = [0, 0, 0], down = [0, 0, 0];
  start[axes.across] = grid.origin[axes.across] + (sign > 0 ? 0 : (width - 1) * grid.spacing);
  start[axes.up] = grid.origin[axes.up] + (height - 1) * grid.spacing;
  start[axes.through] = throughMm;
  across[axes.across] = sign * grid.spacing;
  down[axes.up] = -grid.spacing;
  return { width, height, start, across, down };
}

// The same raster read on the other side of the mid-plane.
export function mirrorFrame(frame, mirrorWorld) {
  const origin = transform(mirrorWorld, [0, 0, 0]);
  const turn = (vector) => transform(mirrorWorld, vector).map((value, axis) => value - origin[axis]);
  return { ...frame, start: transform(mirrorWorld, frame.start), across: turn(frame.across), down: turn(frame.down) };
}

// View of a pane: canvas pixels <-> millimetres in its plane.
export class View {
  constructor(plane, display, { width, height, centre, pixelsPerMm }) {
    this.axes = PLANES[plane];
    this.sign = acrossSign(plane, display);
    Object.assign(this, { width, height, centre, pixelsPerMm });
  }

  toScreen(mm) {
    return [
      this.width / 2 + this.sign * (mm[this.axes.across] - this.centre[this.axes.across]) * this.pixelsPerMm,
      this.height / 2 - (mm[this.axes.up] - this.centre[this.axes.up]) * this.pixelsPerMm,
    ];
  }

  // World point under a pixel; the through coordinate is kept from `mm`.
  toWorld(px, py, mm) {
    const point = [...mm];
    point[this.axes.across] = this.centre[this.axes.across] + (this.sign * (px - this.width / 2)) / this.pixelsPerMm;
    point[this.axes.up] = this.centre[this.axes.up] - (py - this.height / 2) / this.pixelsPerMm;
    return point;
  }
}
