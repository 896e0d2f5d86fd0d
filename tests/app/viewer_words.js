// Asked of the browser's modules by test_viewer_words.py; MIRROR, SIZES and CENTRE stand above it there.

globalThis.document = { createElement: () => ({ dataset: {}, setAttribute() {}, firstChild: {} }) };
const { sideOfSlice, rasterFrame } = await import("./geometry.js");
const { percentUp } = await import("./upwards.js");
const { dialText, healthyWords } = await import("./rarity.js");
const { rarityWords } = await import("./readout.js");
const { ComparePane } = await import("./compare_pane.js");
const { CompareViewer } = await import("./compare.js");
const { viewText, captionLines } = await import("./capture.js");
const { OUTSIDE, jumpTo } = await import("./motion.js");
const { Volume } = await import("./volume.js");
const [mirror, sizes, centre] = [MIRROR, SIZES, CENTRE];
const box = { shape: sizes, spacing: 2, origin: centre.map((mm, n) => mm - sizes[n] + 1) };
const sides = [-40, -20, 0, 20, 40].map((x) => sideOfSlice("sagittal", box, centre[0] + x, mirror));

// A scan that is its own mirror at x = 0, of slices 0 and 100, looked at half-way between two.
const about = { shape: [4, 4, 4], spacing: 1, origin: [-1.5, 0, 0], slope: 1, intercept: 0, low: 0, high: 100 };
const scan = new Volume(about, Int16Array.from({ length: 64 }, (_, n) => (n >> 4) % 2 * 100));
const pane = new ComparePane("axial", "left");
const scene = { volumes: { scan }, settings: {}, display: {}, shown: "difference", matrix: null, mirrorWorld: [[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]] };
pane.sample(scene, rasterFrame("axial", { radiological: true }, scan, 1.5));
const apart = Math.max(...pane.samples.scan.map((value, n) => Math.abs(value - pane.samples.mirror[n])));

const went = [];
const viewer = { volumes: { scan }, views: { say: (text) => went.push(text) }, moveTo: (mm) => went.push(mm) };
jumpTo(viewer, [1, 1, 1]);
jumpTo(viewer, [1, 1, 9]);

const display = { radiological: true, noseLeft: true, overlay: true };
const planes = { name: "planes", pane: () => undefined };
const solid = { name: "3d", pane: () => ({ words: () => "Seen from the back: L on left", zoom: 2 }) };
const partner = { caption: (where) => `${where}: the mirror` };
const right = (state) => CompareViewer.prototype.captionLines.call({ partner, blink: {}, ...state })[0];
const shownText = "1.0 ml above, 2.0 ml below (faint), 3.0 ml under the bound (hatched).";
const calibration = { kind: "synthetic", n: 99, name: "r", warning: "p-values are invalid", thresholds: [{ one_in: 20, sd: 3 }] };
const saved = (views) => captionLines({ caseName: "a", crosshair: [1, 1, 1], display, views, zoom: 1, assessable: true, reasons: [], volumes: { scan }, findings: [], calibration, model: {}, software: {}, settings: { layer: "deviation", threshold: 3, maximum: 6, opacity: 1, window: [0, 1] } }, shownText).join("\n");
answer({
  sides, apart, went, outside: OUTSIDE,
  rare: [0.01, 0.5, 0.98].map((p) => rarityWords(p, calibration)),
  rates: [0.001, 0.0044, 0.014, 0.05, 0.07, 1e-7].map(percentUp),
  whom: ["synthetic", "healthy scans", undefined].map((kind) => healthyWords({ kind })),
  who: dialText({ n: 9, name: "x", thresholds: [{ one_in: 10, sd: 3 }] }),
  view: [viewText({ display, views: planes, zoom: 1 }), viewText({ display, views: solid, zoom: 1 })],
  right: [right({}), right({ difference: true }), right({ blink: { flipped: true } })],
  saved: saved(planes), saved3d: saved(solid),
});
