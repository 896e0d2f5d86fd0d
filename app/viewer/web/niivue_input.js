// Mouse and keyboard on the 3D picture: turning, zooming, and finding the place under the pointer.

import { LAYERS } from "./colours.js";
import { listenKeys } from "./input.js";
import { gaze, unproject } from "./niivue_camera.js";
import { hasBound, zoneAt } from "./zones.js";

const DEGREES_PER_PX = 0.5, KEY_DEGREES = 5;
const CLICK_PX = 4; // a press that moves less is a click
const MARK_PX = 12; // how near a click must be to a numbered mark
const SURFACE = 0.25; // of the window: as bright as what is seen as a surface

export function listen3d(solid, viewer) {
  const { canvas } = solid;
  let start = null, last = null;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    start = last = [event.clientX, event.clientY];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last || !event.buttons) return;
    const [dx, dy] = [event.clientX - last[0], event.clientY - last[1]];
    last = [event.clientX, event.clientY];
    solid.turnTo([solid.angles[0] + DEGREES_PER_PX * dx, solid.angles[1] + DEGREES_PER_PX * dy]);
  });
  canvas.addEventListener("pointerup", (event) => {
    const moved = start ? Math.hypot(event.clientX - start[0], event.clientY - start[1]) : Infinity;
    start = last = null;
    if (moved < CLICK_PX && event.button === 0) choose(solid, viewer, event);
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomBy(solid, event.deltaY > 0 ? 1 / 1.1 : 1.1);
  }, { passive: false });
  listenKeys(solid, viewer);
}

function zoomBy(solid, factor) {
  solid.change({ zoom: Math.min(Math.max(solid.zoom * factor, 0.5), 4) });
}

// Keys that mean something else here than on a plane.
export function actions3d(solid, viewer, { shiftKey }) {
  const step = KEY_DEGREES * (shiftKey ? 5 : 1), nothing = () => {};
  const turn = (azimuth, elevation) => () => solid.turnTo([solid.angles[0] + azimuth, solid.angles[1] + elevation]);
  const zoom = (factor) => () => zoomBy(solid, factor);
  return { ArrowLeft: turn(-step, 0), ArrowRight: turn(step, 0), ArrowUp: turn(0, -step), ArrowDown: turn(0, step), "+": zoom(1.25), "=": zoom(1.25), "-": zoom(0.8), Home: () => solid.reset(), Escape: () => viewer.views.show("planes"), r: nothing, Space: nothing, Enter: nothing, Delete: nothing, Backspace: nothing };
}

// A click takes a numbered mark, else what is coloured there, else the surface of the brain.
function choose(solid, viewer, event) {
  const { canvas } = solid, area = canvas.getBoundingClientRect();
  const pixel = [((event.clientX - area.left) * canvas.width) / area.width, ((event.clientY - area.top) * canvas.height) / area.height];
  const mark = !solid.markers ? -1 : viewer.findings.findIndex(({ peak_mm: peak }) => {
    const [x, y] = solid.toScreen(peak);
    return Math.hypot(x - pixel[0], y - pixel[1]) < MARK_PX * solid.ratio;
  });
  if (mark >= 0) return viewer.goToFinding(mark);
  const place = placeUnder(solid, viewer, pixel);
  return place && viewer.moveTo(place);
}

export function placeUnder(solid, viewer, pixel) {
  const { box, angles, canvas, cut } = solid, ahead = gaze(angles);
  const size = box.shape.map((count) => count * box.spacing), middle = box.origin.map((start, axis) => start + size[axis] / 2);
  const through = unproject(solid.matrix, angles, pixel, { width: canvas.width, height: canvas.height, middle });
  const reach = Math.hypot(...size) / 2, step = box.spacing / 2;
  const kept = (mm) => cut === null || (mm[cut] - viewer.crosshair[cut]) * ahead[cut] >= 0;
  let surface = null;
  for (let far = -reach; far <= reach; far += step) {
    const mm = through.map((value, axis) => value + far * ahead[axis]);
    if (!kept(mm)) continue;
    if (isSignal(mm, viewer)) return mm;
    surface ??= isBrain(mm, viewer) ? mm : null;
  }
  return surface;
}

function isSignal(mm, { volumes, settings, display, mirrorWorld }) {
  const layer = LAYERS[settings.layer];
  if (!display.overlay || !layer || layer.labels) return false;
  const value = volumes[settings.layer].nearest(mm), size = layer.signed && settings.showLess ? Math.abs(value) : value;
  return size > 0 && size >= settings.threshold && (!layer.bound || !hasBound(volumes) || zoneAt(mm, volumes, mirrorWorld) === "beyond");
}

function isBrain(mm, { volumes, settings: { window: [low, high] } }) {
  if (volumes.anatomy && !(volumes.anatomy.nearest(mm) > 0)) return false;
  return volumes.scan.nearest(mm) > low + SURFACE * (high - low);
}
