// Controls of the heat layer: which one, the dial of rarity, its range, its three zones, and the outlines.

import { WAITING } from "./arrival.js";
import { LAYERS, digitsOf, rampColour } from "./colours.js";
import { Slider, checkBox, element, section } from "./elements.js";
import { drawLegend } from "./legend.js";
import { scaleTop, thresholdText, valueText } from "./ranges.js";
import { dialText, oneIn, rarityText, stepsReached } from "./rarity.js";
import { hasBound } from "./zones.js";

const ZONES = [
  { zone: "above", setting: null, text: "Above the threshold", shown: "full" },
  { zone: "below", setting: "showBelow", text: "Below the threshold", shown: "faint" },
  { zone: "under", setting: "showWithin", text: "Under the bound: may be the model", shown: "hatched" },
];

export class HeatControls {
  constructor(viewer) {
    this.viewer = viewer;
    this.sections = [this.heatSection(), this.outlineSection()].filter(Boolean);
  }

  heatSection() {
    const { viewer } = this, { settings } = viewer;
    const available = Object.keys(LAYERS).filter((layer) => viewer.volumes[layer]);
    if (!available.length) return section("Heat layer", [element("p", { class: "quiet", "data-waiting": viewer.waiting, text: viewer.waiting ? `${WAITING}. This picture shows the scan alone.` : "There is no map for this case." })]);
    this.select = element("select", { id: "medsym-layer", "aria-label": "Layer" }, available.map((layer) => element("option", { value: layer, text: LAYERS[layer].title })));
    this.select.addEventListener("change", () => viewer.setLayer(this.select.value));
    this.threshold = new Slider("threshold", "Threshold", (threshold) => viewer.set({ threshold, maximum: Math.max(settings.maximum, threshold) }));
    this.maximum = new Slider("maximum", "Full colour", (maximum) => viewer.set({ maximum, threshold: Math.min(settings.threshold, maximum) }));
    this.opacity = new Slider("opacity", "Opacity", (percent) => viewer.set({ opacity: percent / 100 }));
    this.legend = element("canvas", { class: "legend", role: "img" });
    this.observer = new ResizeObserver(([{ contentRect: { width } }]) => { // to ask for it in every picture lays the page out twice
      if (width === this.wide) return;
      this.wide = width;
      viewer.draw();
    });
    this.observer.observe(this.legend);
    this.shown = element("p", { class: "unseen", role: "status" });
    const both = checkBox("showLess", settings.showLess, (showLess) => viewer.set({ showLess }));
    this.boxes = { showLess: both };
    this.bothRow = element("div", { class: "check" }, [both, element("label", { text: "Show the mirror side too (blue)", for: both.id })]);
    return section("Heat layer", [
      element("div", { class: "slider" }, [element("label", { text: "Layer", for: "medsym-layer" }), this.select]),
      this.dial(), this.threshold.node, this.maximum.node, this.opacity.node, this.legend, this.zones(), this.bothRow, this.shown,
    ]);
  }

  // The dial of rarity sets the threshold of the deviation, and follows it.
  dial() {
    const { viewer } = this, { thresholds } = viewer.calibration;
    this.dialWords = element("p", { class: "rarity", id: "medsym-rarity-text" });
    this.rarity = new Slider("rarity", "Rarity", (reached) => viewer.set(this.atStep(reached)));
    this.rarity.input.setAttribute("aria-describedby", this.dialWords.id);
    const who = element("p", { class: "quiet", "data-dial": thresholds?.length ? "on" : "off", title: viewer.calibration.caution || undefined, text: dialText(viewer.calibration) });
    this.dialRow = element("div", {}, thresholds?.length ? [this.rarity.node, this.dialWords] : []);
    this.whoRow = who;
    return element("div", {}, [this.dialRow, who]);
  }

  atStep(reached) {
    const { viewer } = this, { thresholds } = viewer.calibration;
    const threshold = reached > 0 ? thresholds[reached - 1].sd : Math.min(viewer.notable(), thresholds[0].sd / 2);
    return { threshold, maximum: Math.max(viewer.settings.maximum, threshold) };
  }

  zones() {
    const { viewer } = this;
    this.amounts = {};
    this.zoneRows = {};
    const rows = ZONES.map(({ zone, setting, text, shown }) => {
      const amount = element("output", { "data-ml": zone });
      const box = setting ? this.boxes[setting] = checkBox(setting, viewer.settings[setting], (on) => viewer.set({ [setting]: on })) : element("span");
      const name = element("label", { for: setting ? box.id : undefined }, [element("span", { text: `${text} ` }), element("small", { text: `(${shown})` })]);
      this.amounts[zone] = amount;
      this.zoneRows[zone] = element("div", { class: "zoneRow", "data-of": zone }, [box, element("span", { class: "swatch" }), name, amount]);
      return this.zoneRows[zone];
    });
    return element("div", { class: "zones", role: "group", "aria-label": "Zones of the heat layer" }, rows);
  }

  outlineSection() {
    const { viewer } = this;
    if (!viewer.volumes.anatomy) return null;
    const box = checkBox("outlines", viewer.display.outlines, () => viewer.toggle("outlines"));
    this.outlines = box;
    this.outlineOpacity = new Slider("outlineOpacity", "Opacity", (percent) => viewer.set({ outlineOpacity: percent / 100 }));
    return section("Outlines", [element("div", { class: "check" }, [box, element("label", { text: "Outlines of the structures", for: box.id })]), this.outlineOpacity.node]);
  }

  showVolumes(volumes, sentence) {
    this.shown.textContent = sentence;
    for (const [zone, amount] of Object.entries(this.amounts)) amount.textContent = volumes ? `${volumes[zone].toFixed(1)} ml` : "";
  }

  show() {
    const { viewer } = this, { settings } = viewer;
    if (this.outlines) {
      this.outlines.checked = viewer.display.outlines;
      this.outlineOpacity.node.hidden = !viewer.display.outlines;
      this.outlineOpacity.set({ min: 10, max: 100, step: 1, value: settings.outlineOpacity * 100, text: `${Math.round(settings.outlineOpacity * 100)} %` });
    }
    if (!this.select) return;
    const layer = LAYERS[settings.layer], labels = Boolean(layer.labels), zoned = Boolean(layer.bound && hasBound(viewer.volumes));
    for (const node of [this.threshold.node, this.maximum.node, this.legend, this.zoneRows.above.parentElement]) node.hidden = labels;
    for (const [setting, box] of Object.entries(this.boxes)) box.checked = settings[setting];
    this.dialRow.hidden = settings.layer !== "deviation";
    this.whoRow.hidden = !["deviation", "rarity"].includes(settings.layer);
    this.zoneRows.under.hidden = !zoned;
    this.bothRow.hidden = !layer.signed;
    this.opacity.set({ min: 0, max: 100, step: 1, value: settings.opacity * 100, text: `${Math.round(settings.opacity * 100)} %` });
    if (labels) return;
    for (const [name, share] of [["--deep", 0.3], ["--bright", 0.95]]) this.zoneRows.above.parentElement.style.setProperty(name, rampColour(layer.positive, share));
    this.showRange(layer);
    drawLegend(this.legend, settings, this.wide ||= this.legend.clientWidth);
  }

  showRange(layer) {
    const { viewer } = this, { settings } = viewer, top = scaleTop(settings.layer, viewer), digits = digitsOf(layer, top);
    const { threshold, maximum } = settings, range = { min: 0, max: top, step: 10 ** -digits };
    this.threshold.set({ ...range, value: threshold, text: thresholdText(layer, threshold, digits) });
    this.maximum.set({ ...range, value: maximum, text: valueText(layer, maximum, threshold, digits) });
    const steps = viewer.calibration.thresholds || [];
    if (!steps.length) return;
    const reached = stepsReached(steps, settings.threshold), words = rarityText(viewer.calibration, reached);
    this.rarity.set({ min: 0, max: steps.length, step: 1, value: reached, text: oneIn(steps, reached) });
    if (this.dialWords.textContent !== words) this.dialWords.textContent = words;
  }
}
