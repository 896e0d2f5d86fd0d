"""The NumPy Wigner D matrices that stand in for lie_learn, against published values and laws."""

import numpy as np
import pytest
from lie_learn.representations.SO3.wigner_d import _axis_swap, wigner_D_matrix
from scipy.spatial.transform import Rotation
from scipy.special import sph_harm_y

ANGLES = (0.3, 1.1, -2.0)
DEGREES = range(7)


def real_harmonics(degree: int, points: np.ndarray) -> np.ndarray:
    """Real spherical harmonics (points, 2l+1), m = -l..l, no Condon-Shortley sign, from scipy."""
    theta, phi = np.arccos(points[:, 2]), np.arctan2(points[:, 1], points[:, 0])
    columns = []
    for m in range(-degree, degree + 1):
        value = (-1.0) ** m * np.sqrt(2.0) * sph_harm_y(degree, abs(m), theta, phi)
        columns.append(value.imag if m < 0 else value.real)
    columns[degree] = sph_harm_y(degree, 0, theta, phi).real
    return np.stack(columns, axis=1)


def zyz(alpha: float, beta: float, gamma: float) -> np.ndarray:
    return Rotation.from_euler("ZYZ", [alpha, beta, gamma]).as_matrix()


def test_axis_swap_has_the_published_entries() -> None:
    root = np.sqrt(3) / 2
    degree_one = [[0, -1, 0], [-1, 0, 0], [0, 0, 1]]
    degree_two = [
        [0, 0, 0, -1, 0],
        [0, 1, 0, 0, 0],
        [0, 0, -0.5, 0, -root],
        [-1, 0, 0, 0, 0],
        [0, 0, -root, 0, 0.5],
    ]
    np.testing.assert_allclose(_axis_swap(1), degree_one, atol=1e-14)
    np.testing.assert_allclose(_axis_swap(2), degree_two, atol=1e-14)


@pytest.mark.parametrize("degree", DEGREES)
def test_axis_swap_is_an_involution(degree: int) -> None:
    np.testing.assert_allclose(
        _axis_swap(degree) @ _axis_swap(degree), np.eye(2 * degree + 1), atol=1e-13
    )


def test_degree_one_is_the_rotation_matrix_on_y_z_x() -> None:
    order = [1, 2, 0]
    rotation = zyz(*ANGLES)[np.ix_(order, order)]
    np.testing.assert_allclose(wigner_D_matrix(1, *ANGLES), rotation, atol=1e-13)


@pytest.mark.parametrize("degree", DEGREES)
def test_harmonics_of_rotated_points_are_rotated_harmonics(degree: int) -> None:
    points = np.random.default_rng(5).normal(size=(40, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    rotated = real_harmonics(degree, points @ zyz(*ANGLES).T)
    expected = real_harmonics(degree, points) @ wigner_D_matrix(degree, *ANGLES).T
    np.testing.assert_allclose(rotated, expected, atol=1e-12)


@pytest.mark.parametrize("degree", DEGREES)
def test_product_of_rotations_is_product_of_matrices(degree: int) -> None:
    second = (-0.4, 0.9, 2.2)
    product = Rotation.from_matrix(zyz(*ANGLES) @ zyz(*second)).as_euler("ZYZ")
    expected = wigner_D_matrix(degree, *ANGLES) @ wigner_D_matrix(degree, *second)
    np.testing.assert_allclose(wigner_D_matrix(degree, *product), expected, atol=1e-12)


def test_other_bases_are_refused_by_name() -> None:
    with pytest.raises(NotImplementedError, match="only the basis"):
        wigner_D_matrix(1, 0.0, 0.0, 0.0, field="complex")
