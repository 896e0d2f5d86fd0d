"""export and dicom: a model for other programs, and findings for an archive of images."""

import argparse

from medsym.commands.console import EXIT_OK, say
from medsym.errors import ConfigError


def export(arguments: argparse.Namespace) -> int:
    """Write a model as a MONAI bundle, as an ONNX file, or both."""
    if arguments.bundle is None and arguments.onnx is None:
        raise ConfigError(
            code="MS-361",
            subject="medsym export",
            cause="nothing to write was named",
            fix="give --bundle DIR, --onnx FILE or both",
        )
    from medsym.export.extras import require
    from medsym.models.store import load_model

    if arguments.onnx is not None:
        require("export")
    model = load_model(arguments.model)
    say(f"model {model.manifest.get('name')} {model.manifest.get('version')}")
    if arguments.bundle is not None:
        _bundle(arguments, model)
    if arguments.onnx is not None:
        _onnx(arguments, model)
    return EXIT_OK


def _bundle(arguments: argparse.Namespace, model: object) -> None:
    from medsym.export.bundle import write_bundle
    from medsym.models.store import LoadedModel

    assert isinstance(model, LoadedModel)
    report = write_bundle(model, arguments.bundle)
    for name, size in report.sizes.items():
        say(f"  {size / 1e6:8.3f} MB  {name}")
    say(f"MONAI bundle in {report.folder}, {report.num_bytes / 1e6:.1f} MB; run it there with")
    say(
        "  python -m monai.bundle run --config_file configs/inference.json "
        "--dataset_dir SCANS --output_dir MAPS"
    )


def _onnx(arguments: argparse.Namespace, model: object) -> None:
    from medsym.export.onnx_file import ABSOLUTE_TOLERANCE, RELATIVE_TOLERANCE, write_onnx
    from medsym.models.store import LoadedModel

    assert isinstance(model, LoadedModel)
    say("translating the network to ONNX, a minute or two")
    report = write_onnx(model, arguments.onnx)
    say(f"ONNX, opset {report.opset}, in {report.path}: {report.num_bytes / 1e6:.1f} MB")
    sizes = ", ".join(" x ".join(str(n) for n in shape) for shape in report.shapes)
    say(f"onnxruntime beside torch on a phantom of {sizes} voxels; largest difference:")
    for name, difference in report.differences.items():
        say(f"  {name:15s} {difference:.2g}")
    say(f"allowed: {ABSOLUTE_TOLERANCE:g} + {RELATIVE_TOLERANCE:g} of the value (log-odds)")


def dicom(arguments: argparse.Namespace) -> int:
    """Write the findings of a case as DICOM segmentation and structured report."""
    from medsym import RESEARCH_USE_ONLY
    from medsym.export.findings_dicom import write_findings

    say(RESEARCH_USE_ONLY)
    written = write_findings(
        arguments.folder, arguments.case, series=arguments.series, to=arguments.to
    )
    if written.segments is None:
        say("no finding, so nothing to outline; this does not mean normal")
    else:
        say(f"{written.findings} findings outlined in {written.segments}")
    say(f"report in {written.report}")
    say("these files carry the patient's name and identity, as the series does")
    return EXIT_OK
