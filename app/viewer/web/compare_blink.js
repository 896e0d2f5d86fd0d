// Blink: the left picture changes in turn with the one beside it, so that a difference jumps out.

const PERIOD_MS = 700; // each picture; well below three flashes a second, as WCAG 2.3.1 asks

export class Blink {
  constructor(viewer) {
    this.viewer = viewer;
    this.flipped = false;
    this.timer = null;
  }

  get running() {
    return this.timer !== null;
  }

  toggle() {
    if (this.running) return this.stop();
    this.viewer.difference = false;
    this.timer = setInterval(() => this.flip(), PERIOD_MS);
    return this.flip();
  }

  flip() {
    this.flipped = !this.flipped;
    this.viewer.draw();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.flipped = false;
    if (this.viewer.panes) this.viewer.draw();
  }
}
