"""The whole report on networks whose answer is known."""

import json

import pytest
import torch
from monai.networks.nets import SegResNet
from torch import Tensor, nn

from medsym.audit.compliance import compliance_of
from medsym.audit.cost import cost_of, measured_cost
from medsym.audit.network_audit import audit_network
from medsym.audit.subject import load_subject, subject_of
from medsym.audit.table import format_audit
from medsym.errors import ModelError
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.retrofit import soften
from medsym.models.settings import ModelSettings
from medsym.symmetry import ChannelAction, SoftEquivariant, mirror
from medsym.symmetry.parametrisation import soft_tensors
from tests.audit.small_networks import GainOnTheRight, asymmetric_volume, exact_network


def tiny_net(softness: str = "head") -> AsymmetryNet:
    settings = ModelSettings(
        pairs=(2, 3), decoder_pairs=2, head_pairs=2, window=(0, 1), softness=softness
    )
    return AsymmetryNet(settings).eval()


def test_exact_network_passes_and_the_report_is_plain_json() -> None:
    audit = audit_network(exact_network(), asymmetric_volume(), name="exact")
    numbers = json.loads(json.dumps(audit.numbers(), allow_nan=False))
    volume = numbers["volumes"][0]
    assert volume["outputs"][0]["defect"] < 1e-5
    assert volume["first_layer_above_tolerance"] is None
    assert [m["motion"] for m in volume["motions"]] == ["shift x", "tilt xy", "tilt xz"]
    assert [c["form"] for c in numbers["cost"]] == ["as audited", "folded"]
    text = format_audit(numbers)
    assert text.startswith("exact, ")
    assert "symmetry is nowhere lost" in text
    assert "all with softness 0" in text


def test_defect_lies_where_the_scan_shows_it() -> None:
    """Only the patient's right is changed, so the map is as bright as the scan's right side.

    The defect itself lives at the places of S x; the map has to be mirrored back.
    """
    volume = torch.zeros(1, 1, 16, 12, 8)
    volume[0, 0, 12, 3, 5], volume[0, 0, 2, 8, 1] = 1.0, 3.0
    found = audit_network(GainOnTheRight(), volume).volumes[0].outputs[0].voxels
    assert found.shape == (16, 12, 8)
    assert found[12, 3, 5] == pytest.approx(1.0)
    assert found[2, 8, 1] == pytest.approx(3.0)
    assert found[3, 3, 5] == found[13, 8, 1] == 0.0


def test_labels_have_to_swap_for_a_network_of_sides() -> None:
    one, sides = ChannelAction.trivial(1), ChannelAction.labels([1, 0])
    conv = nn.Conv3d(1, 2, 3, padding=1)
    with torch.no_grad():
        conv.weight[1] = conv.weight[0].flip(1)
        conv.bias[1] = conv.bias[0]
    good = audit_network(conv, asymmetric_volume(), action_out=sides)
    bad = audit_network(conv, asymmetric_volume(), action_out=one + one)
    assert good.volumes[0].outputs[0].defect < 1e-5
    assert bad.volumes[0].outputs[0].defect > 0.1


def test_tolerance_is_kept_and_its_use_is_told() -> None:
    soft = SoftEquivariant(nn.Conv3d(1, 1, 3, padding=1), tolerance=0.1)
    output = audit_network(soft, asymmetric_volume()).volumes[0].outputs[0]
    kept = output.compliance
    assert kept is not None
    assert kept.within_rounding == 1.0
    assert kept.tightness == pytest.approx(1.0, abs=1e-3)
    assert output.largest == pytest.approx(0.2, abs=1e-4)


def test_broken_promise_is_counted() -> None:
    defect = torch.tensor([0.0, 0.1, 0.2, -0.4]).reshape(1, 1, 4, 1, 1)
    kept = compliance_of(defect, torch.full_like(defect, 0.2), value=torch.zeros_like(defect))
    assert (kept.within, kept.within_rounding) == (0.75, 0.75)
    assert kept.largest_excess == pytest.approx(0.2)
    assert kept.tightness == pytest.approx(2.0)
    narrow = compliance_of(defect, torch.zeros_like(defect), value=torch.zeros_like(defect))
    assert narrow.tightness is None
    assert narrow.within == 0.25


def test_softness_in_the_encoder_breaks_the_bound_of_the_head() -> None:
    """The tolerance bounds the head alone: its backbone has to be exact."""
    volume, found = torch.rand(1, 1, 16, 16, 16), {}
    for softness in ("head", "both"):
        torch.manual_seed(0)
        net = tiny_net(softness)
        if softness == "both":
            for tensor in soft_tensors(net.levels):
                tensor.weight.softness.write(0.9)
        outputs = audit_network(net, volume).volumes[0].outputs
        assert [output.name for output in outputs] == ["pathology", "anatomy"]
        found[softness] = outputs[0].compliance
        assert (outputs[1].defect < 1e-4) == (softness == "head")
    assert found["head"].within_rounding == 1.0
    assert found["both"].within_rounding < 1.0
    assert found["both"].tightness > 1.0  # the largest defect over its bound


def test_bound_of_the_head_is_mirrored_to_the_places_of_the_defect() -> None:
    """A tolerance that differs between the sides is caught if it is compared unmirrored."""
    subject = subject_of(tiny_net())
    bound = subject.main.bound
    assert bound is not None
    with torch.no_grad():
        output = subject.network(torch.rand(1, 1, 16, 16, 16))
    assert torch.equal(bound(output), 2.0 * mirror(output.pathology.tolerance))
    assert not torch.equal(bound(output), 2.0 * output.pathology.tolerance)


def test_two_passes_cost_about_two_passes() -> None:
    net = nn.Conv3d(1, 8, 3, padding=1)
    soft = SoftEquivariant(net, tolerance=0.1)
    rows = cost_of(subject_of(soft), torch.rand(1, 1, 48, 48, 48), repeats=7)
    assert [row.form for row in rows] == ["as audited", "one plain pass"]
    assert rows[1].ratio == 1.0
    assert 1.4 < rows[0].ratio < 4.0


def test_cost_leaves_threads_training_and_parametrisations_alone() -> None:
    net = exact_network(softness=0.3)
    net.train()
    threads = torch.get_num_threads()
    assert [row.form for row in cost_of(subject_of(net), asymmetric_volume(), repeats=1)] == [
        *("as audited", "folded")
    ]
    assert net.training
    assert torch.get_num_threads() == threads
    assert len(list(soft_tensors(net))) == 10
    assert measured_cost({"only": nn.Identity()}, asymmetric_volume(), repeats=1)[0].ratio == 1.0


def test_softened_network_says_how_the_mirror_acts_on_it() -> None:
    """The same SegResNet before and after softening: lost at the first layer, then nowhere."""
    plain = SegResNet(init_filters=8, in_channels=1, out_channels=2)
    volume = torch.rand(1, 1, 16, 16, 16)
    first = audit_network(plain, volume).volumes[0].layers.first_above(1e-4)
    assert first is not None
    assert first.path == "convInit.conv"
    sides = ChannelAction.labels([1, 0])
    soft = audit_network(soften(plain, action_out=sides), volume)
    assert soft.volumes[0].outputs[0].defect < 1e-4
    assert soft.volumes[0].layers.first_above(1e-4) is None
    assert [row.form for row in soft.cost] == ["as audited", "folded"]


def test_networks_without_one_volume_as_output_are_refused() -> None:
    class Pair(nn.Module):
        def forward(self, volume: Tensor) -> tuple[Tensor, Tensor]:
            return volume, volume

    with pytest.raises(ModelError, match=r"MS-276 .*returns tuple"):
        audit_network(Pair(), asymmetric_volume())
    with pytest.raises(ModelError, match=r"MS-276 .*returns \(2, 1536\)"):
        audit_network(nn.Flatten(), asymmetric_volume())


def test_shipped_model_is_a_subject_with_its_parametrisation() -> None:
    subject = load_subject(None)
    assert subject.name.startswith("asymmetry-net")
    assert [output.name for output in subject.outputs] == ["pathology", "anatomy"]
    assert len(list(soft_tensors(subject.network))) > 10
