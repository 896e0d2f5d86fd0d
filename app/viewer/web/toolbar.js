// Buttons above the planes.

import { conventionText } from "./geometry.js";
import { element } from "./elements.js";
import { lengthText } from "./ruler.js";

const ZOOM_STEP = 1.4;

const BUTTONS = [
  ["radiological", "Convention", (viewer) => viewer.toggle("radiological"), "Which side of the screen is the patient's right (c)"],
  ["noseLeft", "Nose left", (viewer) => viewer.toggle("noseLeft"), "Direction of the sagittal plane"],
  ["overlay", "Heatmap", (viewer) => viewer.toggle("overlay"), "Heatmap on and off (h)"],
  ["crosshair", "Crosshair", (viewer) => viewer.toggle("crosshair"), "Crosshair on and off (x)"],
  ["mirror", "Mirrored", (viewer) => viewer.toggle("mirror"), "The other side of the mid-plane, at the same place of the screen"],
  [null, "Jump to mirror point", (viewer) => viewer.jumpToMirror(), "Move the crosshair to the other side of the mid-plane (m)"],
  [null, "Reset", (viewer) => viewer.reset(), "Zoom, place and window as at the start (Home)"],
  [null, "Save PNG", (viewer) => viewer.save(), "PNG with sides, lengths, model and research-use notice"],
];

// What a drag with the left button, a pen or one finger does.
const TOOLS = [
  ["point", "Point", "A drag moves the crosshair (Esc)"],
  ["window", "Window", "A drag changes the window: across the width, upwards the level (right button)"],
  ["pan", "Pan", "A drag moves the picture (middle button, or Space held down)"],
  ["ruler", "Ruler", "A drag measures a length in mm (r)"],
];

export class Toolbar {
  constructor(viewer) {
    this.viewer = viewer;
    this.toggles = {};
    this.tools = {};
    const buttons = BUTTONS.filter(([name, title]) => viewer.mirrorWorld || (name !== "mirror" && !title.includes("mirror"))).map(([name, text, act, title]) => {
      const button = this.button(text, () => act(viewer), { title });
      if (name) this.toggles[name] = button;
      return button;
    });
    this.clear = this.button("Clear rulers", () => viewer.changeRulers((rulers) => rulers.clear()), { title: "Remove all lengths" });
    this.measured = element("output", { class: "measured", role: "status", "aria-label": "Last length" });
    this.node = element("div", { class: "toolbar", role: "toolbar", "aria-label": "View" }, [...buttons, this.toolGroup(), this.zoomGroup(), this.clear, this.measured]);
  }

  button(text, act, attributes) {
    const button = element("button", { type: "button", text, ...attributes });
    button.addEventListener("click", act);
    return button;
  }

  toolGroup() {
    const buttons = TOOLS.map(([tool, text, title]) => {
      this.tools[tool] = this.button(text, () => this.viewer.useTool(tool), { title, "data-tool": tool });
      return this.tools[tool];
    });
    return element("div", { class: "tools", role: "group", "aria-label": "Tool" }, buttons);
  }

  zoomGroup() {
    this.out = this.button("\u2212", () => this.viewer.zoomBy(1 / ZOOM_STEP), { "aria-label": "Zoom out", title: "Zoom out (-)" });
    const closer = this.button("+", () => this.viewer.zoomBy(ZOOM_STEP), { "aria-label": "Zoom in", title: "Zoom in (+)" });
    return element("div", { class: "tools", role: "group", "aria-label": "Zoom" }, [this.out, closer]);
  }

  show() {
    const { viewer } = this, { radiological, noseLeft } = viewer.display;
    for (const [name, button] of Object.entries(this.toggles)) mark(button, viewer.display[name]);
    for (const [tool, button] of Object.entries(this.tools)) mark(button, tool === viewer.tool);
    viewer.hold(viewer.panning);
    this.toggles.overlay.disabled = !viewer.settings.layer;
    this.name(this.toggles.radiological, conventionText(viewer.display));
    this.name(this.toggles.noseLeft, noseLeft ? "Nose on left" : "Nose on right");
    this.toggles.radiological.dataset.radiological = radiological;
    this.clear.hidden = !viewer.rulers.all.length;
    this.name(this.measured, viewer.rulers.all.length ? `Last length ${lengthText(viewer.rulers.all.at(-1))}` : "");
  }

  name(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }
}

// An attribute that is written again is taken for a change, and the page styled anew.
function mark(button, pressed) {
  if (button.getAttribute("aria-pressed") !== String(pressed)) button.setAttribute("aria-pressed", String(pressed));
}
