"""No drawn subject comes from what a model was trained on; its manifest states what that was.

Scans of a user's table are not checked: no manifest names the people of a training.
"""

from collections.abc import Sequence
from typing import Any

from medsym.errors import ConfigError
from medsym.evaluation.methods import Candidate
from medsym.synthesis.settings import SourceConfig


def refuse_leakage(source: SourceConfig, candidates: Sequence[Candidate]) -> list[str]:
    """Refuse a test set that a model was trained or calibrated on.

    Args:
        source: anatomies and lesion shapes of the evaluation.
        candidates: models under test.

    Returns:
        Remarks on what could not be checked, for the table.

    Raises:
        ConfigError: MS-383 a test anatomy, or a share of the test outlines, was trained on.
    """
    remarks = []
    if source.label_maps is None:
        remarks.append(
            "the configuration names no label maps: every subject comes from the template that "
            "training used too, so these are no unseen anatomies"
        )
    elif not source.reference_subjects:
        remarks.append("no reference subjects are named: thresholds come from training anatomies")
    for candidate in candidates:
        training = candidate.model.manifest.get("training", {})
        trained = training.get("synthesis", {}).get("source")
        if not trained:
            remarks.append(f"{candidate.name} does not state what it was trained on")
            continue
        if training.get("start_from"):
            remarks.append(
                f"{candidate.name} went on from another model, whose training it does not state"
            )
        _refuse_anatomies(source, trained, name=candidate.name)
        _refuse_outlines(source, trained, name=candidate.name)
    return remarks


def _refuse_anatomies(source: SourceConfig, trained: dict[str, Any], *, name: str) -> None:
    seen = {*trained.get("train_subjects", ()), *trained.get("reference_subjects", ())}
    both = sorted(seen & set(source.test_subjects))
    if both:
        raise ConfigError(
            code="MS-383",
            subject=name,
            cause=f"was trained or calibrated on the test anatomies {', '.join(both)}",
            fix="name other test_subjects",
        )


def _refuse_outlines(source: SourceConfig, trained: dict[str, Any], *, name: str) -> None:
    """Outlines are split by a hash of their name, so a smaller test share trained on more."""
    folders = {folder.name for folder in source.lesion_folders}
    share = float(trained.get("test_lesion_share", 0.0))
    shared = folders & {str(folder).rsplit("/", 1)[-1] for folder in trained["lesion_folders"]}
    if shared and share < source.test_lesion_share:
        raise ConfigError(
            code="MS-383",
            subject=name,
            cause=f"kept {share:g} of the lesion outlines for testing, the evaluation asks for "
            f"{source.test_lesion_share:g}",
            fix=f"set test_lesion_share to at most {share:g}",
        )
