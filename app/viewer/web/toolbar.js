// Buttons above the planes.

import { conventionText } from "./geometry.js";
import { element } from "./panel.js";

const BUTTONS = [
  ["radiological", "Radiological", (viewer) => viewer.toggle("radiological"), "Patient's right on the left of the screen (c)"],
  ["noseLeft", "Nose left", (viewer) => viewer.toggle("noseLeft"), "Direction of the sagittal plane"],
  ["overlay", "Heatmap", (viewer) => viewer.toggle("overlay"), "Heatmap on and off (h)"],
  ["crosshair", "Crosshair", (viewer) => viewer.toggle("crosshair"), "Crosshair on and off (x)"],
  ["mirror", "Mirrored pane", (viewer) => viewer.toggle("mirror"), "The other side of the mid-plane, at the same place of the screen"],
  [null, "Jump to mirror point", (viewer) => viewer.jumpToMirror(), "Move the crosshair to the other side of the mid-plane (m)"],
  [null, "Reset view", (viewer) => viewer.reset(), "Zoom and window as at the start (Home)"],
  [null, "Save picture", (viewer) => viewer.save(), "PNG with sides, model and research-use notice"],
];

export class Toolbar {
  constructor(viewer) {
    this.viewer = viewer;
    this.toggles = {};
    this.convention = element("span", { class: "convention", role: "status" });
    const buttons = BUTTONS.filter(([name, title]) => viewer.mirrorWorld || (name !== "mirror" && !title.includes("mirror"))).map(([name, text, act, title]) => {
      const button = element("button", { type: "button", text, title });
      button.addEventListener("click", () => act(viewer));
      if (name) this.toggles[name] = button;
      return button;
    });
    this.node = element("div", { class: "toolbar", role: "toolbar", "aria-label": "View" }, [...buttons, this.convention]);
  }

  show() {
    for (const [name, button] of Object.entries(this.toggles)) button.setAttribute("aria-pressed", String(this.viewer.display[name]));
    const text = conventionText(this.viewer.display);
    if (this.convention.textContent !== text) this.convention.textContent = text;
    this.convention.dataset.radiological = this.viewer.display.radiological;
  }
}
