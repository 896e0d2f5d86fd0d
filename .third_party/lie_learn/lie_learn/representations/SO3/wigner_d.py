"""Wigner D matrices of SO(3) in the real, centred basis, in NumPy only.

Source: Pinchon and Hoggan, "Rotation matrices for real spherical harmonics: general rotations of atomic orbitals in
space-fixed axes", J. Phys. A 40 (2007) 1597, doi:10.1088/1751-8113/40/7/011. There D(a, b, c) = X(a) J X(b) J X(c) with X a
rotation about z and J the reflection (x, y, z) -> (x, -z, -y).

Basis: real spherical harmonics, m = -l..l, without Condon-Shortley sign; for l = 1 it is (y, z, x).
"""

from functools import lru_cache

import numpy as np

__all__ = ["wigner_D_matrix"]

_CONVENTION = ("real", "quantum", "centered", "cs")


def wigner_D_matrix(l, alpha, beta, gamma, field="real", normalization="quantum", order="centered", condon_shortley="cs"):
    """Matrix of the rotation Rz(alpha) Ry(beta) Rz(gamma) on the harmonics of degree l, shape (2l+1, 2l+1).

    Raises:
        NotImplementedError: for any other basis than the default one, the only one that escnn uses.
    """
    if (field, normalization, order, condon_shortley) != _CONVENTION:
        raise NotImplementedError(f"only the basis {_CONVENTION} is supported")
    swap = _axis_swap(int(l))
    return _z_rotation(alpha, l) @ swap @ _z_rotation(beta, l) @ swap @ _z_rotation(gamma, l)


def _z_rotation(angle, l):
    frequencies = np.arange(l, -l - 1, -1) * float(angle)
    matrix = np.fliplr(np.diag(np.sin(frequencies)))
    np.fill_diagonal(matrix, np.cos(frequencies))
    return matrix


@lru_cache(maxsize=None)
def _axis_swap(l):
    """J: the reflection (x, y, z) -> (x, -z, -y), which is minus the half turn about the axis (0, 1, 1) / sqrt(2)."""
    m = np.arange(-l, l)
    ladder = np.diag(np.sqrt(l * (l + 1) - m * (m + 1)), -1)  # raises m by one
    generator_y = (ladder - ladder.T) / 2j
    generator_z = np.diag(np.arange(-l, l + 1)).astype(complex)
    values, vectors = np.linalg.eigh((generator_y + generator_z) / np.sqrt(2.0))
    half_turn = (vectors * np.exp(-1j * np.pi * np.rint(values))) @ vectors.conj().T
    to_real = _complex_to_real(l)
    matrix = (-1.0) ** l * (to_real @ half_turn @ to_real.conj().T)
    return np.ascontiguousarray(matrix.real)


def _complex_to_real(l):
    """Rows: real harmonics m = -l..l; columns: complex ones with Condon-Shortley sign, m = -l..l."""
    matrix = np.zeros((2 * l + 1, 2 * l + 1), dtype=complex)
    matrix[l, l] = 1.0
    for m in range(1, l + 1):
        sign = (-1.0) ** m
        matrix[l + m, l + m], matrix[l + m, l - m] = sign / np.sqrt(2), 1 / np.sqrt(2)
        matrix[l - m, l + m], matrix[l - m, l - m] = -1j * sign / np.sqrt(2), 1j / np.sqrt(2)
    return matrix.conj()
