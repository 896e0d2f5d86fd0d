// Rulers: straight lines with their length, each in one plane and slice, in world millimetres.
// The picture is drawn on a grid of world millimetres, so a length is right at any zoom and for oblique scans.

import { RULER } from "./colours.js";
import { PLANES } from "./geometry.js";

const GRAB_PX = 12; // how near to an end a press takes hold of it
const TICK_PX = 5; // half of the line across each end
const SHORT_PX = 3; // a press without a way is no ruler

export function lengthMm({ from, to }) {
  return Math.hypot(...from.map((value, axis) => to[axis] - value));
}

export function lengthText(ruler) {
  return `${lengthMm(ruler).toFixed(1)} mm`;
}

export class Rulers {
  constructor() {
    this.all = [];
    this.start = null; // first of two points marked by key
  }

  // Those of a plane at the slice that is shown.
  of(pane, { crosshair, volumes }) {
    const { through } = PLANES[pane.plane], near = volumes.scan.spacing / 2;
    return this.all.filter((ruler) => ruler.pane === pane && Math.abs(ruler.from[through] - crosshair[through]) < near);
  }

  // Take hold of an end near a canvas point, or begin a ruler there; `end` is what follows the pointer.
  hold(pane, viewer, point) {
    const away = (mm) => Math.hypot(...pane.view.toScreen(mm).map((at, axis) => at - point[axis]));
    for (const ruler of this.of(pane, viewer)) {
      for (const end of ["from", "to"]) if (away(ruler[end]) <= GRAB_PX * pane.ratio) return { ruler: this.touch(ruler), end };
    }
    const mm = pane.view.toWorld(...point, viewer.crosshair);
    return { ruler: this.add(pane, mm, mm), end: "to" };
  }

  add(pane, from, to) {
    const ruler = { pane, from, to };
    this.all.push(ruler);
    return ruler;
  }

  // The ruler last held is the last one, whose length is named.
  touch(ruler) {
    this.remove(ruler);
    this.all.push(ruler);
    return ruler;
  }

  remove(ruler) {
    this.all = this.all.filter((other) => other !== ruler);
  }

  // What is left of a ruler when the pointer lets go: nothing, if it has no length to be seen.
  letGo({ ruler }) {
    if (lengthMm(ruler) * ruler.pane.view.pixelsPerMm < SHORT_PX * ruler.pane.ratio) this.remove(ruler);
  }

  // By key: the first call marks the start at the crosshair, the second the end.
  mark(pane, { crosshair }) {
    const { through } = PLANES[pane.plane], { start } = this;
    this.start = null;
    if (start?.pane !== pane || Math.abs(start.mm[through] - crosshair[through]) > 1e-6) this.start = { pane, mm: [...crosshair] };
    else if (start.mm.some((value, axis) => value !== crosshair[axis])) this.add(pane, start.mm, [...crosshair]);
  }

  removeLast(pane, viewer) {
    this.remove(this.of(pane, viewer).at(-1));
  }

  clear() {
    this.all = [];
    this.start = null;
  }

  // Words for those who cannot see the lines; "" without any.
  words(pane, viewer) {
    const lengths = this.of(pane, viewer).map(lengthText);
    return lengths.length ? ` Rulers: ${lengths.join(", ")}.` : "";
  }

  draw(context, pane, scene) {
    for (const ruler of this.of(pane, scene)) drawRuler(context, pane, ruler);
    const { start } = this, { through } = PLANES[pane.plane];
    if (start?.pane === pane && start.mm[through] === scene.crosshair[through]) strokeTwice(context, pane.ratio, () => context.arc(...pane.view.toScreen(start.mm), TICK_PX * pane.ratio, 0, 2 * Math.PI));
  }
}

// A dark rim below the colour, so that a line is seen on bone and on air.
function strokeTwice(context, ratio, path) {
  for (const [width, colour] of [[4, "rgba(0, 0, 0, .8)"], [1.6, RULER]]) {
    Object.assign(context, { lineWidth: width * ratio, strokeStyle: colour });
    context.beginPath();
    path();
    context.stroke();
  }
}

function drawRuler(context, pane, ruler) {
  const { ratio } = pane, [ax, ay] = pane.view.toScreen(ruler.from), [bx, by] = pane.view.toScreen(ruler.to);
  const long = Math.hypot(bx - ax, by - ay) || 1;
  const tick = [(-(by - ay) / long) * TICK_PX * ratio, ((bx - ax) / long) * TICK_PX * ratio];
  strokeTwice(context, ratio, () => {
    context.moveTo(ax, ay);
    context.lineTo(bx, by);
    for (const [x, y] of [[ax, ay], [bx, by]]) {
      context.moveTo(x - tick[0], y - tick[1]);
      context.lineTo(x + tick[0], y + tick[1]);
    }
  });
  const end = lastVisible([ax, ay], [bx, by], pane.canvas);
  if (end) drawLength(context, pane, lengthText(ruler), end, Math.sign(bx - ax) || 1);
}

// Where a line from `a` to `b` leaves the canvas, or `b`; null when none of it is to be seen.
function lastVisible(a, b, { width, height }) {
  const way = b.map((at, axis) => at - a[axis]);
  let first = 0, last = 1;
  for (const [axis, size] of [[0, width], [1, height]]) {
    if (way[axis] === 0 && (a[axis] < 0 || a[axis] > size)) return null;
    if (way[axis] === 0) continue;
    const ends = [-a[axis] / way[axis], (size - a[axis]) / way[axis]];
    first = Math.max(first, Math.min(...ends));
    last = Math.min(last, Math.max(...ends));
  }
  return first <= last ? a.map((at, axis) => at + last * way[axis]) : null;
}

// The number beyond the end of the line, kept inside the plane and off its words.
function drawLength(context, { ratio, canvas }, text, [x, y], direction) {
  Object.assign(context, { font: `600 ${13 * ratio}px system-ui, sans-serif`, textAlign: "left", textBaseline: "middle", lineJoin: "round", lineWidth: 3.5 * ratio, strokeStyle: "rgba(0, 0, 0, .85)", fillStyle: RULER });
  const wide = context.measureText(text).width, edge = 8 * ratio, words = 36 * ratio;
  const wanted = direction > 0 ? x + edge : x - wide - edge;
  const left = Math.min(Math.max(wanted, edge), canvas.width - wide - edge);
  const middle = Math.min(Math.max(y, words), canvas.height - words);
  context.strokeText(text, left, middle);
  context.fillText(text, left, middle);
}
