"""Ablation of AsymmetryNet: what the exchange between the sides gives, and what softness gives."""
