// Mouse and keyboard on a pane, turned into commands of the viewer. Every key stands in keys.json, too.

import { PLANES, acrossSign } from "./geometry.js";

const NOTCH_PX = 100; // scrolling that changes the slice by one: a notch of a wheel

export function listen(pane, viewer) {
  const { canvas } = pane;
  const pointAt = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * canvas.width) / box.width, ((event.clientY - box.top) * canvas.height) / box.height];
  };
  let last = null, rolled = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    last = [event.clientX, event.clientY];
    if (event.button === 0) viewer.moveTo(pane.view.toWorld(...pointAt(event), viewer.crosshair));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons === 1) viewer.moveTo(pane.view.toWorld(...pointAt(event), viewer.crosshair));
    if (event.buttons === 2 && last) {
      viewer.dragWindow((event.clientX - last[0]) / 300, (event.clientY - last[1]) / 300);
      last = [event.clientX, event.clientY];
    }
  });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const direction = event.deltaY > 0 ? -1 : 1;
    if (event.ctrlKey) return viewer.zoomBy(direction > 0 ? 1.15 : 1 / 1.15);
    rolled += event.deltaMode === 0 ? event.deltaY : -direction * NOTCH_PX;
    const slices = Math.trunc(rolled / NOTCH_PX);
    rolled -= slices * NOTCH_PX; // a trackpad sends many small events, a wheel few large ones
    if (slices) step(pane, viewer, PLANES[pane.plane].through, -slices);
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (press(event, pane, viewer)) {
      event.preventDefault();
      event.stopPropagation(); // the page binds single letters of its own
    }
  });
}

function step(pane, viewer, axis, count) {
  const moved = [...viewer.crosshair];
  moved[axis] += count * viewer.volumes.scan.spacing;
  viewer.moveTo(moved);
}

// Returns whether the key means something here.
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
    "+": () => viewer.zoomBy(1.25),
    "-": () => viewer.zoomBy(0.8),
    c: () => viewer.toggle("radiological"),
    h: () => viewer.toggle("overlay"),
    m: () => viewer.jumpToMirror(),
    n: () => viewer.nextFinding(1),
    p: () => viewer.nextFinding(-1),
    x: () => viewer.toggle("crosshair"),
  };
  if (!keys[event.key]) return false;
  keys[event.key]();
  return true;
}
