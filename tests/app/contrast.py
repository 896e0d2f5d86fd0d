"""Contrast of every text on a page, as the browser computed its colours; WCAG 2, 1.4.3."""

from typing import Any

#: Text, its contrast to what lies behind it, and its colours; for visible texts that are enabled.
SCRIPT = """
() => {
  const parse = (text) => {
    const part = text.match(/[\\d.]+/g)?.map(Number) || [0, 0, 0, 0];
    return part.length === 3 ? [...part, 1] : part;
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((v, n) => v * a + under[n] * (1 - a));
  const above = (node) => node.assignedSlot || node.parentElement || node.getRootNode().host;
  const behind = (node) => {
    if (!node) return [255, 255, 255];
    const own = parse(getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, behind(above(node)));
  };
  const faded = (node) => (node ? getComputedStyle(node).opacity * faded(above(node)) : 1);
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const share = [0.2126, 0.7152, 0.0722];
  const light = (rgb) => rgb.reduce((sum, v, n) => sum + share[n] * linear(v / 255), 0);
  const hidden = ':disabled, [aria-disabled="true"], style, script, canvas';
  const found = [];
  const walk = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) walk(node.shadowRoot);
      const parts = [...node.childNodes].filter((child) => child.nodeType === 3);
      const text = parts.map((child) => child.data).join("").trim();
      const box = node.getBoundingClientRect();
      if (!text || !node.checkVisibility() || box.width < 2 || node.closest(hidden)) continue;
      const ground = behind(node), [r, g, b, a] = parse(getComputedStyle(node).color);
      const ink = over([r, g, b, a * faded(node)], ground), [x, y] = [light(ink), light(ground)];
      const ratio = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
      const colours = [ink, ground].map((rgb) => rgb.map(Math.round).join());
      found.push([text.slice(0, 60), Math.round(100 * ratio) / 100, ...colours]);
    }
  };
  walk(document);
  return found;
}
"""


def texts_with_contrast(tab: Any) -> list[tuple[str, float, str, str]]:
    """Text, contrast (1 to 21), colour of the text and of its ground, of what is shown."""
    return [(text, ratio, ink, ground) for text, ratio, ink, ground in tab.evaluate(SCRIPT)]
