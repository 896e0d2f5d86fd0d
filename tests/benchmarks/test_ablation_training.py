"""What makes the comparison of an ablation fair: equal subjects, order, steps and first weights."""

import math
import multiprocessing
from pathlib import Path

import pytest
import torch

from medsym.benchmarks.ablation.clock import MARGIN, SharedClock, affordable_steps
from medsym.benchmarks.ablation.settings import ARMS, DEFAULT_ARMS, AblationSettings
from medsym.benchmarks.ablation.subjects import SubjectFiles, mirrored, order_of, shares_of
from medsym.benchmarks.ablation.training import Learner, Training, rate_share, train
from medsym.errors import ConfigError
from medsym.nn import ContralateralExchange
from medsym.synthesis.settings import SourceConfig, SynthesisConfig
from medsym.training.losses import Batch
from medsym.training.settings import OptimiserSettings
from tests.benchmarks.ablation_problem import LEFT, RIGHT, SETTINGS, made_subject

NAMES = ("image", "structures", "lesion", "brain")


def learner(name: str) -> Learner:
    return Learner(ARMS[name], seed=1, settings=SETTINGS, mixed_precision=False)


def same(first: Batch, second: Batch) -> bool:
    return all(torch.equal(getattr(first, n), getattr(second, n)) for n in NAMES)


@pytest.mark.parametrize("name", ARMS)
def test_arm_has_the_exchange_exactly_if_its_name_says_so(name: str) -> None:
    modules = learner(name).network.modules()
    assert any(isinstance(m, ContralateralExchange) for m in modules) == name.endswith("-exchange")


@pytest.mark.parametrize("name", ARMS)
def test_only_free_and_softly_weighted_networks_start_with_a_defect(name: str) -> None:
    network, image = learner(name).network.eval(), made_subject().image
    with torch.no_grad():
        there = network(image).pathology_logits
        back = network(image.flip(2)).pathology_logits.flip(2)
    exact = name.split("-", maxsplit=1)[0] in ("strict", "head")
    assert (float((there - back).abs().max()) < 1e-5) == exact


def test_arms_with_equal_layers_start_from_equal_weights() -> None:
    first, second = (learner(n).network.state_dict() for n in ("free-alone", "flips-alone"))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_unknown_arm_is_refused_and_the_known_ones_are_named() -> None:
    wrong = AblationSettings(arms=("stict-exchange",))
    with pytest.raises(ConfigError, match=r"MS-395.*strict-exchange"):
        wrong.chosen()
    assert [arm.name for arm in AblationSettings().chosen()] == list(DEFAULT_ARMS)


def test_mirrored_subject_has_its_left_structure_on_the_right() -> None:
    subject = made_subject()
    twin = mirrored(subject)
    right_half = slice(4, None)
    assert int((twin.structures == RIGHT).sum()) == int((subject.structures == LEFT).sum())
    assert bool((twin.structures[:, :, right_half] == RIGHT).any())
    assert not bool((twin.structures[:, :, right_half] == LEFT).any())
    assert bool(twin.lesion[:, :, right_half].any())
    assert same(mirrored(twin), subject)


@pytest.mark.parametrize(("name", "blind"), [("strict-exchange", True), ("free-alone", False)])
def test_flips_can_teach_a_strict_network_nothing(name: str, *, blind: bool) -> None:
    subject = made_subject()
    losses = [learner(name).step(s, share=1.0) for s in (subject, mirrored(subject))]
    assert math.isclose(losses[0], losses[1], rel_tol=1e-5) == blind


def test_only_the_arm_with_flips_meets_mirrored_subjects() -> None:
    subject, plain, flips = made_subject(), learner("free-alone"), learner("flips-alone")
    fixed = [(plain.step(subject, share=0.0), flips.step(subject, share=0.0)) for _ in range(12)]
    assert len({a for a, _ in fixed}) == 1
    assert len({b for _, b in fixed}) == 2
    assert {a for a, _ in fixed} < {b for _, b in fixed}


def test_stored_subject_comes_back_as_it_was(tmp_path: Path) -> None:
    files = SubjectFiles(tmp_path, SETTINGS)
    files.folder.mkdir()
    subject = made_subject(seed=5)
    files.write("train", 2, subject)
    assert same(files.read("train", 2), subject)
    assert ("train", 2) not in files.missing()
    assert ("train", 1) in files.missing()
    assert len(files.missing()) == SETTINGS.subjects + SETTINGS.test_subjects - 1


def test_drawn_subjects_serve_other_budgets_but_not_other_syntheses() -> None:
    more = SETTINGS.with_changes({"subjects": 9, "arms": ("head-alone",)}, steps=77)
    assert (more.subjects, more.optimiser.steps) == (9, 77)
    assert more.subjects_key() == SETTINGS.subjects_key()
    assert more.run_key() != SETTINGS.run_key()
    other = SETTINGS.with_changes({"seed": 4})
    assert other.subjects_key() != SETTINGS.subjects_key()


def test_sources_opened_side_by_side_are_each_opened_once(tmp_path: Path) -> None:
    source = SourceConfig(
        label_maps=tmp_path,
        train_subjects=("a", "b"),
        test_subjects=("c",),
        lesion_folders=tuple(tmp_path / name for name in "pqrs"),
    )
    settings = SETTINGS.model_copy(update={"synthesis": SynthesisConfig(source=source)})
    shares = shares_of(SubjectFiles(tmp_path, settings))
    assert [split for _, split in shares] == ["train", "train", "test"]
    opened = [getattr(c.source, f"{split}_subjects") for c, split in shares]
    assert opened == [("a",), ("b",), ("c",)]
    folders = [folder for config, _ in shares for folder in config.source.lesion_folders]
    assert sorted(folders) == sorted(source.lesion_folders)


def test_every_pass_meets_every_subject_once_in_an_order_of_its_own() -> None:
    passes = [[order_of(2, subjects=7, step=7 * k + i) for i in range(7)] for k in range(3)]
    assert all(sorted(one) == list(range(7)) for one in passes)
    assert passes[0] != passes[1] != passes[2]
    assert passes[0] != [order_of(3, subjects=7, step=i) for i in range(7)]


def test_rate_before_the_cool_down_does_not_know_the_number_of_steps() -> None:
    how = OptimiserSettings(warmup=10, cooldown=0.4)
    for step in range(60):
        assert rate_share(step, total=100, how=how) == rate_share(step, total=0, how=how)
    assert rate_share(70, total=100, how=how) < 1.0
    assert rate_share(99, total=100, how=how) < 0.05


def clock_with(*, done: list[int], started: list[float], total: int = 0) -> SharedClock:
    clock = SharedClock.start(multiprocessing.get_context("spawn"), runs=len(done), total=total)
    clock.done[:], clock.started[:] = done, started
    return clock


def test_the_slowest_training_decides_how_many_steps_fit() -> None:
    clock = clock_with(done=[11, 21], started=[0.0, 0.0])  # 1 and 2 steps a second, first is free
    steps = affordable_steps(
        clock, running=2, now=10.0, end=110.0, extra_steps=5.0, most=1000, cooldown=0.5
    )
    assert steps == math.floor(MARGIN * 111 - 5)


def test_steps_stay_undecided_until_every_training_is_under_way() -> None:
    clock = clock_with(done=[50, 0, 0], started=[0.0, 0.0, 0.0])
    options = {"now": 10.0, "end": 99.0, "extra_steps": 0.0, "most": 9, "cooldown": 0.5}
    assert affordable_steps(clock, running=2, **options) is None
    assert affordable_steps(clock, running=1, **options) == 9


def test_no_training_has_entered_its_cool_down_when_the_steps_are_decided() -> None:
    clock = clock_with(done=[90, 10], started=[0.0, 0.0])
    steps = affordable_steps(
        clock, running=2, now=10.0, end=11.0, extra_steps=0.0, most=1000, cooldown=0.5
    )
    assert steps is not None
    assert rate_share(90, total=steps, how=OptimiserSettings(warmup=0, cooldown=0.5)) == 1.0


def stored(folder: Path) -> SubjectFiles:
    files = SubjectFiles(folder, SETTINGS)
    files.folder.mkdir()
    for index in range(SETTINGS.subjects):
        files.write("train", index, made_subject(seed=index))
    return files


def test_same_training_gives_the_same_network_and_does_its_steps(tmp_path: Path) -> None:
    files = stored(tmp_path)
    training = Training(arm=ARMS["head-exchange"], seed=1, place=0, mixed_precision=False)
    states = []
    for _ in range(2):
        clock = clock_with(done=[0], started=[0.0], total=4)
        found = train(training, files, clock)
        assert found is not None
        assert clock.done[0] == 4
        states.append(found[0].state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_training_gives_up_at_the_deadline(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    clock = SharedClock.start(context, runs=1, total=4, deadline=0.0)
    training = Training(arm=ARMS["free-alone"], seed=0, place=0, mixed_precision=False)
    assert train(training, stored(tmp_path), clock) is None
