"""The result of the benchmark of pre-training as Markdown tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from medsym.benchmarks.pretraining.separability import QUESTIONS
from medsym.text_table import Row, with_interval
from medsym.training.pretraining.pooled import PARTS

SCORES = {"auprc": "Lesions, AUPRC over all voxels", "dice": "Structures, mean Dice"}
NETWORKS = {
    "random": "untrained",
    "whole": "masked denoising",
    "split": "split latent",
}


def format_pretraining(result: Mapping[str, Any]) -> str:
    """Effect per number of labelled subjects, then what the parts of the latent know."""
    settings, seconds = result["settings"], result["pretrain_cpu_seconds"]
    budget = (
        f"{settings['subjects']} scans without labels, {settings['pretrain']['steps']} steps of "
        f"pre-training: {seconds['whole']:.0f} s of processor time without the split, "
        f"{seconds['split']:.0f} s with it. {settings['test_subjects']} test subjects, "
        f"{settings['seeds']} seeds; brackets are 95 % intervals over subjects and seeds."
    )
    blocks = [budget]
    for labelled in dict.fromkeys(row["labelled"] for row in result["effect"]):
        rows = [row for row in result["effect"] if row["labelled"] == labelled]
        for score, title in SCORES.items():
            heading = f"### {title}, trained with {labelled} labelled subjects"
            chance = f" (chance {rows[0]['prevalence']:.3f})" if score == "auprc" else ""
            blocks.append(f"{heading}{chance}\n\n{_effect_table(rows, score)}")
    blocks.append(
        "### What linear probes read off the latent, accuracy\n\n"
        + _separability_table(result["separability"])
    )
    return "\n\n".join(blocks)


def _effect_table(rows: Sequence[Row], score: str) -> str:
    lines = [
        f"| start | steps | training, CPU s | {score} | over scratch | over scratch, longer |",
        "|---" * 6 + "|",
    ]
    level = with_interval(score)
    lines += [
        f"| {row['title']} | {row['steps']} | {row['cpu_seconds']:.0f} | {level(row)} | "
        f"{_gain(row, score, 'random')} | {_gain(row, score, 'longer')} |"
        for row in rows
    ]
    return "\n".join(lines)


def _gain(row: Row, name: str, reference: str) -> str:
    if row["start"] == reference:
        return ""
    low, high = row[f"{name}_over_{reference}_interval"]
    return f"{row[f'{name}_over_{reference}']:+.3f} [{low:+.3f}, {high:+.3f}]"


def _separability_table(rows: Sequence[Row]) -> str:
    found = {(row["network"], row["question"], row["part"]): row for row in rows}
    lines = [
        "| question | chance | part | " + " | ".join(NETWORKS.values()) + " |",
        "|---" * 6 + "|",
    ]
    for question, words in QUESTIONS.items():
        for part in PARTS:
            cells = [found.get((network, question, part)) for network in NETWORKS]
            if cells[0] is not None:
                chance = f"{cells[0]['chance']:.3f}"
                lines.append(f"| {words} | {chance} | {part} | {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines)


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    low, high = row["interval"]
    return f"{row['accuracy']:.3f} [{low:.3f}, {high:.3f}]"
