// The column beside the planes: readout, findings, heat layer, scan. Text is never markup.

import { WAITING } from "./arrival.js";
import { Slider, element, section } from "./elements.js";
import { HeatControls } from "./heat.js";
import { keyRows } from "./keys.js";
import { pText, words } from "./readout.js";
import { besideThreshold, percentUp, thresholdUp } from "./upwards.js";
import { windowPresets } from "./window.js";
import { shownZone, zoneOfFinding, zoneText } from "./zones.js";

// Structure names of the table carry their side already, as a rule.
export function findingTitle({ side, structure }) {
  const name = String(structure || "outside named structures").replaceAll("-", " ").toLowerCase();
  return name.includes(side) ? name : `${side}, ${name}`;
}

// What makes a finding, and how often that happens where there is none to find.
function peakText({ peak_sd: peak, extent_sd: extent, false_alarm_rate: rate }, compared) {
  if (!peak) return "";
  const often = Number.isFinite(rate) && rate !== null ? `; at most ${percentUp(rate)} % of scans like ${compared ? `those of ${compared}` : "the reference"} have one` : "; how often is not known";
  const down = extent ? `extends down to ${thresholdUp(extent, 1)} SD` : "extends below that";
  return `A finding reaches ${thresholdUp(peak, 1)} SD and ${down}${often}.`;
}

function readoutRow({ label, meaning, heads, values }) {
  if (heads) return [element("dt", { class: "heads" }), ...heads.map((text) => element("dd", { class: "heads", text }))];
  const alone = values.length === 1 ? "alone" : undefined;
  return [element("dt", { text: label, title: meaning }), ...values.map(([text, name]) => element("dd", { text, class: alone, "data-value": name }))];
}

export class Panel {
  constructor(viewer) {
    this.viewer = viewer;
    this.readout = element("dl", { class: "readout" });
    this.zone = element("div", { class: "zone", role: "status" });
    this.heat = new HeatControls(viewer);
    this.node = element("aside", { class: "panel", "aria-label": "Values and controls" }, [
      section("At the crosshair", [this.readout, this.zone]),
      this.findingsSection(),
      ...this.heat.sections,
      this.scanSection(),
      this.helpSection(),
    ]);
  }

  findingsSection() {
    const { viewer } = this;
    const findings = viewer.findings;
    if (!findings.length) return section("Findings", this.noFindings());
    const head = element("tr", {}, [["Zone", "unseen"], ["Place"], ["SD"], ["p"], ["ml"], ...(viewer.why ? [["Reasons", "unseen"]] : [])].map(([text, shown]) => element("th", { scope: "col" }, [element("span", { text, class: shown })])));
    this.rows = findings.map((found, place) => {
      const button = element("button", { type: "button", class: "jump", "data-finding": String(found.rank), text: findingTitle(found) });
      button.addEventListener("click", () => viewer.goToFinding(place));
      const zone = zoneOfFinding(found);
      const mark = element("span", { class: `dot ${zone}`, role: "img", "aria-label": zoneText(zone), title: zoneText(zone) });
      return element("tr", {}, [element("td", {}, [mark]), element("td", {}, [button]), element("td", { class: "number", text: besideThreshold(Number(found.deviation), viewer.peak.peak_sd, 1) }), element("td", { class: "number", "data-p": String(found.rank), text: pText(found.p_value) }), element("td", { class: "number", text: Number(found.volume_ml).toFixed(1) }), ...this.whyCell(found, place)]);
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
    const words = element("p", { class: "quiet", text: "No place that is large enough exceeds both the threshold and the bound. This does not mean normal." });
    if (!viewer.largest) return [words, ...this.comparison()];
    const button = element("button", { type: "button", class: "jump", "data-largest": true, text: "Go to the largest deviation" });
    button.addEventListener("click", () => viewer.moveTo(viewer.largest, { recentre: true }));
    return [words, button, ...this.comparison()];
  }

  // With whom the scan was compared, and why a p-value is missing or doubtful.
  comparison() {
    const { comparedWith, calibration, peak } = this.viewer;
    if (!comparedWith) return [];
    const texts = [peakText(peak, comparedWith), !Number.isFinite(peak.false_alarm_rate) && `Compared with ${comparedWith}.`, calibration.reason && `No p-value: ${calibration.reason}.`, calibration.warning && `Warning: ${calibration.warning}.`];
    return texts.filter(Boolean).map((text) => element("p", { class: "quiet", "data-comparison": true, text }));
  }

  scanSection() {
    const { viewer } = this;
    const presets = windowPresets(viewer.volumes.scan).map(([name, window]) => {
      const button = element("button", { type: "button", text: name });
      button.addEventListener("click", () => viewer.set({ window }));
      return button;
    });
    this.width = new Slider("window", "Window", (width) => viewer.setWindow({ width }));
    this.level = new Slider("level", "Level", (level) => viewer.setWindow({ level }));
    return section("Scan", [
      this.width.node,
      this.level.node,
      element("div", { class: "presets", role: "group", "aria-label": "Window presets" }, presets),
    ]);
  }

  helpSection() {
    const list = element("dl", { class: "readout" }, keyRows({ without: ["list", this.viewer.ownKeys ? "" : "compare"] }).flatMap(([keys, what]) => [element("dt", { text: keys }), element("dd", { text: what })]));
    return element("details", { class: "help" }, [element("summary", { text: "Mouse and keys" }), list]);
  }

  showFacts(facts) {
    const { viewer } = this, zone = viewer.assessable ? shownZone(facts.zone, facts.deviation, viewer.notable()) : null;
    const rows = words(facts, viewer.volumes), key = JSON.stringify(rows);
    if (key !== this.readout.key) this.readout.replaceChildren(...rows.flatMap(readoutRow)); // a slider changes nothing here
    this.readout.key = key;
    const text = !viewer.assessable ? "Not assessable: no map" : viewer.waiting ? WAITING : zoneText(zone);
    if (this.zone.textContent !== text) this.zone.textContent = text; // announced only when it changes
    this.zone.dataset.zone = (!viewer.waiting && zone) || "none";
  }

  showSettings() {
    const { settings, volumes } = this.viewer, scan = volumes.scan, span = scan.high - scan.low || 1;
    const width = settings.window[1] - settings.window[0], level = (settings.window[0] + settings.window[1]) / 2;
    const digits = span >= 200 ? 0 : span >= 20 ? 1 : 2;
    this.width.set({ min: span / 500, max: span, step: span / 500, value: width, text: width.toFixed(digits) });
    this.level.set({ min: scan.low, max: scan.high, step: span / 500, value: level, text: level.toFixed(digits) });
    this.heat.show();
  }

  // The controls of maps that have arrived; what else has the focus keeps it.
  takeMaps() {
    const old = this.heat.sections;
    this.heat = new HeatControls(this.viewer);
    old[0].before(...this.heat.sections);
    for (const part of old) part.remove();
  }

  showFinding(place) {
    this.rows?.forEach((row, n) => row.setAttribute("aria-current", String(n === place)));
  }
}
