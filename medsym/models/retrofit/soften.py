"""``soften``: gives a network of the MONAI zoo the mirror in one line."""

from collections.abc import Sequence
from functools import partial

from torch import nn

from medsym.errors import ModelError
from medsym.models.retrofit.channels import Channels, layer_actions
from medsym.models.retrofit.layer_types import check_layer_types
from medsym.models.retrofit.network import SoftNetwork
from medsym.models.retrofit.plan import plan_steps
from medsym.models.retrofit.rehearsal import input_channels, working_size
from medsym.models.retrofit.report import Finding, RetrofitReport
from medsym.models.retrofit.steps import Planning, SoftnessFor
from medsym.models.retrofit.swin_plan import fitting_window
from medsym.symmetry.mirror import Axis, ChannelAction, check_axis
from medsym.symmetry.softness import Softness


def soften(
    model: nn.Module,
    axis: Axis = "x",
    *,
    softness: float | Softness | SoftnessFor | None = None,
    learned: bool = False,
    channels: Channels = "trivial",
    action_in: ChannelAction | None = None,
    action_out: ChannelAction | None = None,
    size: int | Sequence[int] | None = None,
    window: int | None = None,
) -> SoftNetwork:
    """Let a network carry the mirror: every weight becomes ``W_even + softness * W_odd``.

    At softness 1 the function is the given one, except where the report says otherwise
    (``report.changes_function``); at softness 0 it commutes with the mirror exactly. Works on
    MONAI's BasicUNet, VNet, UNet, SegResNet, DynUNet, AttentionUnet, MedNeXt, SwinUNETR and UNETR,
    and on other networks of the same operations. The model is changed in place, and only if
    everything in it is understood. Make the optimiser afterwards: kernels may have grown.

    Args:
        model: Maps (b, c, x, y, z) to (b, c', x, y, z).
        axis: The axis that the mirror flips.
        softness: Of every layer, in [0, 1]; None is exact. Or one :class:`Softness` for all
            layers together, or a function that makes the softness of a layer from its path and
            number of output channels.
        learned: Train the softness of every layer; ``softness`` is then a number above 0.
        channels: "trivial", for trained networks: the mirror leaves hidden channels alone. A
            pointwise last layer then gives left and right labels the same value at softness 0
            (the report warns). "regular", to train from scratch: hidden channels come in pairs
            (2 k, 2 k + 1) that swap, so that strict networks can tell the sides apart.
        action_in: Channel action on the input, trivial if None.
        action_out: Channel action on the output, trivial if None; left and right labels swap
            with ``ChannelAction.labels``.
        size: A grid that the network accepts, (x, y, z) or one edge; None to find one.
        window: Even window of a Swin transformer along the axis. None keeps an even one; for an
            odd one it takes the nearest that tiles every stage on the given ``size``, else the
            next smaller one.

    Raises:
        ModelError: MS-240 .. MS-257 and MS-220: something cannot carry the mirror, by name; the
            model is unchanged then.
    """
    check_axis(axis)
    check_layer_types(model)
    _check_window(window)
    given = action_in or ChannelAction.trivial(input_channels(model), axis=axis)
    _check_axes(axis, given, action_out)
    grid = working_size(model, given.channels, size)
    actions = layer_actions(model, grid, channels=channels, action_in=given, action_out=action_out)
    planning = Planning(
        network=model,
        axis=axis,
        actions=actions,
        softness=_softness_maker(softness, learned=learned),
        grid=grid,
        window=window or (fitting_window(model, axis, given.channels, grid) if size else None),
    )
    steps = list(plan_steps(planning))
    findings = tuple(finding for step in steps for finding in step.findings)
    _refuse_all(model, findings)
    for step in steps:
        if step.apply is not None:
            step.apply()
    report = RetrofitReport(network=type(model).__name__, axis=axis, findings=findings)
    return SoftNetwork(model, report, axis=axis, action_in=given, action_out=actions.action_out)


def _softness_maker(
    softness: float | Softness | SoftnessFor | None, *, learned: bool
) -> SoftnessFor:
    if learned and not (isinstance(softness, float | int) and softness > 0.0):
        raise ModelError(
            code="MS-255",
            subject="learned softness",
            cause="its start is not a number above 0, and from 0 it does not learn",
            fix="give softness=0.1 with learned=True, or a Softness(..., learned=True) without it",
        )
    if isinstance(softness, Softness):
        shared = softness
        return partial(_checked_softness, lambda _path, _channels: shared)
    if callable(softness):
        return partial(_checked_softness, softness)
    value = 0.0 if softness is None else float(softness)
    Softness(value)  # refuses a value outside [0, 1] before anything is planned
    return lambda _path, _channels: Softness(value, learned=learned)


def _checked_softness(make: SoftnessFor, path: str, channels: int) -> Softness:
    """What a caller's function makes for a layer, refused before anything is changed."""
    made = make(path, channels)
    if made.varies or made.value.numel() not in (1, channels):
        raise ModelError(
            code="MS-254",
            subject=path,
            cause=f"a softness of shape {tuple(made.value.shape)} for {channels} output channel(s)"
            + (", varying over voxels or inputs" if made.varies else ""),
            fix="make one number, or one per output channel; softness that varies needs layers "
            "built for it (medsym.nn.soft_layers)",
        )
    return made


def _check_axes(axis: Axis, *actions: ChannelAction | None) -> None:
    for action in actions:
        if action is not None and action.axis != axis:
            raise ModelError(
                code="MS-247",
                subject="soften",
                cause=f"a channel action mirrors along {action.axis!r}, soften() along {axis!r}",
                fix=f"give the action axis={axis!r}",
            )


def _check_window(window: int | None) -> None:
    if window is not None and (window < 2 or window % 2):
        raise ModelError(
            code="MS-248",
            subject="window",
            cause=f"a window of {window} has no shift that the mirror maps onto itself",
            fix="use an even window, for example 6 or 8",
        )


def _refuse_all(model: nn.Module, findings: Sequence[Finding]) -> None:
    bad = [
        f"{f.path} ({f.problem}): {f.text}"
        for f in findings
        if f.outcome == "refused" and f.problem != "odd size"
    ]
    if bad:
        raise ModelError(
            code="MS-249",
            subject=type(model).__name__,
            cause="; ".join(bad),
            fix="change these layers, or soften the output instead (SoftEquivariant)",
        )
