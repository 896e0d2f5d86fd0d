"""The one-line retrofit: ``soften(model, axis="x")`` lets a MONAI network carry the mirror."""

from medsym.models.retrofit.network import SoftNetwork
from medsym.models.retrofit.report import Finding, RetrofitReport
from medsym.models.retrofit.soften import soften

__all__ = ["Finding", "RetrofitReport", "SoftNetwork", "soften"]
