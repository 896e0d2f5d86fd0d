// Volumes as they arrive: the scan first, its maps when the server has read them. Until then every picture says
// so, because a scan without colours looks like a scan without findings.

import { RarityVolume, loadVolume } from "./volume.js";

export const WAITING = "The maps are being read";
const BAND = "rgba(75, 45, 8, .92)", INK = "#ffcf8f";

// All volumes that are described, and the rarity that follows from a deviation where the dial has steps.
export async function loadVolumes(kinds, { thresholds }) {
  const loaded = await Promise.all(Object.entries(kinds).map(async ([kind, about]) => [kind, await loadVolume(about)]));
  const volumes = Object.fromEntries(loaded);
  if (volumes.deviation && thresholds?.length) volumes.rarity = new RarityVolume(volumes.deviation, thresholds);
  return volumes;
}

// The maps of a case, waited for; null where there are none to wait for.
export async function loadMaps(maps, calibration) {
  if (!maps) return null;
  const answer = await fetch(maps.url, { cache: "no-store", credentials: "same-origin" });
  if (!answer.ok) throw new Error(`the maps could not be read (${answer.status === 500 ? await answer.text() : answer.status}); reload the page`);
  const { name, volumes } = await answer.json();
  if (name !== maps.name) throw new Error("the server answered with the maps of another case");
  return loadVolumes(volumes, calibration);
}

// The scan is there to be read; its maps come when they are ready.
export async function takeMaps(viewer) {
  viewer.root.dataset.status = "scan";
  const maps = await viewer.arrived;
  if (viewer.ended) return;
  Object.assign(viewer, { volumes: { ...viewer.volumes, ...maps }, waiting: false });
  viewer.useFirstLayer();
  viewer.panel.takeMaps();
  viewer.set({});
}

// A band across a picture, below the letter at its upper edge: a picture without colours says why it has none.
export function drawBand(context, text, { width, ratio }) {
  const top = 30 * ratio, height = 22 * ratio;
  context.fillStyle = BAND;
  context.fillRect(0, top, width, height);
  Object.assign(context, { font: `600 ${13 * ratio}px system-ui, sans-serif`, textAlign: "center", textBaseline: "middle", fillStyle: INK });
  context.fillText(text, width / 2, top + height / 2, width);
}
