// Scale bar of a plane: a round length in millimetres that fits the plane at any zoom.

const LENGTHS_MM = [100, 50, 20, 10, 5, 2, 1];
const SHARE = 0.25; // of the plane's width, at most

export function barLength(width, pixelsPerMm) {
  return LENGTHS_MM.find((length) => length * pixelsPerMm <= SHARE * width) ?? LENGTHS_MM.at(-1);
}

// `word` draws a text with a dark rim: (text, x, y, size, align, baseline, colour).
export function drawScaleBar(context, word, { width, height, edge, ratio, pixelsPerMm, colour }) {
  const mm = barLength(width, pixelsPerMm), length = mm * pixelsPerMm, right = width - edge, base = height - edge;
  context.fillStyle = "rgba(0, 0, 0, .85)";
  context.fillRect(right - length - ratio, base - 4 * ratio, length + 2 * ratio, 4 * ratio);
  context.fillStyle = colour;
  context.fillRect(right - length, base - 3 * ratio, length, 2 * ratio);
  word(`${mm} mm`, right, base - 6 * ratio, 11, "right", "bottom", colour);
}
