// Outlines of structures: lines along the borders of labels, drawn over a plane at screen sharpness.

const LINE = "#f3edae"; // pale yellow: no heat layer has it, and it stays apart for colour-blind readers
const EDGE = "rgba(10, 12, 16, .6)"; // beside the line, to be seen on white matter too
const WIDTH_PX = 1.1;

// Path in raster pixels (centre of pixel n at n + 0.5): between four neighbours, borders meet halfway.
export function outlinePath(labels, width, height) {
  const path = new Path2D();
  for (let row = 0; row < height - 1; row += 1) {
    for (let column = 0, n = row * width; column < width - 1; column += 1, n += 1) {
      const [a, b, c, d] = [labels[n] || 0, labels[n + 1] || 0, labels[n + width] || 0, labels[n + width + 1] || 0]; // NaN: no label
      if (a === b && b === c && c === d) continue;
      crossCell(path, column + 1, row + 1, [a !== b, b !== d, c !== d, a !== c]);
    }
  }
  return path;
}

// One cell of four pixels around (x, y): top, right, bottom and left borders that are crossed.
function crossCell(path, x, y, crossed) {
  const ends = [[x, y - 0.5], [x + 0.5, y], [x, y + 0.5], [x - 0.5, y]].filter((_, side) => crossed[side]);
  if (ends.length === 2) {
    path.moveTo(...ends[0]);
    path.lineTo(...ends[1]);
  } else for (const end of ends) {
    path.moveTo(x, y);
    path.lineTo(...end);
  }
}

export function drawOutlines(context, path, { left, top, scale, ratio, opacity }) {
  context.save();
  context.translate(left, top);
  context.scale(scale, scale);
  context.globalAlpha = opacity;
  for (const [colour, wide] of [[EDGE, 3 * WIDTH_PX], [LINE, WIDTH_PX]]) {
    context.strokeStyle = colour;
    context.lineWidth = (wide * ratio) / scale;
    context.stroke(path);
  }
  context.restore();
}
