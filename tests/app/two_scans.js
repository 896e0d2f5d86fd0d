// Asked of the browser's modules by test_two_scans.py.

const made = () => ({ dataset: {}, firstChild: {}, getAttribute() {}, setAttribute() {}, append() {}, replaceChildren(...rows) { this.rows = rows; } });
globalThis.document = { createElement: made };
const { Volume } = await import("./volume.js");
const { priorPartner, mirrorPartner } = await import("./compare_partner.js");
const { CompareViewer } = await import("./compare.js");
const { PairTable } = await import("./compare_panel.js");
const { words } = await import("./readout.js");
const { Rulers, lengthText } = await import("./ruler.js");
const { Toolbar } = await import("./toolbar.js");

// A scan beside itself: voxels at x = -1 and 1, whose peak is larger in the record than on the grid.
const grid = { shape: [2, 2, 2], spacing: 2, origin: [-1, -1, -1], slope: 0.001, intercept: 0, low: -4, high: 4 };
const stored = Int16Array.from({ length: 8 }, (_, n) => (n % 2 ? 4000 : -4000));
const bytes = new Uint8Array([...new TextEncoder().encode("MEDSYMV1"), ...new Uint8Array(stored.buffer)]);
globalThis.fetch = async () => ({ ok: true, arrayBuffer: async () => bytes.buffer });
const mirrorWorld = [[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]];
const same = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]];
const kinds = { scan: grid, deviation: grid, pathology: grid };
const finding = { peak_mm: [0.8, 0, 0], deviation: 9, pathology: 0.9 };
const partnerOf = async (thresholds, volumes = kinds) => {
  const partner = await priorPartner({ link: { matrix: same, overlap: 0.9 }, role: "Prior", case: "b",
    visit: { day: "2020-01-01" }, volumes, structures: {}, mirror_world: mirrorWorld, thresholds });
  partner.startAt({ scan: new Volume(grid, stored) }, mirrorWorld);
  return partner;
};
const volumes = { scan: new Volume(grid, stored), deviation: new Volume(grid, stored), pathology: new Volume(grid, stored) };
const viewerOf = (partner, more = {}) => ({ partner, volumes, structures: {}, mirrorWorld, crosshair: [0.8, 0, 0], findings: [finding],
  place: 0, apart: null, blink: {}, calibration: {}, display: { overlay: true }, settings: { layer: "rarity" }, ...more });
const table = (viewer) => {
  const pair = new PairTable(viewer), rows = {};
  pair.rows = (here, there) => { Object.assign(rows, { here: here.deviation, there: there.deviation, pathology: [here.pathology, there.pathology] }); return []; };
  pair.show();
  return { ...rows, record: pair.record.textContent };
};
const steps = [{ one_in: 2, sd: 1 }];
const [full, bare] = [await partnerOf(steps), await partnerOf(undefined)];
const mirror = mirrorPartner({ volumes, structures: {}, mirrorWorld });
mirror.startAt(volumes, mirrorWorld);
const caption = (partner, more) => CompareViewer.prototype.captionLines.call(viewerOf(partner, more))[0];

const rulers = new Rulers(), along = (to) => ({ from: [0, 0, 0], to: [to, 0, 0] });
const view = { toScreen: (mm) => [10 * mm[0], 10 * mm[1]], pixelsPerMm: 10 };
const pane = { plane: "axial", ratio: 1, view };
rulers.add(pane, [0, 0, 0], [10, 0, 0]);
rulers.add(pane, [0, 9, 0], [5, 9, 0]);
const bar = { viewer: { rulers, display: {}, settings: {}, hold() {} }, toggles: { overlay: made(), radiological: made(), noseLeft: made() }, tools: {}, clear: {}, measured: {}, name: (node, text) => { node.textContent = text; } };
const said = () => { Toolbar.prototype.show.call(bar); return bar.measured.textContent; };
const lengths = [said()];
const { ruler, end } = rulers.hold(pane, { crosshair: [0, 0, 0], volumes }, [100, 1]);
ruler[end] = [30, 0, 0];
lengths.push(said());

answer({
  prior: table(viewerOf(full)), mirror: table(viewerOf(mirror)), beside: table(viewerOf(mirror, { crosshair: [-0.8, 0, 0], place: -1 })),
  rarity: [full, bare].map((partner) => partner.volumes.rarity?.linear([0.8, 0, 0]) ?? null),
  lacks: [full.lacks(viewerOf(full)), bare.lacks(viewerOf(bare)), bare.lacks(viewerOf(bare, { display: { overlay: false } }))],
  captions: [caption(full), caption(bare), caption(full, { apart: [0.2, -0.4, 0.6] })],
  scan: words({ mm: [0, 0, 0], scan: 1, mirrorScan: 1 }, volumes).find(({ values }) => values?.[0][1] === "scan"),
  lengths,
});
