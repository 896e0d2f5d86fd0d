// Millilitres shown; counted after the picture, because the whole map is read.

import { LAYERS } from "./colours.js";
import { legendText } from "./legend.js";
import { recordedTop } from "./recorded.js";
import { zoneVolumes } from "./zones.js";

const REST_MS = 80; // of a slider, before its zones are counted

export class Counter {
  constructor(viewer) {
    this.viewer = viewer;
    this.text = "";
  }

  soon() {
    this.stop();
    this.resting = setTimeout(() => this.now(), REST_MS);
  }

  stop() {
    clearTimeout(this.resting);
  }

  now() {
    const { viewer } = this, { settings, volumes, panel } = viewer, { layer, threshold, showLess } = settings;
    const about = LAYERS[layer], map = volumes[layer];
    if (!about) return;
    const shown = about.labels ? null : zoneVolumes({ map, volumes, layer: about, both: showLess, threshold });
    this.text = legendText(settings, shown, recordedTop(layer, viewer));
    panel.heat.showVolumes(shown, this.text);
  }
}
