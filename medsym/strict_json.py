"""Numbers as JSON that every reader takes: infinity and NaN, which JSON does not know, are null."""

import json
import math
from typing import Any


def finite(value: Any) -> Any:
    """Nested dicts and lists with None in place of infinite and undefined numbers."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_json(numbers: object) -> str:
    """Sorted, indented JSON with a line break at the end."""
    return json.dumps(finite(numbers), indent=1, sort_keys=True, allow_nan=False) + "\n"
