// Beside two pictures: the values at both crosshairs, and what changed between two scans.

import { element, section } from "./elements.js";
import { factsAt, formatMm, number, pText } from "./readout.js";
import { sideOf } from "./geometry.js";
import { jumpTo } from "./motion.js";
import { findingTitle } from "./panel.js";
import { besideThreshold } from "./upwards.js";

const DASH = "\u2013";
const EARLIER_FIRST = { Prior: (now, then) => [then, now], "Later scan": (now, then) => [now, then] };
// Measured on real scans and moved, noisier copies of them: nine of the same contrast, one of another.
const TRIALS = "In trials with moved copies of a scan, links were off by 0.1 to 0.5 mm on average; with another contrast, by 2 mm.";

export class PairTable {
  constructor(viewer) {
    this.viewer = viewer;
    this.body = element("tbody");
    const heads = ["", viewer.partner.kind === "mirror" ? "Scan" : "This case", viewer.partner.role];
    this.record = element("p", { class: "quiet", "data-record": true });
    const table = element("table", { class: "pair" }, [element("thead", {}, [element("tr", {}, heads.map((text) => (text ? element("th", { text, scope: "col" }) : element("td"))))]), this.body]);
    this.node = element("div", {}, [table, this.record]);
  }

  show() {
    const { viewer } = this, { partner, volumes } = viewer;
    const finding = viewer.findings[viewer.place], isMirror = partner.kind === "mirror";
    const here = factsAt(viewer.crosshair, { ...viewer, finding: isMirror ? finding : null }); // two scans are read one way
    const there = factsAt(partner.placeOf(viewer.apart || viewer.crosshair), { ...viewer, volumes: partner.volumes, structures: partner.structures, mirrorWorld: partner.mirrorWorld, finding: null });
    if (isMirror) Object.assign(there, { deviation: -here.deviation, asymmetry: -here.asymmetry, pathology: here.mirrorPathology });
    this.body.replaceChildren(...this.rows(here, there, volumes, partner).map(([name, title, left, right]) => element("tr", {}, [element("th", { text: title, scope: "row" }), element("td", { text: left, "data-left": name }), element("td", { text: right, "data-right": name })])));
    const words = isMirror ? "" : this.recordWords(finding);
    if (this.record.textContent !== words) this.record.textContent = words;
  }

  // What the findings say of this place, where the table says another number.
  recordWords(finding) {
    return finding ? `The record's deviation here: ${number(finding.deviation, 2)} SD. The table reads both scans between voxels, the same way.` : "";
  }

  rows(here, there, volumes, partner) {
    const span = volumes.scan.high - volumes.scan.low, digits = span >= 200 ? 0 : span >= 20 ? 1 : 2;
    const both = (name, title, words) => [name, title, words(here), words(there)];
    const rows = [
      both("mm", "x y z (mm)", (facts) => formatMm(facts.mm)),
      both("structure", "Structure", (facts) => facts.structure || DASH),
      both("side", "Side", (facts) => sideOf(facts.distance) || DASH),
      both("scan", "Scan", (facts) => number(facts.scan, digits)),
    ];
    if (partner.kind === "mirror") rows.push(["difference", "Difference", number(here.scan - there.scan, digits), ""]);
    if (volumes.deviation) rows.push(both("deviation", "Deviation (SD)", (facts) => number(facts.deviation, 2)));
    if (volumes.pathology) rows.push(both("pathology", "Pathology", (facts) => number(facts.pathology, 2)));
    return rows;
  }
}

// Volume of a finding, or that there is none, or that nobody could say.
function ml(finding, { assessable }) {
  if (!assessable) return "not assessable";
  return finding ? Number(finding.volume_ml).toFixed(1) : DASH;
}

// From the earlier scan to the later one; nothing where the order or the places are not known. What one
// record does not list may lie just below its threshold: it is not called new or gone.
export function change({ now, then }, { role, link }, assessable) {
  if (!link.matrix || link.doubtful || !assessable || !(role in EARLIER_FIRST)) return DASH;
  if (!now) return "not listed now";
  if (!then) return "not listed then";
  const [before, after] = EARLIER_FIRST[role](now, then);
  const difference = after.volume_ml - before.volume_ml;
  return `${difference > 0 ? "+" : ""}${number(difference, 1)}`;
}

// Largest deviation of a case, beside the threshold of its findings.
function largest({ deviation_max: deviation, peak_sd: peak }) {
  return Number.isFinite(deviation) ? `${besideThreshold(deviation, peak, 1)} SD` : DASH;
}

export function noFindings(now, then, role) {
  const missing = [!now.assessable && "this case", !then.assessable && `the ${role.toLowerCase()}`].filter(Boolean);
  if (missing.length) return `Not assessable: ${missing.join(" and ")}. What changed cannot be said.`;
  return "No findings in either scan. This does not mean normal.";
}

export class ChangesTable {
  constructor(viewer) {
    this.viewer = viewer;
    const { partner, visit } = viewer;
    const title = partner.role in EARLIER_FIRST ? "What changed" : "Both cases";
    this.node = section(title, [this.cases(visit, partner), this.findings(partner), ...this.remarks(partner)]);
  }

  cases(now, { role, visit: then }) {
    const facts = [["", "This case", role], ["Scan", now.title, then.title], ["Day", now.day, then.day], ["p-value", pText(now.p_value), pText(then.p_value)], ["Largest deviation", largest(now), largest(then)], ["Pathology", number(now.pathology_ml ?? NaN, 1, "ml"), number(then.pathology_ml ?? NaN, 1, "ml")]];
    return element("table", { class: "pair" }, facts.map(([title, left, right], n) => element("tr", {}, [element("th", { text: title, scope: "row" }), ...[left, right].map((text) => element(n ? "td" : "th", { text }))])));
  }

  findings(partner) {
    const { changes, role, visit: then } = partner, { visit: now } = this.viewer, other = role.split(" ")[0];
    if (!changes.length) return element("p", { class: "quiet", text: noFindings(now, then, role) });
    const head = element("tr", {}, ["Finding", "This ml", `${other} ml`, "Change"].map((text) => element("th", { text, scope: "col" })));
    const rows = changes.map((row) => {
      const found = row.now || row.then, button = element("button", { type: "button", class: "jump", text: findingTitle(found) + (row.across ? ` (at the mid-plane; ${row.then.side} then)` : "") });
      button.addEventListener("click", () => this.goTo(row));
      return element("tr", {}, [element("td", {}, [button]), ...[ml(row.now, now), ml(row.then, then), change(row, partner, now.assessable && then.assessable)].map((text) => element("td", { class: "number", text }))]);
    });
    return element("table", { class: "changes" }, [element("thead", {}, [head]), element("tbody", {}, rows)]);
  }

  remarks({ link, cautions, role }) {
    const sure = link.matrix && !link.doubtful;
    const same = sure ? `Findings are taken for the same when their peaks lie together, on the same side, under the automatic link. ${TRIALS}` : "Findings were not matched: there is no link that can be relied on.";
    const texts = [same, role in EARLIER_FIRST && "A change of a few ml need not be one of the patient: volumes depend on the scan, too."];
    return [...cautions.map((text) => element("p", { class: "caution", text })), ...texts.filter(Boolean).map((text) => element("p", { class: "quiet", text }))];
  }

  goTo({ now, then }) {
    const { viewer } = this, place = now ? viewer.findings.findIndex(({ rank }) => rank === now.rank) : -1;
    if (place >= 0) viewer.goToFinding(place);
    else jumpTo(viewer, viewer.partner.placeFrom(then.peak_mm));
  }
}
