// Tells assistive technology where the crosshair has come to rest: a finding by its name, else a place.

import { sideOf } from "./geometry.js";
import { number } from "./readout.js";
import { besideThreshold } from "./upwards.js";

const REST_MS = 600; // of a crosshair, before it is spoken of: a moving one would not stop talking

export class Announcer {
  constructor() {
    this.node = document.createElement("p");
    this.node.className = "spoken";
    this.node.setAttribute("role", "status");
    this.node.setAttribute("aria-label", "Crosshair");
  }

  // What `factsAt` returns; the finding at the crosshair, if there is one, and how many there are.
  tell(facts, { finding, findings, peak }) {
    const text = finding ? findingWords(finding, findings.length, peak) : placeWords(facts);
    if (text === this.next) return;
    const first = this.next === undefined;
    this.next = text;
    clearTimeout(this.resting);
    this.resting = setTimeout(() => { this.node.textContent = text; }, first ? 0 : REST_MS);
  }

  destroy() {
    clearTimeout(this.resting);
  }
}

function structureWords(structure, side) {
  const name = String(structure || "outside named structures").replaceAll("-", " ").toLowerCase();
  return !side || name.includes(side) ? name : `${side} ${name}`;
}

export function findingWords({ rank, side, structure, deviation }, count, { peak_sd: peak }) {
  return `Finding ${rank} of ${count}: ${structureWords(structure, side)}, deviation ${besideThreshold(deviation, peak, 1)} standard deviations.`;
}

export function placeWords({ mm, structure, distance, deviation }) {
  const [side] = sideOf(distance).split(","); // of the patient; "on it" means the mid-plane
  const place = ["x", "y", "z"].map((axis, n) => `${axis} ${number(mm[n], 0)}`).join(", ");
  const size = Number.isFinite(deviation) ? `, deviation ${number(deviation, 1)} standard deviations` : "";
  const words = side === "on it" ? `${structureWords(structure, "")}, on the mid-plane` : structureWords(structure, side);
  return `${words}${size}, at ${place} millimetres.`;
}
