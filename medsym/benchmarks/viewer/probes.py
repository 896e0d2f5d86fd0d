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

#: Milliseconds from a click to the end of the run of Python that it asked for.
RERUN = """
(element) => new Promise((done, failed) => {
  const app = document.querySelector("[data-test-script-state]");
  const state = () => app.getAttribute("data-test-script-state");
  const begun = performance.now();
  let ran = false;
  const observer = new MutationObserver((changes) => {
    ran ||= state() === "running" || changes.some(({ oldValue }) => oldValue === "running");
    if (!ran || state() !== "notRunning") return;
    observer.disconnect();
    done(performance.now() - begun);
  });
  observer.observe(app, {
    attributes: true, attributeOldValue: true, attributeFilter: ["data-test-script-state"],
  });
  setTimeout(() => failed(new Error("the page did not run")), 30000);
  element.click();
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
