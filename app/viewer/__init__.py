"""The review component: three linked planes drawn in the browser, from volumes behind tokens."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

_WEB = Path(__file__).parent / "web"
_STYLE = "".join((_WEB / name).read_text(encoding="utf-8") for name in ("viewer.css", "why.css"))
_COMPARE_STYLE = (_WEB / "compare.css").read_text(encoding="utf-8")

# The engine is imported by address, so that it stays a set of ordinary modules; this glue only
# hands over. A failed import is said in the page, because a blank pane looks like a normal scan.
_GLUE = """
export default function (component) {
  const { data, parentElement } = component;
  import(new URL(data.web + "/MODULE", window.location.origin).href)
    .then((viewer) => viewer.render(component))
    .catch((error) => {
      parentElement.querySelector(".medsym").textContent = "The viewer did not start: " + error;
    });
  return () => parentElement.querySelector(".medsym")?.medsymViewer?.destroy();
}
"""

_COMPONENT = st.components.v2.component(
    "medsym.review",
    html='<div class="medsym" role="region" aria-label="Scan review"></div>',
    css=_STYLE,
    js=_GLUE.replace("MODULE", "viewer.js"),
)

_COMPARISON = st.components.v2.component(
    "medsym.compare",
    html='<div class="medsym compare" role="region" aria-label="Scans side by side"></div>',
    css=_STYLE + _COMPARE_STYLE,
    js=_GLUE.replace("MODULE", "compare.js"),
)

_SAMPLES = st.components.v2.component(
    "medsym.samples",
    html='<div class="medsym help" role="region" aria-label="What the colours mean"></div>',
    css=_STYLE + (_WEB / "help.css").read_text(encoding="utf-8"),
    js=_GLUE.replace("MODULE", "swatches.js"),
)


def review_viewer(payload: Mapping[str, Any], *, key: str) -> None:
    """Mount the viewer.

    Args:
        payload: what `case_payload` returns.
        key: identity of the viewer; the same key keeps crosshair and sliders over reruns.
    """
    _COMPONENT(data=dict(payload), key=key)


def compare_viewer(payload: Mapping[str, Any], *, key: str) -> None:
    """Mount two pictures side by side.

    Args:
        payload: what `case_payload` returns, with "visit" and "beside": the other case, or None to
            compare with the mirror.
        key: identity of the viewer.
    """
    _COMPARISON(data=dict(payload), key=key)


def colour_samples(samples: Sequence[tuple[str, str, str]], *, web: str) -> None:
    """Samples of the colours of the picture, each with its name and what it means.

    Args:
        samples: (ramp of colours.js, or "zone above", "zone below", "zone under"; name; meaning).
        web: address of the folder of the browser modules.
    """
    rows = [{"sample": sample, "name": name, "what": what} for sample, name, what in samples]
    _SAMPLES(data={"web": web, "samples": rows}, key="colour_samples")
