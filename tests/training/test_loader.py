"""Subjects reach the network as they were drawn, in order, whatever carried them."""

import os
import signal
from collections.abc import Iterator
from multiprocessing.reduction import ForkingPickler
from typing import Any

import pytest
import torch
from torch.utils.data import Dataset

from medsym.models.support import support_box
from medsym.synthesis.case import SyntheticCase
from medsym.training.loader import (
    PLANES,
    Waiting,
    box_of,
    load,
    outlive_signals,
    pack,
    pack_one,
    synthesis_device,
    unpack,
)
from medsym.training.settings import TrainSettings
from medsym.training.user_data import make_dataset
from tests.training.small_run import CONFIG, SHAPE, FormulaSubjects, formula_case

CPU = torch.device("cpu")


def loaded(subjects: Dataset[Any], *, number: int, workers: int, **how: Any) -> Iterator[Any]:
    return iter(load(subjects, range(number), workers=workers, synthesis=CPU, training=CPU, **how))


def test_packing_and_unpacking_gives_the_subjects_inside_the_box() -> None:
    cases = [formula_case(1, index) for index in range(3)]
    packed = pack(cases)
    box = box_of(packed[PLANES], shape=SHAPE, multiple=4)
    batch = unpack(packed, box, CPU)
    assert batch.image.shape[0] == 3
    assert batch.image.shape[2] < SHAPE[0]
    for number, case in enumerate(cases):
        assert torch.equal(batch.image[number, 0], case.image[box])
        assert torch.equal(batch.structures[number, 0], case.structures[box])
        assert torch.equal(batch.lesion[number, 0], case.lesion[box].float())
        assert torch.equal(batch.brain[number, 0], case.brain[box].float())
    assert batch.structures.dtype == torch.int64
    assert {t.dtype for t in (batch.image, batch.lesion, batch.brain)} == {torch.float32}


def test_box_from_planes_is_the_box_that_inference_uses_and_holds_every_image() -> None:
    cases = [formula_case(1, index) for index in range(2)]
    filled = torch.stack([c.image != 0 for c in cases]).any(0).numpy()
    filled[3:5, 2, 28] = True  # a stray voxel pair that stretches the box
    cases[0].image[3:5, 2, 28] = 1.0
    found = box_of(pack(cases)[PLANES], shape=SHAPE, multiple=4)
    assert found == support_box(filled, multiple=4)
    assert found[0].start + found[0].stop == SHAPE[0]  # centred on the mid-plane


def test_structures_that_are_not_known_stay_so() -> None:
    case = formula_case(1, 0)
    case.structures.fill_(-1)
    packed = pack([case])
    batch = unpack(packed, (slice(None), slice(None), slice(None)), CPU)
    assert bool((batch.structures == -1).all())


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_order_whoever_draws_them(workers: int) -> None:
    found = [b["image"] for b in loaded(FormulaSubjects(7), number=6, workers=workers, batch=2)]
    expected = [formula_case(7, index).image for index in range(6)]
    assert len(found) == 3
    assert torch.equal(torch.cat(found)[:, 0], torch.stack(expected))


def test_what_a_worker_needs_can_be_sent_to_a_process_that_starts_afresh() -> None:
    settings = TrainSettings.model_validate(CONFIG)
    subjects = make_dataset(settings, split="train", device="cpu")
    for thing in (subjects, pack, pack_one, outlive_signals):
        sent = ForkingPickler.dumps(thing)
        assert type(ForkingPickler.loads(sent)) is type(thing)


class Telling(Dataset[SyntheticCase]):
    """Subjects that carry the number of the process that drew them, negated: no structure."""

    def __getitem__(self, index: int) -> SyntheticCase:
        case = formula_case(1, index)
        case.image.fill_(float(os.getpid()))
        return case


def test_workers_go_on_for_a_while_after_the_signals_of_a_batch_system() -> None:
    batches = loaded(Telling(), number=8, workers=1, batch=None, collate=pack_one)
    worker = int(next(batches)["image"].max())
    assert worker != os.getpid()
    os.kill(worker, signal.SIGINT)
    os.kill(worker, signal.SIGTERM)
    assert [int(b["image"].max()) for b in batches] == [worker] * 7


def test_waiting_is_the_time_that_the_source_took() -> None:
    times = iter([0.0, 2.0, 10.0, 10.5, 20.0, 20.25])
    waiting = Waiting(iter("ab"), clock=lambda: next(times))
    assert list(waiting) == ["a", "b"]
    assert waiting.seconds == pytest.approx(2.0 + 0.5 + 0.25)


def test_closing_lets_the_source_go() -> None:
    waiting = Waiting(iter("ab"))
    next(waiting)
    waiting.close()
    assert list(waiting) == []


@pytest.mark.parametrize(
    ("asked", "training", "expected"),
    [
        ("auto", "cpu", "cpu"),
        ("auto", "cuda:1", "cuda:1"),
        ("cpu", "cuda:1", "cpu"),
        ("cuda", "cuda:1", "cuda:1"),
        ("cpu", "cpu", "cpu"),
    ],
)
def test_subjects_are_drawn_where_the_settings_say(
    asked: str, training: str, expected: str
) -> None:
    settings = TrainSettings.model_validate({"name": "a", "synthesis_device": asked})
    assert synthesis_device(settings, torch.device(training)) == torch.device(expected)
