// NiiVue on a canvas that nobody sees: the only file that knows how it is called.

import { brainBox } from "./brain_box.js";
import { LAYERS } from "./colours.js";
import { cutPlane } from "./niivue_camera.js";
import { brainVoxels, colourMap, scanMap, shadingTable, signalVoxels } from "./niivue_volumes.js";

const LIBRARY = "./niivue-0.69.0.js";
const RENDER = 4, INT16 = 4, FLOAT32 = 16; // codes of NiiVue and of NIfTI
const SURFACES = {
  solid: { opacity: 1, gradientOpacity: 0, silhouette: 0 },
  glass: { opacity: 0.7, gradientOpacity: 0, silhouette: 0.3 },
};
const SHADING = 0.7; // how much the direction of a surface changes its brightness
const OPTIONS = {
  sliceType: RENDER,
  backColor: [0, 0, 0, 1],
  clipPlaneColor: [0, 0, 0, 0],
  isClipAllVolumes: true,
  show3Dcrosshair: false,
  isColorbar: false,
  isOrientCube: false,
  isResizeCanvas: false,
  interactive: false,
  dragAndDropEnabled: false,
  loadingText: "",
  logLevel: "error",
};

export class SolidEngine {
  static async start(volumes, { lost }) {
    const { Niivue, NVImage } = await import(LIBRARY);
    const engine = new SolidEngine(volumes, new Niivue(OPTIONS));
    try {
      await engine.load(NVImage, lost);
    } catch (error) {
      engine.close();
      throw error;
    }
    return engine;
  }

  constructor(volumes, niivue) {
    Object.assign(this, { volumes, niivue, box: brainBox(volumes), done: {} });
    this.canvas = document.createElement("canvas");
    document.createElement("div").append(this.canvas); // NiiVue styles the parent
    this.canvas.width = this.canvas.height = 64;
  }

  async load(NVImage, lost) {
    const { niivue, volumes, box } = this;
    this.canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      if (!this.closed) lost();
    });
    await niivue.attachToCanvas(this.canvas, true);
    for (const name of ["orange", "blue", "magenta", "green"]) niivue.addColormap(`medsym-${name}`, colourMap(name));
    niivue.addColormap("medsym-scan", scanMap());
    await niivue.loadMatCapTexture(shadingTable());
    const image = async (grid, type, voxels, colormap) => {
      const { shape, spacing: s, origin: [x, y, z] } = grid;
      const bytes = NVImage.createNiftiArray(shape, [s, s, s], [s, 0, 0, x, 0, s, 0, y, 0, 0, s, z, 0, 0, 0, 1], type, voxels);
      return NVImage.new(bytes.buffer, "volume.nii", colormap, 1, null, 0, 1);
    };
    niivue.addVolume(await image(box, INT16, brainVoxels(volumes, box), "medsym-scan"));
    this.map = Object.keys(LAYERS).map((layer) => volumes[layer]).find(Boolean);
    if (this.map) niivue.addVolume(await image(this.map, FLOAT32, new Float32Array(this.map.stored.length), "medsym-orange"));
    await niivue.setVolumeRenderIllumination(SHADING);
  }

  // Draws into `target` and returns the matrix from world millimetres to the picture.
  render(target, scene, { width, height, angles, zoom, cut, surface }) {
    const { niivue } = this, [azimuth, elevation] = angles;
    const plane = cut === null ? null : cutPlane(cut, scene.crosshair, angles, this.box);
    const key = JSON.stringify([width, height, angles, zoom, plane, surface, scene.settings, scene.display.overlay]);
    if (key === this.drawn) return this.matrix;
    this.drawn = key;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.setScan(scene.settings, surface);
    this.setMap(scene);
    Object.assign(niivue.scene, { renderAzimuth: azimuth, renderElevation: elevation, volScaleMultiplier: zoom });
    niivue.setClipPlanes([plane || [2, 0, 0]]); // 2: no plane; this draws the scene
    Object.assign(target, { width, height });
    target.getContext("2d").drawImage(this.canvas, 0, 0);
    [this.matrix] = niivue.calculateMvpMatrix(null, [0, 0, width, height], azimuth, elevation);
    return this.matrix;
  }

  // Runs an update only when what it depends on has changed: each costs passes over the volume.
  once(name, facts, update) {
    const key = JSON.stringify(facts);
    if (this.done[name] === key) return;
    this.done[name] = key;
    update();
  }

  setScan({ window }, surface) {
    const { niivue } = this, { scan } = this.volumes, [image] = niivue.volumes;
    this.once("scan", [window, surface], () => {
      const { opacity, gradientOpacity, silhouette } = SURFACES[surface];
      const [low, high] = window.map((value) => (value - scan.intercept) / scan.slope);
      Object.assign(image, { opacity, cal_min: low, cal_max: Math.max(high, low + 1) });
      niivue.setGradientOpacity(gradientOpacity, silhouette);
      niivue.refreshLayers(image, 0);
    });
  }

  setMap({ settings, display }) {
    const { niivue } = this, [, image] = niivue.volumes, layer = LAYERS[settings.layer];
    if (!image) return;
    const shown = display.overlay && layer && !layer.labels;
    const { threshold, maximum, opacity } = settings;
    this.once("map", [shown && [settings.layer, settings.showLess, threshold, maximum, opacity]], () => {
      image.opacity = shown ? opacity : 0;
      if (shown) {
        this.once("signal", [settings.layer, settings.showLess], () => {
          image.img = signalVoxels(this.volumes, settings);
        });
        const least = Math.max(threshold, 1e-6); // zero is what was masked
        Object.assign(image, { colormap: `medsym-${layer.positive}`, colormapNegative: layer.negative ? `medsym-${layer.negative}` : "", cal_min: least, cal_max: Math.max(maximum, 1.001 * least), cal_minNeg: -Math.max(maximum, 1.001 * least), cal_maxNeg: -least });
      }
      niivue.refreshLayers(image, 1);
    });
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    this.niivue.cleanup();
    this.canvas.getContext("webgl2")?.getExtension("WEBGL_lose_context")?.loseContext();
    this.niivue = null;
  }
}
