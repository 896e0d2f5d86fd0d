"""The ablation end to end in its processes: equal steps, going on, ending in time, and refusals."""

import json
import math
import os
from pathlib import Path
from typing import Any, cast

import nibabel
import pytest
import torch
from safetensors.torch import load_file

from medsym.benchmarks.ablation.benchmark import run_ablation
from medsym.benchmarks.ablation.clock import SharedClock
from medsym.benchmarks.ablation.processes import begin, process_context
from medsym.benchmarks.ablation.results import FILE_NAME
from medsym.benchmarks.ablation.settings import ARMS, AblationSettings, RateSearch, Resources
from medsym.benchmarks.ablation.subjects import SubjectFiles
from medsym.benchmarks.ablation.training import Training, train
from medsym.errors import ConfigError
from medsym.synthesis.settings import LesionConfig, SourceConfig, SynthesisConfig
from tests.benchmarks.ablation_problem import SETTINGS, made_subject, on_grid
from tests.synthesis.heads import head_labels, ras_affine

pytestmark = pytest.mark.slow

COARSE = SETTINGS.model.model_copy(update={"spacing_mm": 6.0})


def drawing_from_maps(folder: Path) -> AblationSettings:
    """Settings whose subjects are drawn from two label maps in a folder."""
    folder.mkdir()
    for name in ("one", "two"):
        nibabel.save(nibabel.Nifti1Image(head_labels(), ras_affine()), folder / f"{name}.nii.gz")
    source = SourceConfig(label_maps=folder, train_subjects=("one",), test_subjects=("two",))
    synthesis = SynthesisConfig(source=source, lesions=LesionConfig(present=0.7))
    return SETTINGS.model_copy(update={"model": COARSE, "synthesis": synthesis})


def resources(folder: Path, *, minutes: float | None = None) -> Resources:
    return Resources(processes=2, minutes=minutes, out=folder)


def with_subjects(folder: Path, settings: AblationSettings = SETTINGS) -> SubjectFiles:
    files = SubjectFiles(folder, settings)
    files.folder.mkdir(parents=True)
    for index in range(settings.subjects):
        files.write("train", index, on_grid(made_subject(seed=index)))
    for split, first in (("test", 100), ("reference", 200)):
        for index in range(settings.counts().get(split, 0)):
            files.write(split, index, on_grid(made_subject(seed=first + index, sick=index > 0)))
    return files


def scores(numbers: dict[str, Any]) -> list[tuple[str, float]]:
    return [(arm["name"], arm["auprc"]) for arm in numbers["arms"]]


def test_subjects_are_drawn_once_and_a_stopped_run_goes_on(tmp_path: Path) -> None:
    settings = drawing_from_maps(tmp_path / "maps")
    first = run_ablation(settings, resources(tmp_path))
    assert first["unfinished"] == []
    assert first["steps"] == settings.optimiser.steps
    drawn = {p: p.stat().st_mtime_ns for p in tmp_path.glob("subjects-*/*.npz")}
    assert len(drawn) == settings.subjects + settings.test_subjects
    results = tmp_path / FILE_NAME
    kept, last = results.read_text(encoding="utf-8").splitlines()
    results.write_text(f"{kept}\n{last[: len(last) // 2]}", encoding="utf-8")  # killed in a line
    lines: list[str] = []
    again = run_ablation(settings, resources(tmp_path), report=lines.append)
    assert scores(again) == scores(first)
    assert {p: p.stat().st_mtime_ns for p in drawn} == drawn
    assert any("1 done" in line for line in lines)
    lines.clear()
    assert scores(run_ablation(settings, resources(tmp_path), report=lines.append)) == scores(first)
    assert any("2 done" in line for line in lines)


def test_processes_for_the_cpu_see_no_gpu_and_this_one_sees_what_it_saw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with process_context("cpu").Pool(1, initializer=begin, initargs=("cpu",)) as pool:
        assert pool.apply(os.getenv, ("CUDA_VISIBLE_DEVICES",)) == ""
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    assert process_context("cuda").get_start_method() == "spawn"


def test_with_a_time_limit_all_trainings_do_equally_many_steps(tmp_path: Path) -> None:
    settings = SETTINGS.with_changes({}, steps=100_000)
    with_subjects(tmp_path, settings)
    first = cast(Any, process_context("cpu")).Process(
        target=begin, args=("cpu",)
    )  # imports take time
    first.start()
    first.join()
    numbers = run_ablation(settings, resources(tmp_path, minutes=0.4))
    lines = (tmp_path / FILE_NAME).read_text(encoding="utf-8").splitlines()
    steps = {json.loads(line)["steps"] for line in lines}
    assert len(lines) + len(numbers["unfinished"]) == len(settings.arms)
    assert steps == {numbers["steps"]}
    assert 10 < numbers["steps"] < 100_000
    assert 5 < numbers["seconds"] < 45


def test_every_network_gets_the_rate_that_was_best_on_subjects_of_their_own(tmp_path: Path) -> None:
    search = RateSearch(rates=(1e-9, 0.02), steps=30, subjects=2)
    settings = SETTINGS.model_copy(update={"search": search})
    files = with_subjects(tmp_path, settings)
    numbers = run_ablation(settings, resources(tmp_path))
    lines = [json.loads(t) for t in (tmp_path / FILE_NAME).read_text("utf-8").splitlines()]
    assert len(lines) == 2 * len(settings.arms) + len(settings.arms)
    assert {len(row["per_subject"]["dice"]) for row in lines} == {2, settings.test_subjects}
    for arm in numbers["arms"]:
        tried = {r["rate"]: r["auprc"] for r in numbers["search"] if r["arm"] == arm["name"]}
        assert tried[arm["rate"]] == max(tried.values())
        assert tried[1e-9] != tried[0.02]
        with_rate = Training(arm=ARMS[arm["name"]], seed=0, rate=arm["rate"], mixed_precision=False)
        clock = SharedClock.start(process_context("cpu"), runs=1, total=4, deadline=math.inf)
        trained = train(with_rate, files, clock)
        assert trained is not None
        kept = load_file(tmp_path / "networks" / f"{arm['name']}-0.safetensors")
        for name, tensor in trained[0].state_dict().items():
            assert torch.allclose(kept[name], tensor, atol=1e-6), name
    longer = settings.with_changes({"seed": 4})
    with_subjects(tmp_path, longer)
    with pytest.raises(ConfigError, match="MS-398"):
        run_ablation(longer, resources(tmp_path, minutes=0.001))


def test_too_little_time_for_any_training_is_refused_and_keeps_the_subjects(tmp_path: Path) -> None:
    with_subjects(tmp_path)
    with pytest.raises(ConfigError, match="MS-397"):
        run_ablation(SETTINGS, resources(tmp_path, minutes=0.001))


def test_a_training_that_fails_is_named(tmp_path: Path) -> None:
    files = with_subjects(tmp_path)
    files.path("train", 1).write_bytes(b"not a subject")
    with pytest.raises(ConfigError, match=r"MS-396 (strict|free)-.*/0: the training failed"):
        run_ablation(SETTINGS, resources(tmp_path))
