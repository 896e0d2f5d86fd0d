// Turns of a wheel or a trackpad as whole slices and as magnification, whatever unit the browser counts in.

const NOTCH_PX = 100; // a notch of a wheel; as much of a trackpad's scrolling changes the slice by one
const WHEEL_PX = 40; // an event this large is a wheel's: one notch is 83 in WebKit, and fewer than 100 where the page is magnified

export class Wheel {
  rolled = 0;

  // Slices to go, whole; a trackpad sends many small events, and what they leave over waits for the next.
  slices({ deltaMode, deltaY }) {
    if (deltaMode !== 0) return Math.sign(deltaY);
    const isNotch = Math.abs(deltaY) >= WHEEL_PX, turned = (isNotch ? 0 : this.rolled) + deltaY;
    const slices = isNotch ? Math.sign(turned) * Math.max(1, Math.round(Math.abs(turned) / NOTCH_PX)) : Math.trunc(turned / NOTCH_PX);
    this.rolled = isNotch ? 0 : turned - slices * NOTCH_PX;
    return slices;
  }
}

// Magnification by a turn of the wheel with ctrl, which is also what a pinch on a trackpad sends.
export function zoomOf({ deltaMode, deltaY }) {
  const turned = deltaMode === 0 ? Math.min(Math.max(deltaY / NOTCH_PX, -1), 1) : Math.sign(deltaY);
  return 1.15 ** -turned;
}
