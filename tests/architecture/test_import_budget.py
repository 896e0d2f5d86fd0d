"""What a person imports decides what they wait for."""

import subprocess
import sys

import pytest

HEAVY = (
    *("torch", "monai", "escnn", "nibabel", "sklearn", "nilearn", "streamlit", "scipy", "pandas"),
    *("matplotlib", "torch._dynamo"),
)


def loaded_after(statement: str) -> set[str]:
    """Names of the heavy packages in memory after one statement in a new interpreter."""
    code = f"{statement}\nimport sys\nprint(' '.join(n for n in {HEAVY} if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_check_notices_a_heavy_import() -> None:
    assert "nibabel" in loaded_after("import nibabel")


def test_import_medsym_loads_nothing_heavy() -> None:
    assert loaded_after("import medsym") == set()


def test_import_of_the_command_line_loads_nothing_heavy() -> None:
    assert loaded_after("import medsym.cli") == set()


def test_symmetry_needs_torch_alone() -> None:
    assert loaded_after("import medsym.symmetry") == {"torch"}


def test_reading_scans_needs_neither_networks_nor_learning() -> None:
    loaded = loaded_after("import medsym.volumes.nifti")
    assert not loaded & {"monai", "escnn", "sklearn", "nilearn", "streamlit"}


def test_screening_starts_without_what_its_network_does_not_use() -> None:
    loaded = loaded_after(
        "from medsym.models.store import load_model; import medsym.screening.batch; load_model()"
    )
    assert "torch" in loaded
    assert not loaded & {
        *("monai", "escnn", "sklearn", "nilearn", "streamlit", "matplotlib", "torch._dynamo")
    }


@pytest.mark.parametrize("name", ["MedsymError", "RESEARCH_USE_ONLY", "__version__"])
def test_light_public_names_stay_light(name: str) -> None:
    assert loaded_after(f"import medsym; medsym.{name}") == set()
