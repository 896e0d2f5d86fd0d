// A viewer's place in the page.

// What is shown: the records, not only the cases, for a case that was screened again is another picture.
function shownIn({ case: name, seal, beside }) {
  return JSON.stringify([name, seal, beside?.case, beside?.seal]);
}

// The viewer in the page: a new one for another record, else the one that is there.
export function mount({ data, parentElement }, Kind) {
  const root = parentElement.querySelector(".medsym");
  if (root.medsymViewer?.mounted !== shownIn(data)) {
    root.medsymViewer?.destroy();
    root.medsymViewer = Object.assign(new Kind(root, data), { mounted: shownIn(data) });
  } else root.medsymViewer.follow(data.crosshair_mm);
}

// Where the crosshair was last, by case: Compare goes on where the review stood. Kept until the page is reloaded.
export const lastPlaces = new Map();
