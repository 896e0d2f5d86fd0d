// The plane beside the others that shows the mirrored scan: without a map, so sliders of the heat layer leave it be.

import { Pane } from "./pane.js";

export class MirrorPane extends Pane {
  constructor(plane) {
    super(plane, { mirrored: true });
  }

  // A canvas of another size is empty.
  resize(ratio) {
    const { width, height } = this.canvas;
    super.resize(ratio);
    if (width !== this.canvas.width || height !== this.canvas.height) this.drawn = null;
  }

  draw(scene) {
    const { display, crosshair, centre, pixelsPerMm, settings, rulers } = scene, { width, height } = this.canvas;
    const lines = rulers ? [rulers.of(this, scene).map(({ from, to }) => [from, to]), rulers.start?.pane === this && rulers.start.mm] : [];
    const key = JSON.stringify([display, crosshair, centre, pixelsPerMm, settings.window, settings.outlineOpacity, lines, width, height, this.ratio]);
    if (key === this.drawn && scene.volumes === this.drawnOf) return;
    super.draw(scene);
    Object.assign(this, { drawn: key, drawnOf: scene.volumes });
  }
}
