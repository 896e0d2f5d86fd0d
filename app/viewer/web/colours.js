// Layers of the heatmap and their colours. Orange and blue stay apart for colour-blind readers.

const ORANGE = [[92, 38, 0], [214, 96, 10], [255, 159, 28], [255, 233, 168]];
const BLUE = [[0, 40, 92], [18, 96, 196], [64, 164, 255], [196, 233, 255]];
const MAGENTA = [[72, 8, 72], [176, 30, 130], [240, 98, 146], [255, 214, 220]];
const GREEN = [[8, 56, 46], [22, 128, 96], [86, 196, 130], [220, 248, 200]];

function ramp(stops) {
  const table = new Uint8Array(256 * 3);
  for (let n = 0; n < 256; n += 1) {
    const place = (n / 255) * (stops.length - 1), low = Math.min(Math.floor(place), stops.length - 2);
    for (let channel = 0; channel < 3; channel += 1) {
      table[n * 3 + channel] = Math.round(stops[low][channel] + (place - low) * (stops[low + 1][channel] - stops[low][channel]));
    }
  }
  return table;
}

export const RAMPS = { orange: ramp(ORANGE), blue: ramp(BLUE), magenta: ramp(MAGENTA), green: ramp(GREEN) };

// Lines that a reader draws: in none of the ramps.
export const RULER = "#d0b3ff";

// bound: the layer's zones depend on |asymmetry| against the bound. threshold: where the reader starts.
export const LAYERS = {
  deviation: { title: "Deviation", unit: "SD", signed: true, bound: true, threshold: 3, least: 6, digits: 1, positive: "orange", negative: "blue" },
  asymmetry: { title: "Asymmetry", unit: "nats", signed: true, bound: true, threshold: 0.5, least: 2, digits: 2, positive: "orange", negative: "blue" },
  rarity: { title: "Rarity (p-value)", before: "1 in", unit: "", signed: true, bound: true, threshold: 20, least: 20, digits: 0, positive: "orange", negative: "blue" },
  pathology: { title: "Pathology", unit: "", signed: false, bound: false, threshold: 0.5, least: 1, digits: 2, positive: "magenta" },
  bound: { title: "Model's tolerance (bound)", unit: "nats", signed: false, bound: false, threshold: 0, least: 1e-9, digits: 2, positive: "green" },
  anatomy: { title: "Anatomy, filled", labels: true },
};

// Colour of a share of a ramp, for a style sheet.
export function rampColour(name, share) {
  const at = 3 * Math.round(255 * share);
  return `rgb(${RAMPS[name].slice(at, at + 3).join(", ")})`;
}

// Decimals of a layer's labels: more where the whole scale is small, as a bound's may be.
export function digitsOf(layer, top) {
  return top > 0 && top < 1 ? Math.max(layer.digits, 1 - Math.floor(Math.log10(top))) : layer.digits;
}

// Darkest and brightest channel of a colour: three shades, taken in turn.
const SHADES = [[40, 240], [120, 255], [10, 165]];
const GOLDEN = 0.61803398875; // of a turn between the hues of neighbours in the table

// Label -> colour for a table of structures; left and right partners share one, no two names do.
export function structureColours(names) {
  const bare = (name) => name.toLowerCase().replace(/left|right|\blh\b|\brh\b/g, "").replace(/^[-_ ]+/, "");
  const labels = Object.keys(names).map(Number).sort((a, b) => a - b);
  const order = [...new Set(labels.map((label) => bare(names[label])))];
  return (label) => colourNumber(label in names ? order.indexOf(bare(names[label])) : order.length + label);
}

function colourNumber(rank) {
  const hue = ((rank * GOLDEN) % 1) * 6, [low, high] = SHADES[rank % SHADES.length];
  return [0, 4, 2].map((turn) => {
    const place = (hue + turn) % 6;
    return Math.round(low + (high - low) * Math.min(Math.max(Math.abs(place - 3) - 1, 0), 1));
  });
}
