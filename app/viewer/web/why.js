// Why a finding was flagged: the place beside its mirror place, the healthy range, the bound by layer.
// The words come with the case (app/why.py); this file draws.

import { element } from "./elements.js";
import { Patch } from "./patch.js";

// The name of SVG is an address; taken from the browser, no file here holds one.
const SVG = Object.assign(document.createElement("div"), { innerHTML: "<svg></svg>" }).firstChild.namespaceURI;
const STRIP = { width: 420, height: 62, left: 8, right: 412 };
const FAILED = "The words of this panel could not be loaded; reload the page.";

export class Why {
  constructor(viewer, url) {
    Object.assign(this, { viewer, url, place: -1 });
    this.title = element("h2", { id: "medsym-why" });
    this.words = element("p", { class: "sentence", role: "status" });
    this.facts = element("div", { class: "facts" });
    this.patches = ["axial", "coronal"].flatMap((plane) => [new Patch(plane), new Patch(plane, { mirrored: true })]);
    const button = (text, act) => {
      const made = element("button", { type: "button", text });
      made.addEventListener("click", act);
      return made;
    };
    this.steps = [button("Previous finding", () => viewer.nextFinding(-1)), button("Next finding", () => viewer.nextFinding(1))];
    this.end = button("Close", () => this.close());
    this.node = element("div", { class: "why", role: "dialog", "aria-labelledby": "medsym-why", hidden: true }, [
      element("header", {}, [this.title, ...this.steps, this.end]),
      this.words,
      element("div", { class: "reasons" }, [element("div", { class: "patches" }, this.patches.map((patch) => patch.node)), this.facts]),
    ]);
    this.node.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" && event.key !== "w") return;
      event.stopPropagation();
      this.close();
    });
  }

  get isOpen() {
    return !this.node.hidden;
  }

  // The finding at the crosshair, else the first one.
  toggle() {
    if (this.isOpen) this.close();
    else if (this.viewer.findings.length) this.open(Math.max(this.viewer.place ?? 0, 0));
  }

  open(place) {
    this.opener = this.node.getRootNode().activeElement;
    if (this.viewer.views && this.viewer.views.name !== "planes") this.viewer.views.show("planes"); // the panel lies over them
    this.node.hidden = false;
    if (place !== this.viewer.place) this.viewer.goToFinding(place);
    this.show(place);
    this.end.focus();
    this.viewer.draw();
  }

  close() {
    this.node.hidden = true;
    this.opener?.focus?.();
    this.viewer.draw();
  }

  // The crosshair came to a finding (or to none: then the panel keeps what it shows).
  follow(place) {
    if (this.isOpen && place >= 0 && place !== this.place) this.show(place);
  }

  async show(place) {
    this.place = place;
    const { rank, side, structure } = this.viewer.findings[place], count = this.viewer.findings.length;
    this.title.textContent = `Why: finding ${rank} of ${count}, ${side}, ${String(structure || "outside named structures").replaceAll("-", " ").toLowerCase()}`;
    for (const step of this.steps) step.hidden = count < 2;
    this.found ||= fetch(this.url, { cache: "no-store", credentials: "same-origin" }).then((answer) => (answer.ok ? answer.json() : null)).catch(() => null);
    const all = await this.found, found = all?.[rank];
    if (!all) this.found = null; // asked for again next time
    if (this.place !== place) return;
    this.words.textContent = found ? found.sentence : FAILED;
    this.facts.replaceChildren(...(found ? [...strip(found.strip), ...layers(found), table(found.rows)] : []));
    this.node.dataset.rank = rank;
  }

  draw(scene) {
    if (!this.isOpen || this.place < 0) return;
    const finding = this.viewer.findings[this.place];
    for (const patch of this.patches) patch.show(scene, finding);
  }
}

function part(title, children) {
  return element("section", { "aria-label": title }, [element("h3", { text: title }), ...children]);
}

function table(rows) {
  const list = element("dl", { class: "numbers" }, rows.flatMap(([label, text]) => [element("dt", { text: label }), element("dd", { text })]));
  return part("Numbers", [list]);
}

// Share of the bound by layer: bars that add up to the whole.
function layers({ layers: found, layers_words: words }) {
  const rows = found.map(([name, share, text]) => {
    const bar = element("div", { class: "bar" });
    bar.style.width = `${100 * share}%`;
    return element("tr", {}, [element("th", { scope: "row", text: name }), element("td", { class: "bars" }, [bar]), element("td", { class: "number", "data-share": String(share), text })]);
  });
  const shares = rows.length ? [element("table", { class: "shares" }, [element("tbody", {}, rows)])] : [];
  return [part("Which layers could have made it: shares of the bound here", [...shares, element("p", { class: "quiet", "data-layers": true, text: words })])];
}

function drawn(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}

// Healthy mean and two standard deviations at this place, this case and the threshold, in nats.
function strip(about) {
  if (!about) return [];
  const { mean, sd, value, threshold, words } = about;
  const ends = [mean - 3 * sd, mean + 3 * sd, value, threshold ?? value], low = Math.min(...ends), high = Math.max(...ends);
  const at = (nats) => STRIP.left + ((nats - low) / (high - low || 1)) * (STRIP.right - STRIP.left);
  const anchor = (x) => (x < 60 ? "start" : x > STRIP.width - 60 ? "end" : "middle");
  const label = (nats, y, text, name) => drawn("text", { x: at(nats), y, "text-anchor": anchor(at(nats)), class: name }, text);
  const line = (nats, name) => drawn("line", { x1: at(nats), x2: at(nats), y1: 20, y2: 44, class: name });
  const picture = drawn("svg", { viewBox: `0 0 ${STRIP.width} ${STRIP.height}`, role: "img", "aria-label": words, class: "strip" });
  const band = drawn("rect", { x: at(mean - 2 * sd), width: Math.max(1, at(mean + 2 * sd) - at(mean - 2 * sd)), y: 24, height: 16, class: "healthy" });
  picture.append(drawn("line", { x1: STRIP.left, x2: STRIP.right, y1: 32, y2: 32, class: "axis" }), band, line(mean, "mean"), label(mean, 57, "healthy, \u00b12 SD", "name"));
  if (threshold !== null) picture.append(line(threshold, "threshold"), label(threshold, 57, "threshold", "name"));
  picture.append(drawn("circle", { cx: at(value), cy: 32, r: 6, class: "case" }), label(value, 14, "this case", "case"));
  return [part("Healthy range at this place (regional asymmetry)", [picture, element("p", { class: "quiet", text: words })])];
}
