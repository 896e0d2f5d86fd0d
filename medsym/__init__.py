"""medsym: mirror symmetry of brain scans, with a proved bound on what the model itself may add.

Importing this package is cheap: neither torch nor nibabel is loaded until a name that needs them is
used. The public names below are resolved on first access.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

#: Said in the viewer, on the command line, in every report and in every exported picture.
RESEARCH_USE_ONLY = (
    "Research use only. Not a medical device; not for diagnosis, triage or treatment decisions."
)

_HOMES = {
    "CaseResult": "medsym.inference.case",
    "MedsymError": "medsym.errors",
    "Options": "medsym.inference.case",
    "SoftNetwork": "medsym.models.retrofit",
    "analyse_scan": "medsym.inference.case",
    "certify": "medsym.symmetry.certificates",
    "fold": "medsym.symmetry",
    "harden": "medsym.symmetry",
    "load_calibration": "medsym.calibration.store",
    "load_model": "medsym.models.store",
    "read_scan": "medsym.volumes.nifti",
    "screen": "medsym.screening.batch",
    "soften": "medsym.models.retrofit",
}

__all__ = [
    "RESEARCH_USE_ONLY",
    "CaseResult",
    "MedsymError",
    "Options",
    "SoftNetwork",
    "__version__",
    "analyse_scan",
    "certify",
    "fold",
    "harden",
    "load_calibration",
    "load_model",
    "read_scan",
    "screen",
    "soften",
]


def __getattr__(name: str) -> Any:
    """Resolve a public name on first use, so that ``import medsym`` stays light."""
    if name not in _HOMES:
        msg = f"module 'medsym' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES[name]), name)
