// Two pictures side by side: a scan and its own mirror, or a scan and another one of the same person.

import { CompareBar } from "./compare_bar.js";
import { Blink } from "./compare_blink.js";
import { ComparePane } from "./compare_pane.js";
import { ChangesTable, PairTable } from "./compare_panel.js";
import { mirrorPartner, priorPartner } from "./compare_partner.js";
import { PLANES } from "./geometry.js";
import { lastPlaces, mount } from "./mount.js";
import { Viewer } from "./viewer.js";

export const LAYOUTS = [...Object.keys(PLANES), "all"];

export function render(component) {
  mount(component, CompareViewer);
}

export class CompareViewer extends Viewer {
  viewNames = ["planes"];

  async start(data) {
    Object.assign(this, { visit: data.visit, layout: "axial", difference: false, apart: null, blink: new Blink(this) });
    const beside = data.beside ? await priorPartner(data.beside) : null;
    if (this.ended) return;
    this.partner = beside;
    const known = data.linked_finding === null && lastPlaces.get(data.case);
    await super.start(known ? { ...data, crosshair_mm: known } : data);
  }

  makePanes() {
    this.partner ||= mirrorPartner(this);
    this.partner.startAt(this.volumes, this.mirrorWorld);
    this.left = Object.keys(PLANES).map((plane) => new ComparePane(plane, "left"));
    this.right = Object.keys(PLANES).map((plane) => new ComparePane(plane, "right"));
    return [...this.left, ...this.right];
  }

  build() {
    super.build();
    this.toolbar.toggles.mirror?.remove();
    this.bar = new CompareBar(this);
    this.toolbar.node.append(this.bar.node);
    this.pair = new PairTable(this);
    this.panel.readout.before(this.pair.node);
    this.panel.readout.hidden = true;
    if (this.partner.changes) {
      this.changes = new ChangesTable(this);
      this.panel.node.children[0].after(this.changes.node);
    }
  }

  destroy() {
    this.blink.stop();
    super.destroy();
  }

  arrange() {
    this.stage.dataset.layout = this.layout === "all" ? "all" : "one";
    for (const pane of this.panes) pane.canvas.hidden = this.layout !== "all" && pane.plane !== this.layout;
  }

  // Commands of the right-hand planes act on the right-hand crosshair while the two are apart.
  commandsOf(pane) {
    if (!this.right.includes(pane)) return this;
    const own = { moveTo: (mm, options) => this.moveBeside(mm, options) };
    return new Proxy(this, {
      get: (viewer, name) => {
        if (name === "crosshair") return viewer.apart || viewer.crosshair;
        const value = own[name] || viewer[name];
        return typeof value === "function" && !own[name] ? value.bind(viewer) : value;
      },
    });
  }

  // Places are kept in the world of the scan on review, for both sides.
  moveBeside(mm, options) {
    if (!this.apart) return this.moveTo(mm, options);
    this.apart = this.volumes.scan.clamp(mm);
    return this.draw();
  }

  sceneOf(pane, scene) {
    const { partner } = this, right = this.right.includes(pane);
    if (right && this.difference) return { ...scene, shown: "difference", matrix: null, partner };
    if (right || this.blink.flipped) return { ...scene, ...partner.scene(scene, this.volumes), crosshair: this.apart || this.crosshair, partner };
    return { ...scene, shown: "scan", matrix: null, title: partner.kind === "mirror" ? "" : "THIS CASE" };
  }

  drawNow() {
    super.drawNow();
    this.pair.show();
    this.bar.show();
  }

  setLayout(layout) {
    this.layout = layout;
    this.draw();
  }

  showDifference(shown) {
    this.difference = shown && this.partner.kind === "mirror";
    this.blink.stop();
    this.draw();
  }

  // Let the two crosshairs go apart, to be put on the same place by hand.
  unlink() {
    this.apart = this.apart ? null : [...this.crosshair];
    this.draw();
  }

  // Say that both crosshairs are at the same place of the body.
  linkHere() {
    if (!this.apart) return;
    this.partner.shift(this.apart.map((value, axis) => value - this.crosshair[axis]));
    this.apart = null;
    this.draw();
  }

  resetLink() {
    this.partner.reset();
    this.apart = null;
    this.draw();
  }

  ownKeys() {
    const keys = {
      b: () => this.blink.toggle(),
      d: () => this.showDifference(!this.difference),
      1: () => this.setLayout("axial"),
      2: () => this.setLayout("coronal"),
      3: () => this.setLayout("sagittal"),
      4: () => this.setLayout("all"),
    };
    return keys;
  }

  captionLines() {
    if (this.difference) return ["Right: the scan minus its mirror at the mid-plane; orange: the scan is brighter, blue: the mirror is. The colour bar belongs to the left picture"];
    return [this.partner.caption(this.blink.flipped ? "Left and right, caught while blinking" : "Right", this)];
  }
}
