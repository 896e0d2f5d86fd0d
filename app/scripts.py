"""Scripts that pages hold: the content security policy names each, and no other one runs."""

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import streamlit

# "?" opens the help, as a click on its link does, so that case and session stay; not while typing.
HELP_KEY = """
<script>
window.medsymHelp ||= document.addEventListener("keydown", (event) => {
  const typing = event.composedPath().some((node) => node.isContentEditable
    || ["TEXTAREA", "SELECT"].includes(node.tagName)
    || (node.tagName === "INPUT" && !["range", "checkbox", "radio"].includes(node.type)));
  if (event.key !== "?" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  document.querySelector('a[href$="/help"]')?.click();
}) || true;
</script>
"""

_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def script_hashes() -> tuple[str, ...]:
    """Sources of the policy for the scripts above and for that of Streamlit's own page."""
    return tuple(_hash(script) for script in _scripts())


def _scripts() -> Iterator[str]:
    index = Path(streamlit.__file__).parent / "static" / "index.html"
    for page in (HELP_KEY, index.read_text(encoding="utf-8")):
        yield from _INLINE.findall(page)


def _hash(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"
