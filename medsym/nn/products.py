"""How float32 products are taken on a GPU: rounded to TF32 for speed, or as float32 says."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch


def fast_products() -> AbstractContextManager[None]:
    """TF32 for float32 products on a GPU, while open: for training, never for certified numbers."""
    return _products(tf32=True)


def exact_products() -> AbstractContextManager[None]:
    """No TF32 while open: what is measured of a finished network is measured in float32."""
    return _products(tf32=False)


@contextmanager
def _products(*, tf32: bool) -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
