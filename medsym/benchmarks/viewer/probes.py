"""What is measured inside the page, by its own clock; scripts for the browser."""

#: Runs before the page's own scripts. The planes lie in shadow roots, so every root is watched; the
#: times are those of the frame after the first drawn one, when the scan is on the screen, and after
#: the one that draws the maps.
WATCH_FIRST_PAINT = """
(() => {
  const attach = Element.prototype.attachShadow;
  const later = (name) => requestAnimationFrame(() => { window[name] ??= performance.now(); });
  let ready = false;
  const watch = (root) => new MutationObserver((changes, observer) => {
    const seen = changes.map(({ target }) => target.dataset ?? {});
    ready ||= seen.some(({ status }) => status === "ready");
    if (!changes.some(({ attributeName }) => attributeName === "data-drawn")) return;
    later("medsymPainted");
    if (!ready) return;
    observer.disconnect();
    later("medsymComplete");
  }).observe(root, {
    subtree: true, attributes: true, attributeFilter: ["data-drawn", "data-status"],
  });
  Element.prototype.attachShadow = function (options) {
    const root = attach.call(this, options);
    watch(root);
    return root;
  };
})();
"""

#: Milliseconds from frame to frame while something happens in each; of a plane's canvas.
FRAMES = """
async (canvas, { count, key }) => {
  const frame = () => new Promise(requestAnimationFrame);
  const root = canvas.closest(".medsym"), before = Number(root.dataset.drawn);
  const times = [], drawing = [];
  const press = (name) => canvas.dispatchEvent(
    new KeyboardEvent("keydown", { key: name, bubbles: true }));
  let last = await frame();
  for (let n = 0; n < count; n += 1) {
    if (key) press(n % 30 < 15 ? key[0] : key[1]);
    const now = await frame();
    times.push(now - last);
    drawing.push(Number(root.dataset.drawMs));
    last = now;
  }
  await frame();
  return { times, drawing, drawn: Number(root.dataset.drawn) - before };
}
"""

#: Milliseconds of JavaScript of a change of a slider: its handler, and the drawing that follows.
SLIDES = """
async (input, { count }) => {
  const frame = () => new Promise(requestAnimationFrame);
  const root = input.closest(".medsym"), before = Number(root.dataset.drawn), times = [];
  const low = Number(input.min), high = Number(input.max);
  await frame();
  for (let n = 0; n < count; n += 1) {
    input.value = low + ((high - low) * (1 + (n % 10))) / 12;
    const begun = performance.now();
    input.dispatchEvent(new Event("input", { bubbles: true }));
    const handled = performance.now() - begun;
    await frame();
    await frame();
    times.push(handled + Number(root.dataset.drawMs));
  }
  return { times, drawn: Number(root.dataset.drawn) - before };
}
"""

#: Runs before the page's own scripts: counts the messages that end a run of Python (field 6 of
#: Streamlit's ForwardMsg, script_finished). While the page is busy, all messages of a run are taken
#: in one turn of the browser, and the state that the page shows never changes.
COUNT_RUNS = """
(() => {
  const Plain = window.WebSocket;
  const ends = (bytes) => {
    let at = 0;
    const number = () => {
      let value = 0, unit = 1, byte;
      do {
        byte = bytes[at];
        at += 1;
        value += (byte & 127) * unit;
        unit *= 128;
      } while (byte > 127);
      return value;
    };
    while (at < bytes.length) {
      const tag = number(), value = number();
      if (tag >> 3 === 6) return true;
      if (tag % 8 === 2) at += value;
      else if (tag % 8 !== 0) return false;
    }
    return false;
  };
  window.medsymRuns = 0;
  window.WebSocket = class extends Plain {
    constructor(...address) {
      super(...address);
      this.addEventListener("message", ({ data }) => {
        if (data instanceof ArrayBuffer && ends(new Uint8Array(data))) window.medsymRuns += 1;
      });
    }
  };
})();
"""

#: Milliseconds from a click to the end of the run of Python that it asked for: until the page's
#: state says so, or, where it never said that it ran, two frames after the run's last message.
RERUN = """
(element) => new Promise((done, failed) => {
  const app = document.querySelector("[data-test-script-state]");
  const state = () => app.getAttribute("data-test-script-state");
  const before = window.medsymRuns, begun = performance.now();
  let ran = false, frames = 0;
  const observer = new MutationObserver((changes) => {
    ran ||= state() === "running" || changes.some(({ oldValue }) => oldValue === "running");
    if (ran && window.medsymRuns > before && state() === "notRunning") end();
  });
  const end = () => {
    observer.disconnect();
    done(performance.now() - begun);
    frames = Infinity;
  };
  const look = () => {
    if (!ran && window.medsymRuns > before) frames += 1;
    if (frames === 3) end();
    if (frames < 3) requestAnimationFrame(look);
  };
  observer.observe(app, {
    attributes: true, attributeOldValue: true, attributeFilter: ["data-test-script-state"],
  });
  setTimeout(() => failed(new Error("the page did not run")), 30000);
  element.click();
  requestAnimationFrame(look);
})
"""

#: Milliseconds from frame to frame while the mouse does what Python says; started, then collected.
RECORD = """
() => {
  const times = [];
  let last = 0;
  window.medsymFrames = times;
  const tick = (now) => {
    if (last) times.push(now - last);
    last = now;
    if (window.medsymFrames === times) requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}
"""
COLLECT = "() => { const times = window.medsymFrames; window.medsymFrames = null; return times; }"

#: Now, by the clock that began when the page was asked for; two frames after the last change.
NOW = """
() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(
  () => done(performance.now()))))
"""
