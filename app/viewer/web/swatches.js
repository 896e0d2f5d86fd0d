// What the colours of the picture mean: samples drawn from the tables that the picture is drawn from.

import { RAMPS } from "./colours.js";
import { element } from "./elements.js";

const WIDE = 40, TALL = 12; // pixels of a sample

export function render({ data, parentElement }) {
  const rows = data.samples.map(({ sample, name, what }) => element("div", { class: "sampleRow" }, [element("dt", {}, [drawn(sample), element("span", { text: name })]), element("dd", { text: what })]));
  parentElement.querySelector(".medsym").replaceChildren(element("dl", { class: "samples" }, rows));
}

// A ramp of colours.js by its name, a zone by its word ("zone under"), else nothing.
function drawn(sample) {
  if (sample.startsWith("zone ")) return element("span", { "data-of": sample.slice(5), "data-sample": sample }, [element("span", { class: "swatch" })]);
  const canvas = element("canvas", { width: WIDE, height: TALL, "aria-hidden": "true", "data-sample": sample });
  const table = RAMPS[sample], context = canvas.getContext("2d");
  for (let x = 0; table && x < WIDE; x += 1) {
    const entry = 3 * Math.round((255 * x) / (WIDE - 1));
    context.fillStyle = `rgb(${table[entry]}, ${table[entry + 1]}, ${table[entry + 2]})`;
    context.fillRect(x, 0, 1, TALL);
  }
  return canvas;
}
