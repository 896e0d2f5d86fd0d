// The review viewer: state, commands and drawing order. Mounted by the glue in app/viewer/__init__.py.
import { Announcer } from "./announce.js";
import { loadMaps, loadVolumes, takeMaps } from "./arrival.js";
import { savePicture } from "./capture.js";
import { LAYERS } from "./colours.js";
import { Counter } from "./counting.js";
import { element } from "./elements.js";
import { PLANES, transform } from "./geometry.js";
import { listen } from "./input.js";
import { factsOf } from "./facts.js";
import { fitHeight } from "./layout.js";
import { lastPlaces, mount } from "./mount.js";
import { MirrorPane } from "./mirror_pane.js";
import { OUTSIDE, jumpTo, zoomAbout } from "./motion.js";
import { Pane } from "./pane.js";
import { Panel } from "./panel.js";
import { layerRange, notableDeviation } from "./ranges.js";
import { factsAt } from "./readout.js";
import { samePlace } from "./recorded.js";
import { Rulers } from "./ruler.js";
import { Toolbar } from "./toolbar.js";
import { Views } from "./views.js";
import { autoWindow } from "./volume.js";
import { Why } from "./why.js";
import { changedWindow, draggedWindow } from "./window.js";

const DISPLAY = { radiological: true, noseLeft: true, crosshair: true, overlay: true, mirror: true, outlines: false };
const OPACITY = 0.75;

export function render(component) {
  mount(component, Viewer);
}

export class Viewer {
  viewNames = ["planes", "mosaic", "3d"]; // what can be seen, one at a time

  constructor(root, data) {
    Object.assign(this, { root }, factsOf(data));
    this.display = { ...DISPLAY, mirror: Boolean(data.mirror_world) };
    this.settings = { layer: null, threshold: 0, maximum: 1, opacity: OPACITY, outlineOpacity: OPACITY, showWithin: true, showBelow: false, showLess: false, window: [0, 1] };
    Object.assign(this, { zoom: 1, tool: "point", panning: false, rulers: new Rulers(), counter: new Counter(this) });
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
    this.arrived = loadMaps(data.maps, this.calibration);
    this.arrived.catch(() => {}); // said where it is waited for
    const volumes = await loadVolumes(data.volumes, this.calibration);
    if (this.ended) return;
    Object.assign(this, { volumes, waiting: Boolean(data.maps) });
    this.settings.window = autoWindow(this.volumes.scan);
    this.crosshair = this.volumes.scan.clamp(data.crosshair_mm || this.volumes.scan.centre());
    this.centre = this.volumes.scan.centre();
    this.useFirstLayer();
    this.build();
    this.set({});
    if (data.crosshair_mm) this.markFinding();
    if (this.waiting) await takeMaps(this);
    if (!this.ended) Object.assign(this.root.dataset, { status: "ready", ms: Math.round(performance.now() - begun) });
  }

  makePanes() {
    this.mirrorPane = new MirrorPane("axial");
    return [new Pane("axial"), new Pane("coronal"), new Pane("sagittal"), this.mirrorPane];
  }

  commandsOf() {
    return this; // who obeys the mouse and the keys of a pane
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
    const main = element("div", { class: "main" }, [this.toolbar.node, this.stage, this.views.holder]);
    this.root.replaceChildren(main, this.panel.node, this.announcer.node);
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
    this.counter.stop();
    delete this.root.medsymViewer;
  }

  follow(mm) { // a new place from Python, applied once
    if (!mm || JSON.stringify(mm) === this.followed) return;
    this.followed = JSON.stringify(mm);
    if (this.volumes) this.moveTo(mm, { recentre: true });
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.drawNow());
  }

  arrange() { // which planes are there
    this.mirrorPane.canvas.hidden = !this.display.mirror;
  }

  sceneOf(pane, scene) {
    return scene; // what a pane draws
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
    this.tellPlace();
    this.panel.showSettings();
    this.toolbar.show();
    Object.assign(this.root.dataset, { drawn: Number(this.root.dataset.drawn || 0) + 1, drawMs: (performance.now() - begun).toFixed(1) });
  }

  // What is under the crosshair; said again only when it, or what is known there, has changed.
  tellPlace() {
    const finding = this.findings[this.place], told = [this.crosshair, this.volumes, finding];
    if (told.every((part, n) => part === this.told?.[n])) return;
    this.told = told;
    const facts = factsAt(this.crosshair, { ...this, finding });
    this.panel.showFacts(facts);
    this.announcer.tell(facts, { finding, findings: this.findings, peak: this.peak });
  }

  set(change) {
    Object.assign(this.settings, change);
    this.draw();
    this.counter.soon();
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
  zoomBy(factor, point = this.crosshair) {
    zoomAbout(this, factor, point);
  }

  useTool(tool) {
    this.tool = tool;
    this.draw();
  }

  hold(panning) { // Space held down: a drag moves the picture, whatever the tool
    const tool = panning ? "pan" : this.tool;
    this.panning = panning;
    if (this.stage.dataset.tool !== tool) this.stage.dataset.tool = tool;
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

  useFirstLayer() {
    this.settings.layer = Object.keys(LAYERS).find((layer) => this.volumes[layer]) || null;
    this.useLayerRange();
  }

  useLayerRange() {
    Object.assign(this.settings, layerRange(this.settings.layer, this));
  }

  setWindow(change) {
    this.set({ window: changedWindow(this.settings.window, change) });
  }

  dragWindow(wider, higher) {
    this.set({ window: draggedWindow(this.settings.window, this.volumes.scan, { wider, higher }) });
  }

  save() {
    this.counter.now(); // of these settings: counting waits for a slider to rest
    savePicture(this, this.counter.text);
  }
}
