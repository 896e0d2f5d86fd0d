// Mouse and keyboard on a pane, turned into commands of the viewer. Every key stands in keys.json, too.

import { PLANES, acrossSign } from "./geometry.js";
import { listenPointers, pointOf } from "./pointers.js";
import { Wheel, zoomOf } from "./wheel.js";

const ZOOM_KEY = 1.25; // magnification by one press of a key

export function listen(pane, viewer) {
  const { canvas } = pane, wheel = new Wheel();
  listenPointers(pane, viewer);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.ctrlKey) return viewer.zoomBy(zoomOf(event), pane.view.toWorld(...pointOf(canvas, event), viewer.crosshair));
    const slices = wheel.slices(event);
    if (slices) step(pane, viewer, PLANES[pane.plane].through, -slices);
  }, { passive: false });
  listenKeys(pane, viewer);
}

export function listenKeys(pane, viewer) {
  const { canvas } = pane;
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (press(event, pane, viewer)) {
      event.preventDefault();
      event.stopPropagation(); // the page binds single letters of its own
    }
  });
  canvas.addEventListener("keyup", (event) => {
    if (event.key === " ") viewer.hold(false);
  });
  canvas.addEventListener("blur", () => viewer.hold(false));
}

export function step(pane, viewer, axis, count) {
  const moved = [...viewer.crosshair];
  moved[axis] += count * viewer.volumes.scan.spacing;
  viewer.moveTo(moved);
}

// Returns whether the key means something here. A pane of another kind has actions of its own for some keys.
function press(event, pane, viewer) {
  const { across, up, through } = PLANES[pane.plane];
  const sign = acrossSign(pane.plane, viewer.display), far = event.shiftKey ? 5 : 1;
  const keys = {
    ArrowLeft: () => step(pane, viewer, across, -sign * far),
    ArrowRight: () => step(pane, viewer, across, sign * far),
    ArrowUp: () => step(pane, viewer, up, far),
    ArrowDown: () => step(pane, viewer, up, -far),
    PageUp: () => step(pane, viewer, through, far),
    PageDown: () => step(pane, viewer, through, -far),
    Home: () => viewer.reset(),
    "+": () => viewer.zoomBy(ZOOM_KEY),
    "=": () => viewer.zoomBy(ZOOM_KEY),
    "-": () => viewer.zoomBy(1 / ZOOM_KEY),
    Space: () => viewer.hold(true),
    Escape: () => viewer.useTool("point"),
    r: () => viewer.useTool(viewer.tool === "ruler" ? "point" : "ruler"),
    c: () => viewer.toggle("radiological"),
    h: () => viewer.toggle("overlay"),
    m: () => viewer.jumpToMirror(),
    n: () => viewer.nextFinding(1),
    p: () => viewer.nextFinding(-1),
    w: () => viewer.why?.toggle(),
    f: () => viewer.set({ showBelow: !viewer.settings.showBelow }),
    l: () => viewer.toggle("outlines"),
    t: () => viewer.views?.next(),
    x: () => viewer.toggle("crosshair"),
    Enter: () => viewer.changeRulers((rulers) => rulers.mark(pane, viewer)),
    Delete: () => viewer.changeRulers((rulers) => rulers.removeLast(pane, viewer)),
    Backspace: () => viewer.changeRulers((rulers) => rulers.removeLast(pane, viewer)),
  };
  const name = nameOf(event);
  const act = pane.actions?.(event)[name] || keys[name] || viewer.ownKeys?.()[name];
  act?.();
  return Boolean(act);
}

// A key as keys.json writes it. A letter is that of its place where the layout has no Latin ones, and small with Caps Lock.
export function nameOf({ key, code, shiftKey }) {
  if (key === " ") return "Space";
  if (key.length > 1 || shiftKey) return key;
  return key > "~" && code.startsWith("Key") ? code.at(-1).toLowerCase() : key.toLowerCase();
}
