"""Settings that every test shares: one thread, repeatable property tests."""

import torch
from hypothesis import settings

torch.set_num_threads(1)  # faster and steadier than several on small volumes

settings.register_profile("repeatable", max_examples=20, deadline=None, derandomize=True)
settings.load_profile("repeatable")
