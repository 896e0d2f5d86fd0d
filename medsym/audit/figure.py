"""The equivariance report as a picture: defect per layer, and where it lies in the volume.

Slices come in radiological convention: the patient's right is on the left-hand side of axial and
coronal slices, which carry the letters R and L. Only the brain is drawn, never a face.
"""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from medsym import RESEARCH_USE_ONLY
from medsym.audit.layers import LayerDefect
from medsym.audit.volume_audit import OutputDefect, VolumeAudit
from medsym.volumes.slices import PLANES, add_side_letters, slice_picture

DPI = 120
FLOOR = 1e-9
"""Smallest defect drawn; exact zeros stand here."""

DECADES = 2.0
"""Range of the map of the defect below its largest voxel, powers of ten."""

OPACITY = 0.8
"""Of the largest defect; smaller ones fade out."""

_TRAVELLED, _ADDED = "#7a7f87", "#c2410c"
_NAMED_LAYERS = 5


def draw_audit(name: str, volume: VolumeAudit, *, tolerance: float) -> bytes:
    """One page on one volume, as PNG.

    Args:
        name: Of the network.
        volume: What was measured.
        tolerance: Relative defect that counts as lost symmetry; drawn as a line.

    Returns:
        The content of a PNG file.
    """
    figure = Figure(figsize=(11.0, 8.5), layout="constrained")
    FigureCanvasAgg(figure)
    main, first = volume.outputs[0], volume.layers.first_above(tolerance)
    lost = "nowhere lost" if first is None else f"first lost at {first.path}"
    figure.suptitle(
        f"{name}: {volume.name}\ndefect of the output '{main.name}': {main.defect:.2g} of its "
        f"size; symmetry is {lost}"
    )
    axes = figure.subplot_mosaic([["layers"] * 3, list(PLANES)], height_ratios=(1.0, 1.2))
    _draw_layers(axes["layers"], volume.layers.layers, tolerance=tolerance)
    _draw_map(figure, [axes[plane] for plane in PLANES], volume, main)
    figure.supxlabel(f"{RESEARCH_USE_ONLY} R, L: the patient's right and left.", fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": "medsym"})
    return buffer.getvalue()


def _draw_layers(axes: Axes, layers: Sequence[LayerDefect], *, tolerance: float) -> None:
    places = range(len(layers))
    travelled = [max(layer.defect, FLOOR) for layer in layers]
    added = [max(layer.own or 0.0, FLOOR) for layer in layers]
    axes.set_yscale("log")
    axes.set_ylim(FLOOR, 4.0)
    axes.bar(places, travelled, width=0.85, color=_TRAVELLED, label="defect here")
    axes.bar(places, added, width=0.4, color=_ADDED, label="added by this layer")
    axes.axhline(tolerance, color="black", linewidth=0.8, linestyle="--", label="tolerance")
    axes.set_xlim(-0.7, max(len(layers) - 0.3, 0.7))
    axes.set_ylabel("|h(Sx) - S h(x)| / |h(x)|")
    axes.set_xlabel("layers in the order in which they run")
    named = sorted(sorted(places, key=lambda k: -added[k])[:_NAMED_LAYERS])
    axes.set_xticks(named, [layers[k].path for k in named], rotation=20, ha="right", fontsize=7)
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), fontsize=8, ncols=3, frameon=False)


def _draw_map(
    figure: Figure, panels: Sequence[Axes], volume: VolumeAudit, output: OutputDefect
) -> None:
    """Axial, coronal and sagittal slice through the middle, the defect over the scan."""
    middle = [size // 2 for size in volume.image.shape]
    full = max(float(output.voxels.max()), FLOOR)
    scale = LogNorm(full * 10.0**-DECADES, full, clip=True)
    colours = None
    for axes, plane, index in zip(panels, PLANES, middle[::-1], strict=True):
        axes.set_title(plane, fontsize=9)
        axes.set_axis_off()
        axes.imshow(slice_picture(volume.image, plane=plane, index=index), cmap="gray")
        add_side_letters(axes, plane, size=14, inset=0.01, pad=1.5)
        if output.voxels.shape == volume.image.shape:  # else it has no place in the scan
            defect = slice_picture(output.voxels, plane=plane, index=index)
            opacity = OPACITY * np.clip(np.asarray(scale(defect)), 0.0, 1.0)
            colours = axes.imshow(defect, cmap="plasma", norm=scale, alpha=opacity)
    if colours is not None:
        bar = figure.colorbar(colours, ax=list(panels), shrink=0.7)
        bar.set_label("|f(Sx) - S f(x)|, largest channel")
