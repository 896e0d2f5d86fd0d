// Where the camera of the 3D view stands, in words and in letters. The picture is never mirrored: it
// is the head as seen from there, so the convention only chooses where the reader starts.

export const VIEWPOINTS = {
  Front: [180, 0],
  Back: [0, 0],
  Right: [270, 0],
  Left: [90, 0],
  Above: [0, 90],
  Below: [180, -90],
};
const WAYS = [["the right", "the left"], ["the front", "the back"], ["above", "below"]];
const ENDS = [["L", 0, -1], ["R", 0, 1], ["P", 1, -1], ["A", 1, 1], ["I", 2, -1], ["S", 2, 1]];
const NAMED = 0.35; // a direction counts in words from this cosine on
const LETTER_MM = 14; // letters stand this far outside the brain

// Viewpoint with the patient's right where the planes have it: left for radiological readers.
export function startingPoint(display) {
  return display.radiological ? "Front" : "Back";
}

// Unit vector from the eye into the head, world axes; azimuth and elevation as NiiVue has them.
export function gaze([azimuth, elevation]) {
  const [a, e] = [azimuth, elevation].map((degrees) => (degrees * Math.PI) / 180);
  return [Math.cos(e) * Math.sin(a), Math.cos(e) * Math.cos(a), -Math.sin(e)];
}

export function viewpointWords(angles) {
  const from = gaze(angles).map((part) => -part);
  const order = [0, 1, 2].filter((axis) => Math.abs(from[axis]) > NAMED).sort((a, b) => Math.abs(from[b]) - Math.abs(from[a]));
  return `Seen from ${order.map((axis) => WAYS[axis][from[axis] > 0 ? 0 : 1]).join(" and ")}`;
}

// Point to canvas pixels, by the matrix that draws the volume (4x4, columns first), orthographic.
export function project(matrix, [x, y, z], { width, height }) {
  const at = (row) => matrix[row] * x + matrix[4 + row] * y + matrix[8 + row] * z + matrix[12 + row];
  return [((at(0) + 1) / 2) * width, ((1 - at(1)) / 2) * height];
}

// World point on the plane through `middle` that faces the eye, under a canvas pixel.
export function unproject(matrix, angles, [px, py], { width, height, middle }) {
  const [x, y] = project(matrix, middle, { width, height });
  const column = (axis) => {
    const unit = [...middle];
    unit[axis] += 1;
    const [ux, uy] = project(matrix, unit, { width, height });
    return [ux - x, uy - y];
  };
  // Screen axes in the world: the rows of an orthographic matrix, whose lengths are pixels per mm.
  const parts = [0, 1, 2].map(column);
  return middle.map((value, axis) => {
    let moved = value;
    for (const [row, wanted] of [[0, px - x], [1, py - y]]) {
      const square = parts.reduce((sum, part) => sum + part[row] ** 2, 0);
      moved += (wanted * parts[axis][row]) / square;
    }
    return moved;
  });
}

// Letters at the six ends of the brain's box: where they stand, and whether they lie on the far side.
export function edgeMarks(box, angles) {
  const ahead = gaze(angles);
  const half = box.shape.map((count) => ((count - 1) * box.spacing) / 2);
  const middle = box.origin.map((start, axis) => start + half[axis]);
  return ENDS.filter(([, axis]) => Math.abs(ahead[axis]) < 0.9).map(([letter, axis, way]) => {
    const mm = [...middle];
    mm[axis] += way * (half[axis] + LETTER_MM);
    return { letter, mm, far: way * ahead[axis] > NAMED };
  });
}

// Clip plane through a point as NiiVue has it (depth, azimuth, elevation): takes away what lies
// between the eye and the plane.
export function cutPlane(axis, mm, angles, box) {
  const share = ((mm[axis] - box.origin[axis]) / box.spacing + 0.5) / box.shape[axis] - 0.5;
  const high = gaze(angles)[axis] < 0; // the eye is on the side where the axis grows
  const direction = [[[270, 0], [90, 0]], [[0, 0], [180, 0]], [[0, -90], [0, 90]]][axis][high ? 1 : 0];
  return [high ? share : -share, ...direction];
}
