// One plane on one canvas: picture, heatmap, crosshair, letters; pointer and keyboard of that plane.

import { AXIS_NAMES, PLANES, View, conventionText, distanceToMidplane, edgeLetters, mirrorFrame, rasterFrame, sideOf } from "./geometry.js";
import { WAITING, drawBand } from "./arrival.js";
import { isPaired, samplePairs } from "./mirror_pair.js";
import { drawOutlines, outlinePath } from "./outlines.js";
import { layerVolumes, paintLabels, paintMap, paintScan, samplePlane } from "./raster.js";
import { LAYERS } from "./colours.js";
import { number } from "./readout.js";
import { drawScaleBar } from "./scale.js";

const GAP_PX = 7; // hole in the middle of the crosshair, so that it hides nothing

export class Pane {
  constructor(plane, { mirrored = false } = {}) {
    this.plane = plane;
    this.mirrored = mirrored;
    this.hasMap = !mirrored;
    this.canvas = document.createElement("canvas");
    this.canvas.dataset.plane = mirrored ? "mirror" : plane;
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-roledescription", "image plane");
    this.raster = document.createElement("canvas");
    this.samples = { key: "" };
  }

  resize(ratio) {
    const width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.ratio = ratio;
  }

  draw(scene) {
    const { display, crosshair, scan } = scene;
    const through = PLANES[this.plane].through;
    const frame = rasterFrame(this.plane, display, scan, crosshair[through]);
    this.sample(scene, frame);
    this.paint(scene, frame);
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    const { width, height } = this.canvas;
    this.view = new View(this.plane, display, { width, height, centre: scene.centre, pixelsPerMm: scene.pixelsPerMm * this.ratio });
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    const half = scan.spacing / 2, scale = this.view.pixelsPerMm;
    const [left, top] = this.view.toScreen(frame.start).map((at) => at - half * scale);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.raster, left, top, frame.width * scan.spacing * scale, frame.height * scan.spacing * scale);
    if (this.samples.anatomy && display.outlines) {
      this.samples.path ||= outlinePath(this.samples.anatomy, frame.width, frame.height);
      drawOutlines(context, this.samples.path, { left, top, scale: scan.spacing * scale, ratio: this.ratio, opacity: scene.settings.outlineOpacity });
    }
    this.drawCrosshair(context, scene);
    scene.rulers?.draw(context, this, scene);
    this.drawWords(context, scene);
    if (scene.waiting && this.hasMap) drawBand(context, WAITING, { width, ratio: this.ratio });
    this.canvas.setAttribute("aria-label", this.describe(scene));
  }

  // Values under the pixels, kept until the slice, the layer or the convention changes.
  sample(scene, frame) {
    const { display, settings, volumes } = scene;
    const wanted = this.hasMap ? [...(display.overlay ? layerVolumes(settings.layer) : []), ...(display.outlines ? ["anatomy"] : [])] : [];
    const kinds = ["scan", ...new Set(wanted)].filter((kind) => volumes[kind]);
    const carry = this.carry(scene), key = JSON.stringify([frame, kinds, carry]);
    if (key === this.samples.key) return;
    const source = carry ? mirrorFrame(frame, carry) : frame;
    const mirror = this.mirrorOf(scene), pairs = kinds.filter((kind) => isPaired(kind, mirror));
    this.samples = { key, ...samplePairs(pairs, volumes, source, mirror) };
    for (const kind of kinds.filter((own) => !pairs.includes(own))) {
      const linear = kind !== "anatomy" && (kind !== "scan" || this.isScanSmooth(carry));
      this.samples[kind] = samplePlane(volumes[kind], source, { linear });
    }
  }

  // Whether the scan is interpolated: between its voxels, as a picture that is carried there has to be.
  isScanSmooth(carry) {
    return Boolean(carry);
  }

  // Matrix from a place of the picture to the place that is shown there; null where it is the same.
  carry({ mirrorWorld }) {
    return this.mirrored ? mirrorWorld : null;
  }

  // The mid-plane of the scan that is shown.
  mirrorOf({ mirrorWorld }) {
    return mirrorWorld;
  }

  // The grey picture is kept until slice or window change: a slider of the heat layer changes colours alone.
  paint(scene, frame) {
    const { settings, display } = scene, { raster, samples } = this, [low, high] = settings.window;
    if (raster.width !== frame.width || raster.height !== frame.height || !this.image) {
      raster.width = frame.width;
      raster.height = frame.height;
      this.context = raster.getContext("2d", { willReadFrequently: true });
      this.image = this.context.createImageData(frame.width, frame.height);
      this.grey = null;
    }
    if (this.grey?.scan !== samples.scan || this.grey.low !== low || this.grey.high !== high) {
      const pixels = new Uint8ClampedArray(this.image.data.length);
      paintScan(pixels, samples.scan, settings.window);
      this.grey = { scan: samples.scan, low, high, pixels };
    }
    this.image.data.set(this.grey.pixels);
    if (display.overlay && this.hasMap && LAYERS[settings.layer]) {
      if (!LAYERS[settings.layer].labels) paintMap(this.image.data, samples, frame, settings);
      else if (samples.anatomy) {
        paintLabels(this.image.data, samples.anatomy, frame.width, { names: scene.structures, opacity: settings.opacity });
      }
    }
    this.context.putImageData(this.image, 0, 0);
  }

  drawCrosshair(context, { display, crosshair }) {
    if (!display.crosshair) return;
    const [x, y] = this.view.toScreen(crosshair).map((at) => Math.round(at) + 0.5);
    const gap = GAP_PX * this.ratio, { width, height } = this.canvas;
    context.strokeStyle = this.mirrored ? "rgba(255, 230, 120, .8)" : "rgba(120, 235, 160, .8)";
    context.lineWidth = Math.max(1, this.ratio);
    context.beginPath();
    for (const [ax, ay, bx, by] of [[0, y, x - gap, y], [x + gap, y, width, y], [x, 0, x, y - gap], [x, y + gap, x, height]]) {
      context.moveTo(ax, ay);
      context.lineTo(bx, by);
    }
    context.stroke();
  }

  // A sagittal plane has no L and R at its edges, so its note says which side it shows.
  sideWords(crosshair, mirrorWorld) {
    return PLANES[this.plane].through === 0 && mirrorWorld ? `Mid-plane: ${sideOf(distanceToMidplane(crosshair, mirrorWorld))}` : "";
  }

  drawWords(context, { display, crosshair, mirrorWorld }) {
    const { width, height } = this.canvas, ratio = this.ratio, edge = 9 * ratio;
    const word = (text, x, y, size, align, baseline, colour) => {
      context.font = `${size >= 15 ? 700 : 500} ${size * ratio}px system-ui, sans-serif`;
      Object.assign(context, { textAlign: align, textBaseline: baseline, lineJoin: "round", lineWidth: (size >= 15 ? 7 : 3) * ratio, strokeStyle: "rgba(0, 0, 0, .85)", fillStyle: colour });
      context.strokeText(text, x, y);
      context.fillText(text, x, y);
    };
    const letters = edgeLetters(this.plane, display, this.mirrored);
    const side = this.mirrored ? "#ffe678" : "#ffffff";
    word(letters.left, edge, height / 2, 18, "left", "middle", side);
    word(letters.right, width - edge, height / 2, 18, "right", "middle", side);
    word(letters.top, width / 2, edge, 15, "center", "top", "#cfd6de");
    word(letters.bottom, width / 2, height - edge, 15, "center", "bottom", "#cfd6de");
    word(this.heading(crosshair), edge, edge, 13, "left", "top", this.mirrored ? "#ffe678" : "#cfd6de");
    const place = this.sideWords(crosshair, mirrorWorld);
    if (place) word(place, edge, height - edge - 17 * this.ratio, 12, "left", "bottom", "#cfd6de");
    word(this.note(display), edge, height - edge, 12, "left", "bottom", this.mirrored ? "#ffe678" : "#cfd6de");
    drawScaleBar(context, word, { width, height, edge, ratio, pixelsPerMm: this.view.pixelsPerMm, colour: "#cfd6de" });
  }

  heading(crosshair) {
    const { through, title } = PLANES[this.plane];
    return this.mirrored ? `MIRRORED ${title.toLowerCase()}` : `${title}  ${AXIS_NAMES[through]} ${number(crosshair[through], 1)} mm`;
  }

  note(display) {
    return this.mirrored ? "The other side" : PLANES[this.plane].across === 0 ? conventionText(display) : display.noseLeft ? "Nose on left" : "Nose on right";
  }

  // Whether a point lies inside the canvas as it was last drawn.
  holds(mm) {
    if (!this.view || this.canvas.clientWidth === 0) return true;
    const [x, y] = this.view.toScreen(mm);
    return x >= 0 && y >= 0 && x < this.canvas.width && y < this.canvas.height;
  }

  describe(scene) {
    const { display, crosshair, mirrorWorld } = scene;
    const { title, across } = PLANES[this.plane];
    const place = crosshair.map((value, axis) => `${AXIS_NAMES[axis]} ${value.toFixed(0)}`).join(", ");
    const letters = edgeLetters(this.plane, display, this.mirrored);
    const side = this.mirrored ? `mirrored scan, ${letters.left} on left` : across === 0 ? conventionText(display) : [display.noseLeft ? "nose on left" : "nose on right", this.sideWords(crosshair, mirrorWorld)].filter(Boolean).join("; ");
    return `${this.mirrored ? "Mirrored " : ""}${title} plane at ${place} millimetres. ${side}.${scene.waiting && this.hasMap ? ` ${WAITING}.` : ""} Arrow keys move the crosshair, Page Up and Page Down change the slice.${scene.rulers?.words(this, scene) ?? ""}`;
  }
}
