// The brain and its deviation in 3D. NiiVue draws on a canvas that nobody sees; the picture is copied
// onto an ordinary one, so that letters, marks, saved pictures and a lost graphics card need nothing special.

import { brainBox } from "./brain_box.js";
import { VIEWPOINTS, edgeMarks, project, startingPoint, viewpointWords } from "./niivue_camera.js";
import { SolidEngine } from "./niivue_engine.js";
import { actions3d, listen3d } from "./niivue_input.js";
import { Pane } from "./pane.js";
import { element } from "./elements.js";

const CUTS = [["", "None"], ["2", "Axial, at the crosshair"], ["1", "Coronal, at the crosshair"], ["0", "Sagittal, at the crosshair"]];
const SURFACES = [["solid", "Solid brain"], ["glass", "Glass brain"]];
const OPPOSITE = { Front: "Back", Back: "Front", Above: "Below", Below: "Above" };
const MARK_PX = 10; // radius of a numbered mark

export async function open3d(viewer, { lost }) {
  const engine = await SolidEngine.start(viewer.volumes, { lost });
  return new Solid(viewer, engine);
}

class Solid extends Pane {
  constructor(viewer, engine) {
    super("axial");
    Object.assign(this, { viewer, engine, box: brainBox(viewer.volumes), zoom: 1, cut: null, surface: "glass", markers: true });
    this.radiological = viewer.display.radiological;
    this.angles = VIEWPOINTS[startingPoint(viewer.display)];
    this.canvas.dataset.plane = "3d";
    this.canvas.setAttribute("aria-roledescription", "3D picture");
    const views = Object.entries(VIEWPOINTS).map(([name, angles]) => this.button(name, () => this.turnTo(angles)));
    const marks = this.button("Marks", () => this.change({ markers: !this.markers }));
    this.controls = { marks };
    this.node = element("div", { class: "away" }, [element("div", { class: "toolbar", role: "toolbar", "aria-label": "3D" }, [...views, this.chooser("Brain", SURFACES, this.surface, (surface) => this.change({ surface })), this.chooser("Cut", CUTS, "", (axis) => this.change({ cut: axis === "" ? null : Number(axis) })), marks]), this.canvas]);
    listen3d(this, viewer);
  }

  actions(event) {
    return actions3d(this, this.viewer, event);
  }

  button(text, act) {
    const made = element("button", { type: "button", text });
    made.addEventListener("click", act);
    return made;
  }

  chooser(label, options, chosen, change) {
    const select = element("select", { "aria-label": label }, options.map(([value, text]) => element("option", { value, text, selected: value === chosen })));
    select.addEventListener("change", () => change(select.value));
    return element("span", { class: "choice" }, [element("span", { text: label, "aria-hidden": "true" }), select]);
  }

  change(settings) {
    Object.assign(this, settings);
    this.viewer.draw();
  }

  turnTo(angles) {
    const [azimuth, elevation] = angles;
    this.change({ angles: [((azimuth % 360) + 360) % 360, Math.min(Math.max(elevation, -90), 90)] });
  }

  reset() {
    this.zoom = 1;
    this.turnTo(VIEWPOINTS[startingPoint(this.viewer.display)]);
  }

  // The other convention has the patient's right on the other side: the same view from the other end.
  followConvention({ radiological }) {
    if (radiological === this.radiological) return;
    this.radiological = radiological;
    const name = Object.keys(VIEWPOINTS).find((each) => VIEWPOINTS[each].every((angle, n) => angle === this.angles[n]));
    this.angles = VIEWPOINTS[OPPOSITE[name] || startingPoint({ radiological })];
  }

  draw(scene) {
    this.followConvention(scene.display);
    const { width, height } = this.canvas;
    this.matrix = this.engine.render(this.raster, scene, { width, height, angles: this.angles, zoom: this.zoom, cut: this.cut, surface: this.surface });
    const context = this.canvas.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    context.drawImage(this.raster, 0, 0);
    if (this.markers) this.drawMarks(context, scene);
    this.drawCrosshair3d(context, scene);
    this.drawEdges(context, scene);
    this.controls.marks.setAttribute("aria-pressed", String(this.markers));
    this.canvas.setAttribute("aria-label", `${this.words()}. Arrow keys turn the head, + and - zoom, n and p go to the findings.`);
  }

  toScreen(mm) {
    return project(this.matrix, mm, this.canvas);
  }

  words() {
    const ends = edgeMarks(this.box, this.angles).filter(({ letter }) => "LR".includes(letter));
    const [left] = ends.sort((a, b) => this.toScreen(a.mm)[0] - this.toScreen(b.mm)[0]);
    return `${viewpointWords(this.angles)}${left ? `: ${left.letter} on left` : ""}`;
  }

  // Numbers of the findings at their peaks, before everything else.
  drawMarks(context, { findings, place }) {
    const radius = MARK_PX * this.ratio;
    findings.forEach((found, n) => {
      const [x, y] = this.toScreen(found.peak_mm);
      Object.assign(context, { fillStyle: "rgba(10, 12, 16, .55)", strokeStyle: n === place ? "#78eba0" : "#ffffff", lineWidth: 1.5 * this.ratio });
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
      this.word(context, String(found.rank), x, y, 12, "center", "middle", "#ffffff");
    });
  }

  drawCrosshair3d(context, { display, crosshair }) {
    if (!display.crosshair) return;
    const [x, y] = this.toScreen(crosshair), inner = 12 * this.ratio, outer = 26 * this.ratio;
    Object.assign(context, { strokeStyle: "rgba(120, 235, 160, .9)", lineWidth: 1.5 * this.ratio });
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + dx * inner, y + dy * inner);
      context.lineTo(x + dx * outer, y + dy * outer);
    }
    context.stroke();
  }

  drawEdges(context) {
    const { width, height } = this.canvas, edge = 9 * this.ratio;
    for (const { letter, mm, far } of edgeMarks(this.box, this.angles)) {
      const [x, y] = this.toScreen(mm);
      const inside = (at, size) => Math.min(Math.max(at, 2 * edge), size - 2 * edge);
      this.word(context, letter, inside(x, width), inside(y, height), 18, "center", "middle", "LR".includes(letter) ? (far ? "#8b95a1" : "#ffffff") : far ? "#6f7884" : "#cfd6de");
    }
    this.word(context, "3D", edge, edge, 13, "left", "top", "#cfd6de");
    this.word(context, this.words(), edge, height - edge, 12, "left", "bottom", "#cfd6de");
  }

  word(context, text, x, y, size, align, baseline, colour) {
    context.font = `${size >= 15 ? 700 : 500} ${size * this.ratio}px system-ui, sans-serif`;
    Object.assign(context, { textAlign: align, textBaseline: baseline, lineJoin: "round", lineWidth: 3 * this.ratio, strokeStyle: "rgba(0, 0, 0, .85)", fillStyle: colour });
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  }

  holds() {
    return true;
  }

  close() {
    this.engine.close();
  }
}
