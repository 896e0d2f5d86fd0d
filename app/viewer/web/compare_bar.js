// Buttons of a comparison: which plane, blink, difference, and the link of two scans.

import { PLANES } from "./geometry.js";
import { element } from "./elements.js";

const LAYOUT_WORDS = { ...Object.fromEntries(Object.entries(PLANES).map(([plane, { title }]) => [plane, title])), all: "All planes" };

export class CompareBar {
  constructor(viewer) {
    this.viewer = viewer;
    this.layouts = Object.entries(LAYOUT_WORDS).map(([layout, text], n) => [layout, this.button(text, () => viewer.setLayout(layout), `${text} (${n + 1})`)]);
    this.blink = this.button("Blink", () => viewer.blink.toggle(), "The left picture changes in turn with the one beside it (b)");
    this.difference = this.button("Difference", () => viewer.showDifference(!viewer.difference), "The scan minus its mirror, in the window of the scan (d)");
    this.apart = this.button("Unlink", () => viewer.unlink(), "Move the two crosshairs by themselves, to put both on the same place");
    this.here = this.button("Link here", () => viewer.linkHere(), "Both crosshairs are at the same place of the body");
    this.automatic = this.button("Automatic link", () => viewer.resetLink(), "Back to the link that was computed");
    const group = (label, buttons) => element("div", { class: "tools", role: "group", "aria-label": label }, buttons);
    const own = viewer.partner.kind === "mirror" ? [this.difference] : [group("Link", [this.apart, this.here, this.automatic])];
    this.words = element("span", { class: "link", role: "status" });
    this.node = element("div", { class: "comparison", role: "group", "aria-label": "Comparison" }, [group("Planes", this.layouts.map(([, button]) => button)), this.blink, ...own, this.words]);
  }

  button(text, act, title) {
    const button = element("button", { type: "button", text, title });
    button.addEventListener("click", act);
    return button;
  }

  show() {
    const { viewer } = this, { partner } = viewer, press = (button, on) => button.setAttribute("aria-pressed", String(on));
    for (const [layout, button] of this.layouts) press(button, layout === viewer.layout);
    press(this.blink, viewer.blink.running);
    press(this.difference, viewer.difference);
    press(this.apart, Boolean(viewer.apart));
    this.here.disabled = !viewer.apart;
    this.automatic.disabled = !partner.byHand && !viewer.apart;
    if (partner.kind === "mirror") return;
    const text = viewer.apart ? "Not linked: put both crosshairs on the same place, then Link here." : partner.byHand ? `Linked by hand${partner.midplane ? ", within the mid-plane" : ""}.` : partner.link.words;
    this.words.dataset.doubtful = String(!partner.byHand && partner.link.doubtful);
    if (this.words.textContent !== text) this.words.textContent = text;
  }
}
