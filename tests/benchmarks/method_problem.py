"""A tiny training problem for the tests of the methods, drawn once."""

from functools import cache

import torch
from torch import Tensor

from medsym.benchmarks.methods.data import draw_subjects
from medsym.benchmarks.methods.method import Method, Predict
from medsym.benchmarks.methods.settings import TrainingBudget
from medsym.benchmarks.methods.subjects import Subjects
from medsym.benchmarks.methods.training import training_step
from medsym.symmetry.mirror import mirror

BUDGET = TrainingBudget(
    train_subjects=8, test_subjects=4, threshold_subjects=4, steps=4, batch=2, warmup=1,
    mixed_precision=False,
)  # fmt: skip
EXACT = 1e-5


@cache
def subjects(number: int = 8) -> Subjects:
    """Asymmetric subjects, the first of which has a lesion."""
    drawn = draw_subjects(4 * number, version="asymmetric", seed=5)
    ill = drawn.lesion.flatten(1).any(dim=1)
    return drawn[torch.argsort(ill.int(), descending=True, stable=True)[:number]]


def built(kind: type[Method], seed: int = 0) -> Method:
    """A method with its training data."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        method = kind(BUDGET)
    method.training_data(subjects())
    return method


def trained(method: Method, *, steps: int, rate: float = 4e-3) -> list[float]:
    """Some steps on two subjects; the losses that were minimised."""
    optimiser = torch.optim.AdamW(method.groups(), lr=rate)
    batch, order = subjects()[slice(2)], torch.Generator().manual_seed(0)
    return [
        training_step(method, optimiser, method.augment(batch, order), progress=step / steps)
        for step in range(steps)
    ]


def defect(predict: Predict, image: Tensor | None = None) -> float:
    """|f(S x) - S f(x)| / |f(x) - mean|, on subjects or on a given image."""
    scan = subjects().image[:2] if image is None else image
    with torch.inference_mode():
        direct, other = predict(scan), predict(mirror(scan))
    spread = (direct - direct.mean()).norm()
    return float((other - mirror(direct)).norm() / spread)
