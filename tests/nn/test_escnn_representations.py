"""escnn's representations of the mirror, and the care taken when it is imported."""

import os
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch

from medsym.errors import GridError, ModelError
from medsym.nn.representations import (
    Fields,
    escnn,
    escnn_action,
    label_action,
    mirror_action,
)
from medsym.symmetry.mirror import ChannelAction


@pytest.mark.parametrize(
    ("trivial", "sign", "regular"), [(1, 0, 0), (0, 2, 0), (0, 0, 3), (2, 1, 2)]
)
def test_escnn_and_our_own_actions_agree(trivial: int, sign: int, regular: int) -> None:
    own = ChannelAction.trivial(trivial) + ChannelAction.sign(sign) + ChannelAction.regular(regular)
    assert mirror_action(trivial=trivial, sign=sign, regular=regular) == own
    assert escnn_action(Fields(trivial=trivial, sign=sign, regular=regular)) == own


def test_channel_order_is_trivial_then_sign_then_swapped_neighbours() -> None:
    action = mirror_action(trivial=1, sign=1, regular=2)
    assert action.perm == (0, 1, 3, 2, 5, 4)
    assert action.signs == (1, -1, 1, 1, 1, 1)


def test_mirror_action_applied_twice_changes_nothing() -> None:
    action = mirror_action(trivial=2, sign=3, regular=2)
    features = torch.randn(2, action.channels, 4, 3, 2, generator=torch.Generator().manual_seed(1))
    assert not torch.equal(action.apply(features), features)
    assert torch.equal(action.apply(action.apply(features)), features)


def test_label_action_swaps_the_named_pairs_only() -> None:
    left_right = torch.tensor([[10.0, 20.0, 30.0, 40.0]])
    swapped = label_action([0, 2, 1, 3]).apply(left_right)
    assert swapped.tolist() == [[10.0, 30.0, 20.0, 40.0]]


def test_label_action_refuses_what_is_no_involution() -> None:
    with pytest.raises(GridError, match="not an involution"):
        label_action([1, 2, 0])


@pytest.mark.parametrize("counts", [{}, {"trivial": -1, "sign": 2}])
def test_fields_refuse_counts_that_make_no_channels(counts: dict[str, int]) -> None:
    with pytest.raises(ModelError, match="not a sum of fields"):
        Fields(**counts)


def test_null_space_of_a_numpy_matrix_is_repaired() -> None:
    with pytest.warns(PendingDeprecationWarning):
        rank_one = np.matrix([[1.0, 1.0], [2.0, 2.0]])
    basis = escnn.group._numerical.null(rank_one, False)
    assert basis.shape == (2, 1)
    assert np.abs(np.asarray(rank_one) @ basis).max() < 1e-12


def test_importing_leaves_joblib_as_it_was(tmp_path: Path) -> None:
    assert isinstance(joblib.Memory, type)
    assert joblib.Memory(tmp_path, verbose=0).location is not None


def test_import_raises_no_warning_and_prints_nothing() -> None:
    command = [sys.executable, "-W", "error", "-c", "from medsym.nn.representations import escnn"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_import_makes_no_directory() -> None:
    """A read-only installation: every attempt to make a directory fails."""
    code = (
        "import os\n"
        "def refuse(path, *a, **k): raise PermissionError(13, 'read-only', str(path))\n"
        "import torch, joblib, sklearn.utils.extmath, pymanopt\n"
        "os.mkdir = os.makedirs = refuse\n"
        "from medsym.nn.representations import Fields, escnn_action\n"
        "print(escnn_action(Fields(regular=1)).perm)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 0)"
