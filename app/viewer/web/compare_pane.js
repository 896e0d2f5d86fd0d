// A plane of a comparison: the scan, its mirror, another scan, or the difference of scan and mirror.

import { drawBand } from "./arrival.js";
import { paintDifference } from "./compare_difference.js";
import { PLANES, conventionText, mirrorFrame, transform } from "./geometry.js";
import { Pane } from "./pane.js";
import { samplePlane } from "./raster.js";

const NARROW_PX = 400;

export class ComparePane extends Pane {
  constructor(plane, place) {
    super(plane);
    this.canvas.dataset.plane = place === "left" ? plane : `${plane}-beside`;
  }

  draw(scene) {
    this.scene = scene;
    this.mirrored = scene.shown === "mirror";
    this.hasMap = scene.shown !== "difference";
    this.canvas.dataset.shown = scene.shown;
    super.draw(scene);
  }

  // Too narrow for words that would run into the letters in the middle.
  get narrow() {
    return this.canvas.clientWidth < NARROW_PX;
  }

  // Two pictures are compared: read one way, or their difference shows the reading.
  isScanSmooth() {
    return true;
  }

  carry(scene) {
    return scene.matrix;
  }

  mirrorOf({ matrix, partner, mirrorWorld }) {
    return matrix ? partner.mirrorWorld : mirrorWorld;
  }

  sample(scene, frame) {
    if (this.sampled !== scene.volumes) this.samples = { key: "" };
    this.sampled = scene.volumes;
    super.sample(scene, frame);
    if (scene.shown === "difference") this.samples.mirror ||= samplePlane(scene.volumes.scan, mirrorFrame(frame, scene.mirrorWorld), { linear: true });
  }

  paint(scene, frame) {
    super.paint(scene, frame);
    if (scene.shown !== "difference") return;
    const context = this.raster.getContext("2d"), image = context.createImageData(frame.width, frame.height);
    paintDifference(image.data, this.samples, scene.settings.window);
    context.putImageData(image, 0, 0);
  }

  heading(crosshair) {
    const plane = PLANES[this.plane].title.toLowerCase();
    if (this.scene.shown === "difference") return `SCAN - MIRROR ${plane}`;
    if (!this.mirrored && this.scene.title) return `${this.scene.title} ${plane}`;
    return this.mirrored || !this.narrow ? super.heading(crosshair) : PLANES[this.plane].title;
  }

  note(display) {
    if (this.scene.shown === "difference") return "Orange: scan brighter";
    if (this.mirrored) return "The other side";
    if (PLANES[this.plane].across === 0) return this.narrow ? conventionText(display).split(":")[0] : conventionText(display);
    return display.noseLeft ? "Nose on left" : "Nose on right";
  }

  // A picture without colours says so where it has no map: it looks like one without findings.
  drawWords(context, scene) {
    super.drawWords(context, scene);
    const text = scene.shown === "prior" ? scene.partner.lacks(scene) : "";
    if (text) drawBand(context, text, { width: this.canvas.width, ratio: this.ratio });
  }

  // Side of the place that is shown: of a mirrored picture the other one, of another scan by its own mid-plane.
  sideWords(crosshair, mirrorWorld) {
    const { matrix } = this.scene;
    return super.sideWords(matrix ? transform(matrix, crosshair) : crosshair, this.mirrorOf({ ...this.scene, mirrorWorld }));
  }

  describe(scene) {
    const title = { mirror: "", scan: scene.title, prior: scene.title, difference: "Scan minus mirror:" }[scene.shown];
    const lacks = scene.shown === "prior" ? scene.partner.lacks(scene) : "";
    return [title, super.describe(scene), lacks].filter(Boolean).join(" ");
  }
}
