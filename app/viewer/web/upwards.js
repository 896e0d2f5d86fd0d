// p-values and rates as they are printed: rounded up, never smaller than they are, as medsym/upwards.py does.

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

function plain(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}
