// The column beside the planes: readout, findings, heatmap and scan sliders. Text is never markup.

import { LAYERS, digitsOf } from "./colours.js";
import { keyRows } from "./keys.js";
import { drawLegend } from "./legend.js";
import { shownZone, words, zoneOfFinding, zoneText } from "./readout.js";

export function element(tag, { text, ...attributes } = {}, children = []) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

export function section(title, children) {
  return element("section", { "aria-label": title }, [element("h3", { text: title }), ...children]);
}

// Structure names of the table carry their side already, as a rule.
function findingTitle({ side, structure }) {
  const name = String(structure || "outside named structures").replaceAll("-", " ").toLowerCase();
  return name.includes(side) ? name : `${side}, ${name}`;
}

// What makes a finding, and how often that happens in healthy people.
function peakText({ peak_sd: peak, extent_sd: extent, false_alarm_rate: rate }, compared) {
  if (!peak) return "";
  const often = Number.isFinite(rate) && rate !== null ? `; at most ${(100 * rate).toFixed(0)} % of scans like ${compared ? `those of ${compared}` : "the healthy (synthetic) reference"} have one` : "; how often healthy scans have one is not known";
  const down = extent ? `extends down to ${extent.toFixed(1)} SD` : "extends below that";
  return `A finding reaches ${peak.toFixed(1)} SD and ${down}${often}.`;
}

// How often a healthy scan deviates as far anywhere; a dash where nobody can say.
function pText(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(2))) : "\u2013";
}

export class Panel {
  constructor(viewer) {
    this.viewer = viewer;
    this.readout = element("dl", { class: "readout" });
    this.zone = element("div", { class: "zone", role: "status" });
    this.legend = element("canvas", { class: "legend", role: "img" });
    this.shown = element("p", { class: "shown", role: "status" });
    this.sliders = {};
    this.node = element("aside", { class: "panel", "aria-label": "Values and controls" }, [
      section("At the crosshair", [this.readout, this.zone]),
      this.findingsSection(),
      this.heatmapSection(),
      this.scanSection(),
      this.helpSection(),
    ]);
  }

  slider(name, label, { change }) {
    const input = element("input", { type: "range", id: `medsym-${name}`, "data-slider": name });
    const output = element("output", { for: `medsym-${name}` });
    input.addEventListener("input", () => change(Number(input.value)));
    this.sliders[name] = { input, output };
    return element("div", { class: "slider" }, [element("label", { text: label, for: `medsym-${name}` }), input, output]);
  }

  setSlider(name, { min, max, step, value, text }) {
    const { input, output } = this.sliders[name];
    Object.assign(input, { min, max, step });
    input.value = value;
    output.textContent = text;
    input.setAttribute("aria-valuetext", text);
    const filled = max > min ? (100 * (Math.min(Math.max(value, min), max) - min)) / (max - min) : 0;
    input.style.setProperty("--filled", `${filled}%`);
  }

  check(setting, label) {
    const { viewer } = this, id = `medsym-${setting}`;
    const box = element("input", { type: "checkbox", id, checked: viewer.settings[setting] });
    box.addEventListener("change", () => viewer.set({ [setting]: box.checked }));
    return element("div", { class: "check" }, [box, element("label", { text: label, for: id })]);
  }

  findingsSection() {
    const { viewer } = this;
    const findings = viewer.findings;
    if (!findings.length) return section("Findings", this.noFindings());
    const head = element("tr", {}, ["", "Place", "SD", "p", "ml", ...(viewer.why ? [""] : [])].map((text) => element("th", { text, scope: "col" })));
    this.rows = findings.map((found, place) => {
      const button = element("button", { type: "button", class: "jump", "data-finding": String(found.rank), text: findingTitle(found) });
      button.addEventListener("click", () => viewer.goToFinding(place));
      const zone = zoneOfFinding(found);
      const mark = element("span", { class: `dot ${zone}`, title: zoneText(zone) });
      return element("tr", {}, [element("td", {}, [mark]), element("td", {}, [button]), element("td", { class: "number", text: Number(found.deviation).toFixed(1) }), element("td", { class: "number", "data-p": String(found.rank), text: pText(found.p_value) }), element("td", { class: "number", text: Number(found.volume_ml).toFixed(1) }), ...this.whyCell(found, place)]);
    });
    const table = element("table", {}, [element("thead", {}, [head]), element("tbody", {}, this.rows)]);
    return section("Findings", [element("div", { class: "scroll" }, [table]), ...this.comparison()]);
  }

  whyCell({ rank }, place) {
    if (!this.viewer.why) return [];
    const button = element("button", { type: "button", class: "ask", "data-why": String(rank), "aria-label": `Why finding ${rank}`, title: "Why this was flagged (w)", text: "Why" });
    button.addEventListener("click", () => this.viewer.why.open(place));
    return [element("td", {}, [button])];
  }

  noFindings() {
    const { viewer } = this;
    if (!viewer.assessable) return [element("p", { class: "quiet", text: "Not assessable." })];
    const words = element("p", { class: "quiet", text: "None above the reporting threshold. This does not mean normal." });
    if (!viewer.largest) return [words, ...this.comparison()];
    const button = element("button", { type: "button", class: "jump", "data-largest": true, text: "Go to the largest deviation (below the threshold)" });
    button.addEventListener("click", () => viewer.moveTo(viewer.largest, { recentre: true }));
    return [words, button, ...this.comparison()];
  }

  // With whom the scan was compared, and why a p-value is missing or doubtful.
  comparison() {
    const { comparedWith, calibration } = this.viewer;
    if (!comparedWith) return [];
    const texts = [`p: compared with ${comparedWith}.`, calibration.reason && `No p-value: ${calibration.reason}.`, calibration.warning && `Warning: ${calibration.warning}.`];
    return texts.filter(Boolean).map((text) => element("p", { class: "quiet", "data-comparison": true, text }));
  }

  heatmapSection() {
    const { viewer } = this, { settings } = viewer;
    const available = Object.keys(LAYERS).filter((layer) => viewer.volumes[layer]);
    if (!available.length) return section("Heatmap", [element("p", { class: "quiet", text: "There is no map for this case." })]);
    const select = element("select", { id: "medsym-layer", "aria-label": "Layer" }, available.map((layer) => element("option", { value: layer, text: LAYERS[layer].title })));
    select.addEventListener("change", () => viewer.setLayer(select.value));
    this.select = select;
    this.withinRow = this.check("showWithin", "Show what is within the bound (hatched)");
    this.lessRow = this.check("showLess", "Show the mirror side too (blue)");
    return section("Heatmap", [
      element("div", { class: "slider" }, [element("label", { text: "Layer", for: "medsym-layer" }), select, element("span")]),
      this.slider("threshold", "Threshold", { change: (threshold) => viewer.set({ threshold, maximum: Math.max(settings.maximum, threshold) }) }),
      this.slider("maximum", "Full colour", { change: (maximum) => viewer.set({ maximum, threshold: Math.min(settings.threshold, maximum) }) }),
      this.slider("opacity", "Opacity", { change: (percent) => viewer.set({ opacity: percent / 100 }) }),
      this.withinRow, this.lessRow, this.legend, this.shown,
      element("p", { class: "quiet", text: peakText(viewer.peak, viewer.comparedWith), hidden: !viewer.peak.peak_sd }),
    ]);
  }

  scanSection() {
    const { viewer } = this;
    const presets = viewer.presets().map(([name, window]) => {
      const button = element("button", { type: "button", text: name });
      button.addEventListener("click", () => viewer.set({ window }));
      return button;
    });
    return section("Scan", [
      this.slider("window", "Window", { change: (width) => viewer.setWindow({ width }) }),
      this.slider("level", "Level", { change: (level) => viewer.setWindow({ level }) }),
      element("div", { class: "presets", role: "group", "aria-label": "Window presets" }, presets),
    ]);
  }

  helpSection() {
    const list = element("dl", { class: "readout" }, keyRows({ without: ["list", this.viewer.ownKeys ? "" : "compare"] }).flatMap(([keys, what]) => [element("dt", { text: keys }), element("dd", { text: what })]));
    return element("details", { class: "help" }, [element("summary", { text: "Mouse and keys" }), list]);
  }

  showFacts(facts) {
    const { viewer } = this, zone = viewer.assessable ? shownZone(facts.zone, facts.deviation, viewer.notable()) : null;
    this.readout.replaceChildren(...words(facts, viewer.volumes).flatMap(([label, text, name]) => [element("dt", { text: label }), element("dd", { text, "data-value": name })]));
    const text = viewer.assessable ? zoneText(zone) : "Not assessable: no map";
    if (this.zone.textContent !== text) this.zone.textContent = text; // announced only when it changes
    this.zone.dataset.zone = zone || "none";
  }

  showSettings() {
    const { settings, volumes } = this.viewer, scan = volumes.scan, span = scan.high - scan.low || 1;
    const width = settings.window[1] - settings.window[0], level = (settings.window[0] + settings.window[1]) / 2;
    const digits = span >= 200 ? 0 : span >= 20 ? 1 : 2;
    this.setSlider("window", { min: span / 500, max: span, step: span / 500, value: width, text: width.toFixed(digits) });
    this.setSlider("level", { min: scan.low, max: scan.high, step: span / 500, value: level, text: level.toFixed(digits) });
    if (!this.sliders.threshold) return;
    const layer = LAYERS[settings.layer], labels = Boolean(layer.labels);
    for (const name of ["threshold", "maximum"]) this.sliders[name].input.parentElement.hidden = labels;
    this.withinRow.hidden = !(layer.bound && volumes.bound);
    this.lessRow.hidden = !layer.signed;
    this.legend.hidden = labels;
    this.setSlider("opacity", { min: 0, max: 100, step: 1, value: settings.opacity * 100, text: `${Math.round(settings.opacity * 100)} %` });
    if (labels) return;
    const top = this.viewer.scaleTop(), decimals = digitsOf(layer, top);
    for (const name of ["threshold", "maximum"]) {
      const value = settings[name];
      this.setSlider(name, { min: 0, max: top, step: 10 ** -decimals, value, text: `${value.toFixed(decimals)} ${layer.unit}` });
    }
    drawLegend(this.legend, settings, { zones: Boolean(layer.bound && volumes.bound) });
  }

  showFinding(place) {
    this.rows?.forEach((row, n) => row.setAttribute("aria-current", String(n === place)));
  }
}
