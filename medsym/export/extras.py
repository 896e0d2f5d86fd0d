"""Packages that only some uses need: they are asked for before anything is begun."""

from importlib.util import find_spec

from medsym.errors import ConfigError

#: extra -> code, command, packages.
_EXTRAS = {
    "export": ("MS-360", "medsym export", ("onnx", "onnxscript", "onnxruntime")),
    "login": ("MS-720", "medsym view --login", ("authlib", "httpx")),
    "dicom": ("MS-590", "medsym dicom", ("pydicom", "highdicom")),
}


def require(extra: str) -> None:
    """Refuse, with the remedy, to go on without the packages of an extra.

    Args:
        extra: "export", "dicom" or "login".

    Raises:
        ConfigError: MS-360, MS-590 or MS-720.
    """
    code, command, packages = _EXTRAS[extra]
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ConfigError(
            code=code,
            subject=command,
            cause=f"not installed: {', '.join(missing)}",
            fix=f"python -m pip install {' '.join(missing)}, or medsym with its extra [{extra}]",
        )
