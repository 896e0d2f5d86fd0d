// Many slices of the brain on one canvas, with the heatmap and the letters of the planes.

import { AXIS_NAMES, PLANES, View, conventionText, edgeLetters, rasterFrame, sideOfSlice } from "./geometry.js";
import { WAITING, drawBand } from "./arrival.js";
import { brainBox } from "./brain_box.js";
import { listenKeys, step } from "./input.js";
import { drawOutlines, outlinePath } from "./outlines.js";
import { Pane } from "./pane.js";
import { element } from "./elements.js";
import { TOOLS, pointOf } from "./pointers.js";
import { number } from "./readout.js";
import { Wheel } from "./wheel.js";

const COUNTS = [12, 20, 30, 42]; // slices to choose from
const GAP_PX = 2; // between tiles
const INK = "#cfd6de", HERE = "#78eba0";

// A pane whose picture is many slices: pointer, keys and saved pictures treat it as one.
export class Mosaic extends Pane {
  constructor(viewer) {
    super("axial");
    this.viewer = viewer;
    this.count = COUNTS[1];
    this.slices = [];
    this.tiles = [];
    this.canvas.dataset.plane = "mosaic";
    this.view = { toWorld: (x, y, mm) => this.worldAt(x, y, mm) };
    this.planes = this.chooser("Slices", Object.entries(PLANES).map(([plane, { title }]) => [plane, title]), this.plane, (plane) => Object.assign(this, { plane }));
    this.counts = this.chooser("Number", COUNTS.map((count) => [String(count), String(count)]), String(this.count), (count) => Object.assign(this, { count: Number(count) }));
    this.node = element("div", { class: "away" }, [element("div", { class: "toolbar", role: "toolbar", "aria-label": "Mosaic" }, [this.planes, this.counts]), this.canvas]);
    this.listen();
  }

  chooser(label, options, chosen, change) {
    const select = element("select", { "aria-label": label }, options.map(([value, text]) => element("option", { value, text, selected: value === chosen })));
    select.addEventListener("change", () => {
      change(select.value);
      this.viewer.draw();
    });
    return element("span", { class: "choice" }, [element("span", { text: label, "aria-hidden": "true" }), select]);
  }

  listen() {
    const { canvas, viewer } = this, wheel = new Wheel();
    let drag = null, last = null;
    listenKeys(this, viewer);
    canvas.addEventListener("pointerdown", (event) => {
      canvas.focus({ preventScroll: true });
      canvas.setPointerCapture(event.pointerId);
      last = pointOf(canvas, event);
      drag = TOOLS[event.button === 2 ? "window" : "point"](this, viewer);
      drag.begin?.(last);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!drag || !event.buttons) return;
      const at = pointOf(canvas, event);
      drag.move(last, at);
      last = at;
    });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      step(this, viewer, PLANES[this.plane].through, -wheel.slices(event));
    }, { passive: false });
  }

  // Keys that mean something else here than on a plane: no rulers, and larger slices instead of a zoom.
  actions() {
    const change = (way) => () => {
      this.count = COUNTS[Math.min(Math.max(COUNTS.indexOf(this.count) + way, 0), COUNTS.length - 1)];
      this.counts.querySelector("select").value = String(this.count);
      this.viewer.draw();
    };
    const nothing = () => {};
    return { "+": change(-1), "=": change(-1), "-": change(1), Escape: () => this.viewer.views.show("planes"), r: nothing, Space: nothing, Enter: nothing, Delete: nothing, Backspace: nothing };
  }

  draw(scene) {
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    const { width, height } = this.canvas, box = brainBox(scene.volumes);
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    this.tiles = this.layOut(box, scene);
    const current = this.nearestTile(scene.crosshair);
    this.tiles.forEach((tile, place) => this.drawTile(context, scene, { tile, box, slice: this.sliceAt(place), current: tile === current }));
    if (scene.waiting) drawBand(context, WAITING, { width, ratio: this.ratio });
    this.canvas.setAttribute("aria-label", this.describe(scene));
  }

  // Panes that sample and colour one slice each; they keep what they have read.
  sliceAt(place) {
    this.slices[place] ??= new Pane(this.plane);
    this.slices[place].plane = this.plane;
    return this.slices[place];
  }

  // As many columns as make the slices largest; slices ascend along their axis, on voxels of the scan.
  layOut(box, { display }) {
    const { across, up, through } = PLANES[this.plane];
    const wide = box.shape[across] * box.spacing, tall = box.shape[up] * box.spacing;
    const fits = (columns) => Math.min(this.canvas.width / columns / wide, this.canvas.height / Math.ceil(this.count / columns) / tall);
    const columns = Array.from({ length: this.count }, (_, n) => n + 1).reduce((best, n) => (fits(n) > fits(best) ? n : best));
    const rows = Math.ceil(this.count / columns), gap = GAP_PX * this.ratio;
    const width = this.canvas.width / columns, height = this.canvas.height / rows;
    const centre = box.origin.map((start, axis) => start + ((box.shape[axis] - 1) * box.spacing) / 2);
    const pixelsPerMm = Math.min((width - gap) / wide, (height - gap) / tall);
    Object.assign(this.canvas.dataset, { columns, rows });
    return Array.from({ length: this.count }, (_, place) => {
      const index = Math.round(((place + 0.5) / this.count) * box.shape[through] - 0.5);
      const view = new View(this.plane, display, { width: width - gap, height: height - gap, centre, pixelsPerMm });
      return { view, left: Math.round((place % columns) * width), top: Math.round(Math.floor(place / columns) * height), mm: box.origin[through] + index * box.spacing };
    });
  }

  nearestTile(mm) {
    const at = mm[PLANES[this.plane].through], step = Math.abs((this.tiles[1]?.mm ?? Infinity) - this.tiles[0].mm);
    const nearest = this.tiles.reduce((best, tile) => (Math.abs(tile.mm - at) < Math.abs(best.mm - at) ? tile : best));
    return Math.abs(nearest.mm - at) <= step ? nearest : null;
  }

  drawTile(context, scene, { tile, box, slice, current }) {
    const frame = rasterFrame(this.plane, scene.display, box, tile.mm), { view } = tile;
    slice.sample(scene, frame);
    slice.paint(scene, frame);
    context.save();
    context.translate(tile.left, tile.top);
    context.beginPath();
    context.rect(0, 0, view.width, view.height);
    context.clip();
    const half = (box.spacing / 2) * view.pixelsPerMm, size = box.spacing * view.pixelsPerMm;
    const [left, top] = view.toScreen(frame.start).map((at) => at - half);
    Object.assign(context, { imageSmoothingEnabled: true, imageSmoothingQuality: "high" });
    context.drawImage(slice.raster, left, top, frame.width * size, frame.height * size);
    if (slice.samples.anatomy && scene.display.outlines) {
      slice.samples.path ||= outlinePath(slice.samples.anatomy, frame.width, frame.height);
      drawOutlines(context, slice.samples.path, { left, top, scale: size, ratio: 0.6 * this.ratio, opacity: scene.settings.outlineOpacity });
    }
    if (current) this.drawHere(context, scene, view);
    this.drawTileWords(context, scene, { ...tile, box });
    context.restore();
  }

  // A frame around the slice nearest to the crosshair, and a ring at its place.
  drawHere(context, { display, crosshair }, view) {
    Object.assign(context, { strokeStyle: HERE, lineWidth: 2 * this.ratio });
    context.strokeRect(this.ratio, this.ratio, view.width - 2 * this.ratio, view.height - 2 * this.ratio);
    if (!display.crosshair) return;
    context.lineWidth = 1.5 * this.ratio;
    context.beginPath();
    context.arc(...view.toScreen(crosshair), 7 * this.ratio, 0, 2 * Math.PI);
    context.stroke();
  }

  drawTileWords(context, { display, mirrorWorld }, { view, mm, box }) {
    const { ratio } = this, { through } = PLANES[this.plane], edge = 4 * ratio;
    const word = (text, x, y, size, align, baseline, colour) => {
      context.font = `600 ${size * ratio}px system-ui, sans-serif`;
      Object.assign(context, { textAlign: align, textBaseline: baseline, lineJoin: "round", lineWidth: 3 * ratio, strokeStyle: "rgba(0, 0, 0, .85)", fillStyle: colour });
      context.strokeText(text, x, y);
      context.fillText(text, x, y);
    };
    const letters = edgeLetters(this.plane, display, false);
    word(letters.left, edge, view.height / 2, 13, "left", "middle", "#ffffff");
    word(letters.right, view.width - edge, view.height / 2, 13, "right", "middle", "#ffffff");
    const side = through === 0 && mirrorWorld ? ` ${sideOfSlice(this.plane, box, mm, mirrorWorld)}` : "";
    word(`${AXIS_NAMES[through]} ${number(mm, 0)} mm${side}`, edge, edge, 11, "left", "top", INK);
  }

  // World point under a pixel, on the slice that is shown there.
  worldAt(x, y, mm) {
    const inside = ({ left, top, view }) => x >= left && y >= top && x < left + view.width + GAP_PX * this.ratio && y < top + view.height + GAP_PX * this.ratio;
    const tile = this.tiles.find(inside);
    if (!tile) return mm;
    const point = tile.view.toWorld(x - tile.left, y - tile.top, mm);
    point[PLANES[this.plane].through] = tile.mm;
    return point;
  }

  holds() {
    return true;
  }

  describe({ display, crosshair, waiting }) {
    const { title, across } = PLANES[this.plane];
    const side = across === 0 ? conventionText(display) : display.noseLeft ? "Nose on left" : "Nose on right";
    return `${this.count} ${title.toLowerCase()} slices; crosshair at ${crosshair.map((value, axis) => `${AXIS_NAMES[axis]} ${value.toFixed(0)}`).join(", ")} millimetres. ${side}.${waiting ? ` ${WAITING}.` : ""} Arrow keys move the crosshair, Page Up and Page Down change the slice.`;
  }
}
