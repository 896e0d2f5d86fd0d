// A viewer's place in the page.

// The viewer in the page: a new one for another case, else the one that is there.
export function mount({ data, parentElement }, Kind) {
  const root = parentElement.querySelector(".medsym");
  if (root.medsymViewer?.caseName !== data.case) {
    root.medsymViewer?.destroy();
    root.medsymViewer = new Kind(root, data);
  } else root.medsymViewer.follow(data.crosshair_mm);
}

// Where the crosshair was last, by case: Compare goes on where the review stood. Kept until the page is reloaded.
export const lastPlaces = new Map();
