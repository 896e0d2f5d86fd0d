"""Examples to run and to read: ``python -m medsym.examples.soften_segresnet``."""
