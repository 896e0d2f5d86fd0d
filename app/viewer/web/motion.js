// Zoom and pan of all planes together: one magnification and one centre, so that they stay linked.

export const OUTSIDE = "That place lies outside the scan: the crosshair stays where it is.";
const MOST = 16; // times the size at which the whole scan fits

// Magnify about a world point, which stays where it is on the screen; at 1 the whole scan is shown again.
export function zoomAbout(viewer, factor, point) {
  const before = viewer.zoom, { scan } = viewer.volumes;
  viewer.zoom = Math.min(Math.max(before * factor, 1), MOST);
  const share = before / viewer.zoom;
  viewer.centre = viewer.zoom === 1 ? scan.centre() : scan.clamp(point.map((value, axis) => value + (viewer.centre[axis] - value) * share));
  refresh(viewer, 1 / share);
}

// Move the picture of a plane from one canvas point to another; some of the scan always stays in sight.
export function panBy(viewer, pane, from, to) {
  const start = pane.view.toWorld(...from, viewer.centre), end = pane.view.toWorld(...to, viewer.centre);
  viewer.centre = viewer.volumes.scan.clamp(viewer.centre.map((value, axis) => value + start[axis] - end[axis]));
  refresh(viewer, 1);
}

// Go to a place that follows from another; where it lies outside the scan, stay and say so.
export function jumpTo(viewer, mm) {
  const { scan } = viewer.volumes, inside = scan.clamp(mm);
  if (Math.hypot(...mm.map((value, axis) => value - inside[axis])) > scan.spacing / 2) return viewer.views.say(OUTSIDE);
  return viewer.moveTo(mm, { recentre: true });
}

// Several events may come before the next picture: places are read from the view as it will be.
function refresh(viewer, factor) {
  for (const { view } of viewer.panes) {
    if (view) Object.assign(view, { centre: viewer.centre, pixelsPerMm: view.pixelsPerMm * factor });
  }
  viewer.draw();
}
