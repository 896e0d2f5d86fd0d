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

  set({ min, max, step, value, text }) {
    Object.assign(this.input, { min, max, step });
    this.input.value = value;
    if (this.output.textContent !== text) this.output.textContent = text;
    this.input.setAttribute("aria-valuetext", text);
    const filled = max > min ? (100 * (Math.min(Math.max(value, min), max) - min)) / (max - min) : 0;
    this.input.style.setProperty("--filled", `${filled}%`);
  }
}

export function checkBox(name, checked, change) {
  const box = element("input", { type: "checkbox", id: `medsym-${name}`, checked });
  box.addEventListener("change", () => change(box.checked));
  return box;
}
