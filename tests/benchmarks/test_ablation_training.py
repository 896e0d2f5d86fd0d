"""What makes the comparison of an ablation fair: equal subjects, order, steps and first weights."""

import math
import multiprocessing
from pathlib import Path

import pytest
import torch

from medsym.benchmarks.ablation.clock import MARGIN, SharedClock, affordable_steps, is_final
from medsym.benchmarks.ablation.drawing import shares_of
from medsym.benchmarks.ablation.settings import ARMS, DEFAULT_ARMS, AblationSettings
from medsym.benchmarks.ablation.subjects import SubjectFiles, mirrored, order_of
from medsym.benchmarks.ablation.training import CPU, Learner, Training, rate_share, train
from medsym.errors import ConfigError
from medsym.nn import ContralateralExchange
from medsym.synthesis.settings import LesionConfig, SourceConfig, SynthesisConfig
from medsym.training.losses import Batch
from medsym.training.settings import OptimiserSettings
from tests.benchmarks.ablation_problem import LEFT, RIGHT, SETTINGS, START, made_subject, on_grid

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
    losses = [float(learner(name).step(s, share=1.0)) for s in (subject, mirrored(subject))]
    assert math.isclose(losses[0], losses[1], rel_tol=1e-5) == blind


def test_only_the_arm_with_flips_meets_mirrored_subjects() -> None:
    subject, plain, flips = made_subject(), learner("free-alone"), learner("flips-alone")
    plainly = {float(plain.step(subject, share=0.0)) for _ in range(12)}
    flipped = {float(flips.step(subject, share=0.0)) for _ in range(12)}
    assert len(plainly) == 1
    assert len(flipped) == 2
    assert plainly < flipped


def test_each_subject_of_a_batch_is_mirrored_or_not_on_its_own() -> None:
    pair = Batch(
        **{n: torch.cat([getattr(made_subject(seed=k), n) for k in (0, 1)]) for n in NAMES}
    )
    turned = mirrored(pair, torch.tensor([False, True]))
    for name in NAMES:
        assert torch.equal(getattr(turned, name)[0], getattr(pair, name)[0])
        assert torch.equal(getattr(turned, name)[1], getattr(mirrored(pair), name)[1])
    assert not same(turned, pair)


def test_stored_subject_comes_back_as_it_was(tmp_path: Path) -> None:
    files = SubjectFiles(tmp_path, SETTINGS)
    files.folder.mkdir()
    subject = made_subject(seed=5)
    files.write("train", 2, on_grid(subject))
    assert same(files.batch("train", [2], device=CPU), subject)
    assert ("train", 2) not in files.missing()
    assert ("train", 1) in files.missing()
    assert len(files.missing()) == SETTINGS.subjects + SETTINGS.test_subjects - 1


def test_subjects_of_a_batch_lie_where_they_lay_in_the_box_that_holds_all(tmp_path: Path) -> None:
    files = SubjectFiles(tmp_path, SETTINGS, keep=True)
    files.folder.mkdir()
    x, y, z = START
    pair = [on_grid(made_subject(seed=1)), on_grid(made_subject(seed=2), start=(x, y + 4, z - 6))]
    for index, whole in enumerate(pair):
        files.write("train", index, whole)
    box = (slice(x, x + 8), slice(y, y + 16), slice(z - 6, z + 10))
    for order in ([0, 1], [1, 0]):  # the second time from memory
        batch = files.batch("train", order, device=CPU)
        for place, index in enumerate(order):
            one = Batch(**{n: getattr(batch, n)[place : place + 1] for n in NAMES})
            assert same(one, pair[index].cut(box))


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


def test_test_subjects_may_have_lesions_of_their_own() -> None:
    faint = LesionConfig(contrast_sd=(0.5, 1.0))
    settings = SETTINGS.model_copy(update={"test_lesions": faint})
    assert settings.synthesis_of("test").lesions == faint
    assert settings.synthesis_of("train").lesions == SETTINGS.synthesis.lesions != faint
    assert settings.subjects_key() != SETTINGS.subjects_key()


def test_every_pass_meets_every_subject_once_in_an_order_of_its_own() -> None:
    passes = [[order_of(2, subjects=7, step=7 * k + i)[0] for i in range(7)] for k in range(3)]
    threes = [order_of(2, subjects=7, step=step, batch=3) for step in range(7)]
    assert [i for three in threes for i in three] == [i for one in passes for i in one]
    assert all(sorted(one) == list(range(7)) for one in passes)
    assert passes[0] != passes[1] != passes[2]
    assert passes[0] != [order_of(3, subjects=7, step=i)[0] for i in range(7)]


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
    how = OptimiserSettings(warmup=0, cooldown=0.5)
    assert rate_share(95, total=steps, how=how) == 1.0
    assert rate_share(105, total=steps, how=how) < 1.0
    clock.total.value = steps
    assert is_final(clock, cooldown=0.5)
    clock.total.value = 2 * steps
    assert not is_final(clock, cooldown=0.5)


def stored(folder: Path) -> SubjectFiles:
    files = SubjectFiles(folder, SETTINGS)
    files.folder.mkdir()
    for index in range(SETTINGS.subjects):
        files.write("train", index, on_grid(made_subject(seed=index)))
    return files


def test_same_training_gives_the_same_network_and_does_its_steps(tmp_path: Path) -> None:
    files = stored(tmp_path)
    training = Training(arm=ARMS["head-exchange"], seed=1, rate=0.002, mixed_precision=False)
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
    training = Training(arm=ARMS["free-alone"], seed=0, rate=0.002, mixed_precision=False)
    assert train(training, stored(tmp_path), clock) is None
