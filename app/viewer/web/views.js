// Planes, mosaic or 3D: the buttons that choose, and what takes the place of the planes.

import { WAITING } from "./arrival.js";
import { Mosaic } from "./mosaic.js";
import { no3dReason } from "./niivue_support.js";
import { element } from "./elements.js";

const NAMES = { planes: "Planes", mosaic: "Mosaic", "3d": "3D" };
const PROBE_MS = 400; // after the first picture, so that looking for a graphics card never delays it
const LOST = "The graphics card was taken away from this page. The planes go on; press 3D to try again.";

export class Views {
  constructor(viewer) {
    this.viewer = viewer;
    this.name = "planes";
    this.names = viewer.viewNames;
    this.buttons = Object.fromEntries(this.names.map((name) => [name, this.button(name, NAMES[name])]));
    this.node = element("div", { class: "tools views", role: "group", "aria-label": "Planes, mosaic or 3D", hidden: this.names.length < 2 }, Object.values(this.buttons));
    this.note = element("p", { class: "note", role: "status", hidden: true });
    this.holder = element("div", { class: "holder", hidden: true });
    viewer.toolbar.node.prepend(this.node);
    viewer.toolbar.node.append(this.note);
    this.observer = new ResizeObserver(() => viewer.draw());
    this.observer.observe(this.holder);
    if (this.names.includes("3d")) this.probing = setTimeout(() => this.look(), PROBE_MS);
    this.mark();
  }

  button(name, text) {
    const made = element("button", { type: "button", text, "data-view": name });
    made.addEventListener("click", () => this.show(name));
    return made;
  }

  // A button that cannot be used stays in reach of the keyboard, and says why.
  look() {
    this.reason = no3dReason(this.viewer.volumes.scan.shape);
    const button = this.buttons["3d"];
    button.setAttribute("aria-disabled", String(Boolean(this.reason)));
    button.title = this.reason;
  }

  say(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  unsay(text) {
    if (this.note.textContent === text) this.say("");
  }

  show(name) {
    this.say("");
    if (name !== "planes" && this.viewer.why?.isOpen) this.viewer.why.close(); // it lies over the planes
    if (name === "mosaic") this.mosaic ??= new Mosaic(this.viewer);
    if (name === "3d" && !this.solid) {
      this.look();
      if (this.reason) this.say(this.reason);
      else this.open3d();
      return;
    }
    this.name = name;
    this.mark();
  }

  mark() {
    for (const [name, button] of Object.entries(this.buttons)) button.setAttribute("aria-pressed", String(name === this.name));
    const { viewer, holder } = this, pane = this.pane();
    holder.hidden = !pane;
    if (pane && pane.node.parentElement !== holder) holder.replaceChildren(pane.node);
    if (viewer.stage) viewer.stage.hidden = Boolean(pane);
    viewer.toolbar.node.dataset.view = this.name;
    viewer.draw();
    pane?.canvas.focus({ preventScroll: true }); // its keys, the next view's among them, work at once
  }

  // The engine for 3D is loaded when it is asked for, and only then.
  async open3d() {
    this.say(this.viewer.waiting ? WAITING : "Loading 3D");
    if (this.opening) return undefined; // a second engine would keep its share of the graphics card
    this.opening = true;
    try {
      await this.viewer.arrived; // without them there is no brain to be cut out of the head
      const { open3d } = await import("./niivue_view.js");
      const solid = await open3d(this.viewer, { lost: () => this.close3d(LOST) });
      if (this.ended) return solid.close();
      this.solid = solid;
      this.show("3d");
    } catch (error) {
      this.close3d(`3D could not be started: ${error.message}. The planes go on.`);
    } finally {
      this.opening = false;
    }
    return undefined;
  }

  close3d(text) {
    this.solid?.close();
    this.solid = null;
    if (this.ended) return;
    if (this.name === "3d") this.show("planes");
    this.say(text);
  }

  next() {
    const names = this.names.filter((name) => name !== "3d" || !this.reason);
    this.show(names[(names.indexOf(this.name) + 1) % names.length]);
  }

  // What takes the place of the planes; undefined where they are shown.
  pane() {
    return { mosaic: this.mosaic, "3d": this.solid }[this.name];
  }

  draw(scene, ratio) {
    const pane = this.pane();
    if (pane && this.viewer.why?.isOpen) return this.show("planes");
    if (!pane || pane.canvas.clientWidth === 0) return undefined;
    pane.resize(ratio);
    pane.draw(scene);
    return undefined;
  }

  destroy() {
    this.ended = true;
    clearTimeout(this.probing);
    this.observer.disconnect();
    this.close3d("");
  }
}
