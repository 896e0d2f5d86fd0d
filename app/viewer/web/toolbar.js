// Buttons above the planes.

import { conventionText } from "./geometry.js";
import { element } from "./panel.js";

const BUTTONS = [
  ["radiological", "Convention", (viewer) => viewer.toggle("radiological"), "Which side of the screen is the patient's right (c)"],
  ["noseLeft", "Nose left", (viewer) => viewer.toggle("noseLeft"), "Direction of the sagittal plane"],
  ["overlay", "Heatmap", (viewer) => viewer.toggle("overlay"), "Heatmap on and off (h)"],
  ["crosshair", "Crosshair", (viewer) => viewer.toggle("crosshair"), "Crosshair on and off (x)"],
  ["mirror", "Mirrored", (viewer) => viewer.toggle("mirror"), "The other side of the mid-plane, at the same place of the screen"],
  [null, "Jump to mirror point", (viewer) => viewer.jumpToMirror(), "Move the crosshair to the other side of the mid-plane (m)"],
  [null, "Reset", (viewer) => viewer.reset(), "Zoom and window as at the start (Home)"],
  [null, "Save PNG", (viewer) => viewer.save(), "PNG with sides, model and research-use notice"],
];

export class Toolbar {
  constructor(viewer) {
    this.viewer = viewer;
    this.toggles = {};
    const buttons = BUTTONS.filter(([name, title]) => viewer.mirrorWorld || (name !== "mirror" && !title.includes("mirror"))).map(([name, text, act, title]) => {
      const button = element("button", { type: "button", text, title });
      button.addEventListener("click", () => act(viewer));
      if (name) this.toggles[name] = button;
      return button;
    });
    this.node = element("div", { class: "toolbar", role: "toolbar", "aria-label": "View" }, buttons);
  }

  show() {
    for (const [name, button] of Object.entries(this.toggles)) button.setAttribute("aria-pressed", String(this.viewer.display[name]));
    const { radiological, noseLeft } = this.viewer.display;
    this.toggles.overlay.disabled = !this.viewer.settings.layer;
    this.name("radiological", conventionText(this.viewer.display));
    this.name("noseLeft", noseLeft ? "Nose on left" : "Nose on right");
    this.toggles.radiological.dataset.radiological = radiological;
  }

  name(toggle, text) {
    if (this.toggles[toggle].textContent !== text) this.toggles[toggle].textContent = text;
  }
}
