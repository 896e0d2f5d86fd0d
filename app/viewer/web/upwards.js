// p-values, rates and thresholds as they are printed: rounded up, as medsym/upwards.py does.

const SHORTEST = 1e-9; // share by which arithmetic on shortest digits misses: 100 * 0.07 is 7

function up(value, step) {
  return Math.ceil((value / step) * (1 - SHORTEST));
}

// A number with two figures, not below the value, without an exponent.
export function figuresUp(value) {
  if (!(value > 0)) return String(value);
  const places = Math.max(0, 1 - Math.floor(Math.log10(value) + SHORTEST));
  return plain((up(value, 10 ** -places) / 10 ** places).toFixed(places));
}

// A rate in percent, rounded up in the third decimal: "at most 0 %" would promise what nobody can.
export function percentUp(rate) {
  return plain((up(rate, 1e-5) / 1e3).toFixed(3));
}

// A threshold, rounded up: what is said of those who reach it holds for the printed number.
export function thresholdUp(value, digits) {
  return (up(value, 10 ** -digits) / 10 ** digits).toFixed(digits);
}

// A number to the nearest decimal, but on its own side of the threshold that is printed beside it.
export function besideThreshold(value, threshold, digits) {
  if (!Number.isFinite(threshold)) return value.toFixed(digits);
  const least = Number(thresholdUp(threshold, digits)), shown = Number(value.toFixed(digits));
  return (value >= threshold ? Math.max(shown, least) : Math.min(shown, least - 10 ** -digits)).toFixed(digits);
}

function plain(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}
