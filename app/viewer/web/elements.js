// Elements of the page: text is never markup; sliders and check boxes with their labels.

export function element(tag, { text, ...attributes } = {}, children = []) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

export function section(title, children) {
  return element("section", { "aria-label": title }, [element("h3", { text: title }), ...children]);
}

export class Slider {
  constructor(name, label, change) {
    const id = `medsym-${name}`;
    this.label = element("label", { text: label, for: id });
    this.input = element("input", { type: "range", id, "data-slider": name });
    this.output = element("output", { for: id });
    this.input.addEventListener("input", () => change(Number(this.input.value)));
    this.node = element("div", { class: "slider" }, [this.label, this.input, this.output]);
  }

  // Only what has changed: an element that is told the same again is laid out again.
  set({ min, max, step, value, text }) {
    const { input } = this, key = `${min} ${max} ${step} ${value} ${text}`;
    if (key === this.shown && input.value === this.value) return;
    Object.assign(input, { min, max, step });
    input.value = value;
    if (this.output.textContent !== text) this.output.textContent = text;
    input.setAttribute("aria-valuetext", text);
    const filled = max > min ? (100 * (Math.min(Math.max(value, min), max) - min)) / (max - min) : 0;
    input.style.setProperty("--filled", `${filled}%`);
    Object.assign(this, { shown: key, value: input.value });
  }
}

export function checkBox(name, checked, change) {
  const box = element("input", { type: "checkbox", id: `medsym-${name}`, checked });
  box.addEventListener("change", () => change(box.checked));
  return box;
}
