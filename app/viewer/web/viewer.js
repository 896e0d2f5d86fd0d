// The review viewer: state, commands and drawing order. Mounted by the glue in app/viewer/__init__.py.

import { Announcer } from "./announce.js";
import { savePicture } from "./capture.js";
import { LAYERS } from "./colours.js";
import { element } from "./elements.js";
import { PLANES, transform } from "./geometry.js";
import { listen } from "./input.js";
import { fitHeight } from "./layout.js";
import { legendText } from "./legend.js";
import { lastPlaces, mount } from "./mount.js";
import { OUTSIDE, jumpTo, zoomAbout } from "./motion.js";
import { Pane } from "./pane.js";
import { Panel } from "./panel.js";
import { layerRange, notableDeviation } from "./ranges.js";
import { factsAt } from "./readout.js";
import { recordedTop, samePlace } from "./recorded.js";
import { Rulers } from "./ruler.js";
import { Toolbar } from "./toolbar.js";
import { Views } from "./views.js";
import { autoWindow, loadVolumes } from "./volume.js";
import { Why } from "./why.js";
import { changedWindow, draggedWindow, windowPresets } from "./window.js";
import { zoneVolumes } from "./zones.js";

const DISPLAY = { radiological: true, noseLeft: true, crosshair: true, overlay: true, mirror: true, outlines: false };
const OPACITY = 0.75;

export function render(component) {
  mount(component, Viewer);
}

export class Viewer {
  viewNames = ["planes", "mosaic", "3d"]; // what can be seen, one at a time

  constructor(root, data) {
    Object.assign(this, { root, caseName: data.case, assessable: data.assessable, findings: data.findings, structures: data.structures, mirrorWorld: data.mirror_world, model: data.model, software: data.software, comparedWith: data.compared_with, calibration: data.calibration || {}, measuredDefect: data.measured_defect_max, researchUseOnly: data.research_use_only, peak: data.threshold || {}, largest: data.largest_mm, largestValues: data.largest_values, largestBound: data.largest_bound, reasons: data.reasons || [], whyUrl: data.why });
    this.display = { ...DISPLAY, mirror: Boolean(data.mirror_world) };
    this.settings = { layer: null, threshold: 0, maximum: 1, opacity: OPACITY, outlineOpacity: OPACITY, showWithin: true, showBelow: false, showLess: false, window: [0, 1] };
    Object.assign(this, { zoom: 1, tool: "point", panning: false, rulers: new Rulers() });
    this.followed = JSON.stringify(data.crosshair_mm);
    Object.assign(root.dataset, { status: "loading", case: data.case });
    root.replaceChildren(element("p", { class: "loading", role: "status", text: "Loading the scan" }));
    this.start(data).catch((error) => {
      root.dataset.status = "failed";
      root.replaceChildren(element("p", { class: "loading", role: "alert", text: `The scan could not be shown: ${error.message}` }));
    });
  }

  async start(data) {
    const begun = performance.now();
    const loaded = await loadVolumes(data.volumes, this.calibration);
    if (this.ended) return;
    this.volumes = loaded;
    this.settings.window = autoWindow(this.volumes.scan);
    this.crosshair = this.volumes.scan.clamp(data.crosshair_mm || this.volumes.scan.centre());
    this.centre = this.volumes.scan.centre();
    this.settings.layer = Object.keys(LAYERS).find((layer) => this.volumes[layer]) || null;
    this.useLayerRange();
    this.build();
    this.set({});
    if (data.crosshair_mm) this.markFinding();
    Object.assign(this.root.dataset, { status: "ready", ms: Math.round(performance.now() - begun) });
  }

  makePanes() {
    this.mirrorPane = new Pane("axial", { mirrored: true });
    return [new Pane("axial"), new Pane("coronal"), new Pane("sagittal"), this.mirrorPane];
  }

  // Who obeys the mouse and the keys of a pane.
  commandsOf() {
    return this;
  }

  build() {
    this.panes = this.makePanes();
    this.why = this.whyUrl && this.mirrorWorld ? new Why(this, this.whyUrl) : null;
    this.panel = new Panel(this);
    this.toolbar = new Toolbar(this);
    this.announcer = new Announcer();
    this.stage = element("div", { class: "stage" }, [...this.panes.map((pane) => pane.canvas), ...(this.why ? [this.why.node] : [])]);
    this.panes.forEach((pane) => listen(pane, this.commandsOf(pane)));
    this.views = new Views(this);
    this.root.replaceChildren(element("div", { class: "main" }, [this.toolbar.node, this.stage, this.views.holder]), this.panel.node, this.announcer.node);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.stage);
    this.fit = () => fitHeight(this.root);
    window.addEventListener("resize", this.fit);
    this.fit();
  }

  destroy() {
    this.ended = true;
    this.observer?.disconnect();
    window.removeEventListener("resize", this.fit);
    this.announcer?.destroy();
    this.views?.destroy();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.counting);
    delete this.root.medsymViewer;
  }

  // A new place from Python, applied once.
  follow(mm) {
    if (!mm || JSON.stringify(mm) === this.followed) return;
    this.followed = JSON.stringify(mm);
    if (this.volumes) this.moveTo(mm, { recentre: true });
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.drawNow());
  }

  // Which planes are there.
  arrange() {
    this.mirrorPane.canvas.hidden = !this.display.mirror;
  }

  // What a pane draws: the same for all panes of a review.
  sceneOf(pane, scene) {
    return scene;
  }

  drawNow() {
    const begun = performance.now(), ratio = window.devicePixelRatio || 1;
    this.arrange();
    const { scan } = this.volumes, extent = scan.shape.map((count) => count * scan.spacing);
    for (const pane of this.panes) pane.resize(ratio);
    const fits = this.panes.filter((pane) => pane.canvas.clientWidth > 0).map(({ plane, canvas }) => Math.min(canvas.clientWidth / extent[PLANES[plane].across], canvas.clientHeight / extent[PLANES[plane].up]));
    if (!fits.length && !this.views.pane()) return;
    const scene = { ...this, scan, pixelsPerMm: Math.min(...fits) * this.zoom };
    for (const pane of this.panes) if (pane.canvas.clientWidth > 0) pane.draw(this.sceneOf(pane, scene));
    this.why?.draw(scene);
    this.views.draw(scene, ratio);
    const finding = this.findings[this.place], facts = factsAt(this.crosshair, { ...this, finding });
    this.panel.showFacts(facts);
    this.announcer.tell(facts, { finding, findings: this.findings });
    this.panel.showSettings();
    this.toolbar.show();
    Object.assign(this.root.dataset, { drawn: Number(this.root.dataset.drawn || 0) + 1, drawMs: (performance.now() - begun).toFixed(1) });
  }

  // Millilitres shown; counted after the picture, because the whole map is read.
  measure() {
    clearTimeout(this.counting);
    this.count = () => {
      const { layer, threshold, showLess } = this.settings, about = LAYERS[layer], map = this.volumes[layer];
      if (!about) return;
      const shown = about.labels ? null : zoneVolumes({ map, volumes: this.volumes, layer: about, both: showLess, threshold });
      this.shownText = legendText(this.settings, shown, recordedTop(layer, this));
      this.panel.heat.showVolumes(shown, this.shownText);
    };
    this.counting = setTimeout(this.count, 80);
  }

  set(change) {
    Object.assign(this.settings, change);
    this.draw();
    this.measure();
  }

  toggle(name) {
    this.display[name] = !this.display[name];
    this.draw();
  }

  moveTo(mm, { recentre = false } = {}) {
    this.crosshair = this.volumes.scan.clamp(mm);
    this.views.unsay(OUTSIDE);
    lastPlaces.set(this.caseName, this.crosshair);
    const lost = this.panes.some((pane) => !pane.holds(this.crosshair));
    if (lost || (recentre && this.zoom > 1)) this.centre = this.crosshair;
    this.markFinding();
    this.draw();
  }

  markFinding() {
    this.place = this.findings.findIndex(({ peak_mm: peak }) => samePlace(peak, this.crosshair));
    this.panel.showFinding(this.place);
    this.why?.follow(this.place);
  }

  goToFinding(place) {
    this.moveTo(this.findings[place].peak_mm, { recentre: true });
  }

  nextFinding(direction) {
    const count = this.findings.length;
    if (count) this.goToFinding(this.place < 0 ? 0 : (this.place + direction + count) % count);
  }

  jumpToMirror() {
    if (this.mirrorWorld) jumpTo(this, transform(this.mirrorWorld, this.crosshair));
  }

  // Magnify; the point, or else the crosshair, stays where it is on the screen.
  zoomBy(factor, point = this.crosshair) {
    zoomAbout(this, factor, point);
  }

  useTool(tool) {
    this.tool = tool;
    this.draw();
  }

  // Space held down: a drag moves the picture, whatever the tool.
  hold(panning) {
    this.panning = panning;
    this.stage.dataset.tool = panning ? "pan" : this.tool;
  }

  changeRulers(change) {
    change(this.rulers);
    this.draw();
  }

  reset() {
    this.zoom = 1;
    this.centre = this.volumes.scan.centre();
    this.useLayerRange();
    this.set({ window: autoWindow(this.volumes.scan), opacity: OPACITY, outlineOpacity: OPACITY });
  }

  notable() {
    return notableDeviation(this.peak);
  }

  setLayer(layer) {
    this.settings.layer = layer;
    this.useLayerRange();
    this.set({});
  }

  useLayerRange() {
    Object.assign(this.settings, layerRange(this.settings.layer, this));
  }

  presets() {
    return windowPresets(this.volumes.scan);
  }

  setWindow(change) {
    this.set({ window: changedWindow(this.settings.window, change) });
  }

  dragWindow(wider, higher) {
    this.set({ window: draggedWindow(this.settings.window, this.volumes.scan, { wider, higher }) });
  }

  save() {
    this.count?.(); // of these settings: counting waits for a slider to rest
    savePicture(this, this.shownText || "");
  }
}
