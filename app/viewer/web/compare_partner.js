// What stands beside the scan: its own mirror, or another scan, with the way from a place to its partner.

import { loadVolumes } from "./arrival.js";
import { LAYERS } from "./colours.js";
import { keepsSides, transform, withinPlane } from "./geometry.js";
import { formatMm } from "./readout.js";
import { autoWindow } from "./volume.js";

export function mirrorPartner({ volumes, structures, mirrorWorld }) {
  return new Partner({ kind: "mirror", role: "Mirror", title: "MIRRORED", volumes, structures, mirrorWorld, matrix: mirrorWorld });
}

// A link that would exchange left and right is refused, whoever made it.
export async function priorPartner(about) {
  const { matrix } = about.link;
  if (matrix && !keepsSides(matrix)) throw new Error("the match of the two scans would exchange left and right");
  return new Partner({
    kind: "prior",
    role: about.role,
    title: about.role.toUpperCase(),
    name: about.case,
    visit: about.visit,
    volumes: await loadVolumes(about.volumes, about), // its rarity by its own thresholds
    structures: about.structures,
    mirrorWorld: about.mirror_world,
    matrix,
    link: about.link,
    changes: about.changes,
    cautions: about.cautions,
    model: about.model,
    comparedWith: about.compared_with,
  });
}

class Partner {
  constructor(facts) {
    Object.assign(this, facts);
    this.byHand = false;
  }

  // Without a match, the centres of the two fields of view are taken for the same place.
  startAt({ scan }, mirrorWorld) {
    this.midplane = this.matrix && mirrorWorld; // of the scan on review, matched with the partner's
    if (!this.matrix) {
      const here = scan.centre(), there = this.volumes.scan.centre();
      this.matrix = [0, 1, 2].map((row) => [0, 1, 2, 3].map((column) => (column === 3 ? there[row] - here[row] : Number(row === column))));
    }
    this.automatic = this.matrix;
  }

  // Place in the partner's world, mm.
  placeOf(mm) {
    return transform(this.matrix, mm);
  }

  // Place in the world of the scan on review, mm; the matrix is rigid.
  placeFrom(mm) {
    const moved = [0, 1, 2].map((row) => mm[row] - this.matrix[row][3]);
    return [0, 1, 2].map((column) => moved.reduce((sum, value, row) => sum + this.matrix[row][column] * value, 0));
  }

  // Let a place of the scan stand for the one that was `away` from it, mm in the scan's world. Matched
  // mid-planes stay so: a hand that slips cannot bring left to right.
  shift(away) {
    const along = this.midplane ? withinPlane(away, this.midplane) : away, origin = transform(this.matrix, along);
    this.matrix = [0, 1, 2].map((row) => [...this.matrix[row].slice(0, 3), origin[row]]);
    this.byHand = true;
  }

  reset() {
    this.matrix = this.automatic;
    this.byHand = false;
  }

  // What a plane needs to show the partner instead of the scan.
  scene({ settings }, volumes) {
    return {
      shown: this.kind,
      title: this.title,
      matrix: this.matrix,
      volumes: this.volumes,
      structures: this.structures,
      settings: { ...settings, window: this.window(settings.window, volumes) },
    };
  }

  // The same window for the same scan and for CT; else the same place between dark and bright.
  window(window, { scan }) {
    const other = this.volumes.scan, isCt = (volume) => volume.low < -500 && volume.high > 500;
    if (this.kind === "mirror" || (isCt(scan) && isCt(other))) return window;
    const [low, high] = autoWindow(scan), [otherLow, otherHigh] = this.ownWindow();
    return window.map((value) => otherLow + ((value - low) / (high - low)) * (otherHigh - otherLow));
  }

  ownWindow() {
    this.auto ||= autoWindow(this.volumes.scan);
    return this.auto;
  }

  // In words, that it has no map of the layer that is asked for; "" where it has, or none is.
  lacks({ display, settings: { layer } }) {
    return display.overlay && LAYERS[layer] && !this.volumes[layer] ? `${LAYERS[layer].title}: not drawn, this scan has no such map` : "";
  }

  // What the picture at a place ("Right") of a viewer is.
  caption(where, viewer) {
    if (this.kind === "mirror") return `${where}: the scan mirrored at its mid-plane; its letters bear a star`;
    const how = viewer.apart ? "not linked" : this.byHand ? "linked by hand" : this.link.matrix ? `matched, brains overlap by ${Math.round(100 * this.link.overlap)} %` : "not matched";
    const { name, version, sha256 } = this.model || {}, hash = String(sha256 || "unknown").slice(0, 16);
    const made = `model ${name || "unknown"} ${version || ""} sha256 ${hash}; calibration: ${this.comparedWith || "none"}`;
    const place = `crosshair ${formatMm(this.placeOf(viewer.apart || viewer.crosshair))} mm in that scan`;
    return [`${where}: ${this.role.toLowerCase()} ${this.name}, ${this.visit.day}; ${place}; not registered, ${how}; ${made}`, this.lacks(viewer)].filter(Boolean).join(". ");
  }
}
