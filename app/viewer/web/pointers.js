// Mouse, pen and fingers on a plane: what a drag does depends on the button and on the chosen tool.

import { panBy, zoomAbout } from "./motion.js";

const SLOP_PX = 5; // a finger that moves less is a tap
const WINDOW_PX = 300; // way of a drag that changes the window by the whole range of the scan
const BY_BUTTON = { 1: "pan", 2: "window" };

export const TOOLS = {
  point: (pane, viewer) => {
    const follow = (at) => viewer.moveTo(pane.view.toWorld(...at, viewer.crosshair));
    return { begin: follow, move: (_, at) => follow(at) };
  },
  window: (pane, viewer) => ({
    move: (from, at) => viewer.dragWindow((at[0] - from[0]) / (WINDOW_PX * pane.ratio), (at[1] - from[1]) / (WINDOW_PX * pane.ratio)),
  }),
  pan: (pane, viewer) => ({ move: (from, at) => panBy(viewer, pane, from, at) }),
  ruler: (pane, viewer) => {
    let held = null;
    return {
      begin: (at) => { held = viewer.rulers.hold(pane, viewer, at); },
      move: (_, at) => {
        held.ruler[held.end] = pane.view.toWorld(...at, held.ruler.from);
        viewer.draw();
      },
      end: () => {
        viewer.rulers.letGo(held);
        viewer.draw();
      },
    };
  },
};

// Canvas pixels under an event.
export function pointOf(canvas, { clientX, clientY }) {
  const box = canvas.getBoundingClientRect();
  return [((clientX - box.left) * canvas.width) / box.width, ((clientY - box.top) * canvas.height) / box.height];
}

export function listenPointers(pane, viewer) {
  const gesture = new Gesture(pane, viewer), { canvas } = pane;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button === 1) event.preventDefault(); // no scrolling by the middle button
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    gesture.down(event, pointOf(canvas, event));
  });
  canvas.addEventListener("pointermove", (event) => gesture.move(event, pointOf(canvas, event)));
  canvas.addEventListener("pointerup", (event) => gesture.up(event));
  canvas.addEventListener("pointercancel", (event) => gesture.up(event));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
}

// What the pointers on one plane are doing: one drags with a tool, two move and magnify the picture.
class Gesture {
  constructor(pane, viewer) {
    Object.assign(this, { pane, viewer, held: new Map(), drag: null, waiting: null });
  }

  down({ pointerId, pointerType, button }, at) {
    this.held.set(pointerId, at);
    if (this.held.size > 1) return this.stop();
    const tool = BY_BUTTON[button] || (this.viewer.panning ? "pan" : this.viewer.tool);
    const begin = () => {
      this.drag = { id: pointerId, ...TOOLS[tool](this.pane, this.viewer) };
      this.drag.begin?.(at);
    };
    if (pointerType === "touch") this.waiting = { begin, at }; // a second finger may follow
    else begin();
  }

  move({ pointerId }, at) {
    const from = this.held.get(pointerId);
    if (!from) return;
    if (this.held.size === 2) this.pinch(pointerId, from, at);
    else if (this.waiting && Math.hypot(at[0] - this.waiting.at[0], at[1] - this.waiting.at[1]) > SLOP_PX * this.pane.ratio) this.settle();
    if (this.waiting) return;
    if (this.drag?.id === pointerId) this.drag.move(from, at);
    this.held.set(pointerId, at);
  }

  up({ pointerId, type }) {
    if (!this.held.delete(pointerId)) return;
    if (type === "pointerup") this.settle(); // a tap
    this.stop();
  }

  settle() {
    const begin = this.waiting?.begin;
    this.waiting = null;
    begin?.();
  }

  stop() {
    this.drag?.end?.();
    this.drag = this.waiting = null;
  }

  pinch(id, from, at) {
    const [other] = [...this.held].filter(([key]) => key !== id).map(([, place]) => place);
    const middle = (place) => [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2];
    const apart = (place) => Math.max(Math.hypot(place[0] - other[0], place[1] - other[1]), 1);
    const { pane, viewer } = this;
    panBy(viewer, pane, middle(from), middle(at));
    zoomAbout(viewer, apart(at) / apart(from), pane.view.toWorld(...middle(at), viewer.crosshair));
  }
}
