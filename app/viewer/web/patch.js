// A piece of a plane around a finding, or around its mirror place: scan alone, no interaction.

import { PLANES } from "./geometry.js";
import { Pane } from "./pane.js";
import { element } from "./elements.js";

const WINDOW_MM = 90; // edge of the piece
const RING_MM = 6; // the ring around the peak is never smaller

export class Patch extends Pane {
  constructor(plane, options) {
    super(plane, options);
    this.hasMap = false;
    delete this.canvas.dataset.plane;
    this.canvas.dataset.patch = `${plane} ${this.mirrored ? "mirror" : "here"}`;
    this.canvas.removeAttribute("tabindex");
    this.canvas.setAttribute("role", "img");
    this.canvas.removeAttribute("aria-roledescription");
    this.words = element("figcaption");
    this.node = element("figure", {}, [this.canvas, this.words]);
  }

  show(scene, finding) {
    this.finding = finding;
    this.words.textContent = this.caption();
    this.resize(window.devicePixelRatio || 1);
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth) return;
    const pixelsPerMm = Math.min(clientWidth, clientHeight) / WINDOW_MM;
    this.draw({ ...scene, rulers: null, crosshair: finding.peak_mm, centre: finding.peak_mm, pixelsPerMm });
  }

  // A ring as large as the finding, so that nothing in it is hidden.
  drawCrosshair(context) {
    const { volume_ml: volume, peak_mm: peak } = this.finding;
    const radius = Math.max(RING_MM, Math.cbrt((3000 * (volume || 0)) / (4 * Math.PI)));
    const [x, y] = this.view.toScreen(peak);
    context.strokeStyle = this.mirrored ? "rgba(255, 230, 120, .9)" : "rgba(120, 235, 160, .9)";
    context.lineWidth = Math.max(1, this.ratio);
    context.beginPath();
    context.arc(x, y, radius * this.view.pixelsPerMm, 0, 2 * Math.PI);
    context.stroke();
  }

  side() {
    const { side } = this.finding;
    return (this.mirrored ? (side === "left" ? "right" : "left") : side).toUpperCase();
  }

  // Said under the picture, where there is room.
  heading() {
    return "";
  }

  caption() {
    return this.mirrored ? `Mirror place, patient's ${this.side()}; flipped` : `Finding, patient's ${this.side()}`;
  }

  note() {
    return PLANES[this.plane].title;
  }

  describe(scene) {
    const place = this.mirrored ? `the mirror place, on the patient's ${this.side().toLowerCase()}, flipped to match` : `the finding, on the patient's ${this.side().toLowerCase()}`;
    return `${PLANES[this.plane].title} piece of the scan around ${place}; ${WINDOW_MM} millimetres, the same window as its neighbour`;
  }
}
