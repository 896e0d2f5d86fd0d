"""The loss: what each part rewards, and that subjects do not see one another."""

import dataclasses

import pytest
import torch

from medsym.models.asymmetry_net import NetworkOutput
from medsym.models.structures import STRUCTURES
from medsym.nn.head import HeadOutput
from medsym.training.losses import AsymmetryLoss, Batch
from medsym.training.settings import LossSettings

SHAPE = (6, 8, 6)


def subjects(count: int, *, seed: int = 0) -> tuple[NetworkOutput, Batch]:
    """Random predictions and truths."""
    generator = torch.Generator().manual_seed(seed)

    def noise(channels: int) -> torch.Tensor:
        return torch.randn((count, channels, *SHAPE), generator=generator)

    brain = (noise(1) > -1.0).float()
    output = NetworkOutput(
        anatomy_logits=noise(len(STRUCTURES)),
        pathology=HeadOutput(even=noise(1), odd=0.1 * noise(1), tolerance=noise(1).abs()),
    )
    batch = Batch(
        image=noise(1),
        structures=torch.randint(0, len(STRUCTURES), (count, 1, *SHAPE), generator=generator),
        lesion=(noise(1) > 1.5).float() * brain,
        brain=brain,
    )
    return output, batch


def part(output: NetworkOutput, batch: Batch, at: slice) -> tuple[NetworkOutput, Batch]:
    """Some of the subjects."""
    head = HeadOutput(**{f.name: getattr(output.pathology, f.name)[at] for f in FIELDS})
    small = Batch(**{f.name: getattr(batch, f.name)[at] for f in dataclasses.fields(batch)})
    return NetworkOutput(anatomy_logits=output.anatomy_logits[at], pathology=head), small


FIELDS = dataclasses.fields(HeadOutput)


def test_loss_of_a_batch_is_the_mean_over_its_subjects() -> None:
    loss = AsymmetryLoss(LossSettings())
    output, batch = subjects(4)
    batch.lesion[1] = 0.0  # one of them is healthy
    whole, parts = loss(output, batch)
    halves = [loss(*part(output, batch, at)) for at in (slice(0, 2), slice(2, 4))]
    torch.testing.assert_close(whole, (halves[0][0] + halves[1][0]) / 2)
    for name, value in parts.items():
        torch.testing.assert_close(value, (halves[0][1][name] + halves[1][1][name]) / 2)
    torch.testing.assert_close(whole, torch.stack(list(parts.values())).sum())


def test_right_answers_cost_less_than_wrong_ones_and_less_than_mirrored_ones() -> None:
    loss = AsymmetryLoss(LossSettings(tolerance=0.0))
    _, batch = subjects(2)
    one_hot = torch.nn.functional.one_hot(batch.structures[:, 0], len(STRUCTURES))
    anatomy = 8.0 * one_hot.movedim(-1, 1).float()

    def cost(lesion: torch.Tensor, logits: torch.Tensor) -> float:
        even = 8.0 * (2.0 * lesion - 1.0)
        zero = torch.zeros_like(even)
        head = HeadOutput(even=even, odd=zero, tolerance=zero)
        return float(loss(NetworkOutput(anatomy_logits=logits, pathology=head), batch)[0])

    right = cost(batch.lesion, anatomy)
    assert right < 0.1
    assert cost(batch.lesion.flip(2), anatomy) > right + 0.5
    assert cost(batch.lesion, anatomy.flip(2)) > right + 0.5


def test_subjects_without_labels_add_nothing_to_the_anatomy_part() -> None:
    loss = AsymmetryLoss(LossSettings())
    output, batch = subjects(2)
    _, before = loss(output, batch)
    _, first = loss(*part(output, batch, slice(0, 1)))
    batch.structures[1] = -1
    _, after = loss(output, batch)
    assert float(after["anatomy"]) < float(before["anatomy"])
    torch.testing.assert_close(after["anatomy"], first["anatomy"] / 2)


def test_tolerance_has_its_price() -> None:
    output, batch = subjects(2)
    _, parts = AsymmetryLoss(LossSettings(tolerance=0.5))(output, batch)
    expected = 0.5 * float(output.pathology.tolerance.mean())
    assert float(parts["tolerance"]) == pytest.approx(expected, rel=1e-5)


def test_a_healthy_batch_has_no_overlap_to_ask_for() -> None:
    output, batch = subjects(2)
    batch.lesion.zero_()
    total, parts = AsymmetryLoss(LossSettings())(output, batch)
    assert float(parts["dice"]) == 0.0
    assert bool(torch.isfinite(total))
