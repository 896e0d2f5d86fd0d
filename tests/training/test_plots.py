"""Pictures of a run show the patient's sides where they are, and every curve there is."""

import io

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from medsym.training.plots import as_png, draw_curves, draw_subject
from medsym.training.validation import SubjectMaps


def maps(*, on_the_left: bool) -> SubjectMaps:
    """A lesion in one half of the volume; x grows to the patient's right."""
    truth = np.zeros((16, 20, 12), dtype=np.float32)
    truth[(slice(2, 5) if on_the_left else slice(11, 14)), 8:12, 4:7] = 1.0
    image = np.linspace(0.0, 1.0, truth.size, dtype=np.float32).reshape(truth.shape)
    return SubjectMaps(image=image, truth=truth, pathology=0.9 * truth, tolerance=0.1 + truth)


def panel(figure: Figure, label: str) -> Axes:
    return next(axes for axes in figure.axes if axes.get_label() == label)


def side_of_lesion(axes: Axes) -> str:
    """The letter beside the half of the picture that shows the lesion."""
    picture = np.asarray(axes.images[0].get_array())
    columns = np.flatnonzero((picture > 0.5).any(axis=0))
    half = "right" if columns.mean() > (picture.shape[1] - 1) / 2 else "left"
    letters = {text.get_text(): text.get_position()[0] for text in axes.texts}
    return min(letters, key=lambda letter: abs(letters[letter] - (half == "right")))


@pytest.mark.parametrize(("on_the_left", "letter"), [(True, "L"), (False, "R")])
@pytest.mark.parametrize("name", ["truth", "pathology"])
@pytest.mark.parametrize("plane", ["axial", "coronal"])
def test_a_lesion_is_drawn_beside_the_letter_of_its_side(
    on_the_left: bool, letter: str, name: str, plane: str
) -> None:
    figure = draw_subject(maps(on_the_left=on_the_left), title="t")
    assert side_of_lesion(panel(figure, f"{name} {plane}")) == letter


def test_the_check_would_notice_a_swap() -> None:
    swapped = maps(on_the_left=True)
    figure = draw_subject(
        SubjectMaps(
            image=swapped.image[::-1],
            truth=swapped.truth[::-1],
            pathology=swapped.pathology[::-1],
            tolerance=swapped.tolerance[::-1],
        ),
        title="t",
    )
    assert side_of_lesion(panel(figure, "truth axial")) == "R"


def test_slices_go_through_the_lesion_and_through_the_middle_without_one() -> None:
    given = maps(on_the_left=True)
    x, y, z = given.middle()
    assert given.truth[x].any()
    assert given.truth[:, y].any()
    assert given.truth[:, :, z].any()
    nothing = np.zeros_like(given.truth)
    empty = SubjectMaps(image=given.image, truth=nothing, pathology=nothing, tolerance=nothing)
    assert empty.middle() == (8, 10, 6)
    as_png(draw_subject(empty, title="t"))


def test_curves_show_every_part_score_and_layer_and_leave_gaps_for_what_is_missing() -> None:
    scores = {"pathology": 0.5, "baseline": 0.2, "prevalence": 0.1, "tolerance": 0.3}
    rows = [
        {
            "step": step,
            "parts": {"dice": 1.0 / step},
            "unseen": {**scores, "structures": None},
            "learning_rate": 0.1,
            "softness": {"levels.0": 0.05 * step},
        }
        for step in (1, 2)
    ]
    figure = draw_curves(rows, title="run")
    curves = {line.get_label(): line for axes in figure.axes for line in axes.lines}
    assert list(curves["dice"].get_ydata()) == [1.0, 0.5]
    assert list(curves["levels.0"].get_ydata()) == [0.05, 0.1]
    assert np.isnan(curves["structure Dice"].get_ydata()).all()
    assert list(curves["AUPRC"].get_xdata()) == [1, 2]
    picture = Image.open(io.BytesIO(as_png(figure)))
    assert picture.format == "PNG"
