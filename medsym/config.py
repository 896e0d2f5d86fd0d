"""Reading a YAML configuration into a typed, frozen model.

Only ``yaml.safe_load`` is used: a configuration is data and can run nothing. An unknown key is an
error that names the nearest known one, because a silently ignored key is a wrong experiment.
"""

import difflib
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from medsym.errors import ConfigError

ModelType = TypeVar("ModelType", bound=BaseModel)


def config_or_default(path: Path | None, model: type[ModelType]) -> ModelType:
    """As `read_config`; without a file, the defaults of ``model``."""
    return model() if path is None else read_config(path, model)


def read_config(path: Path, model: type[ModelType]) -> ModelType:
    """Read a YAML file into ``model``.

    Args:
        path: The file.
        model: A pydantic model that forbids extra keys.

    Raises:
        ConfigError: Missing file, broken YAML, unknown key (nearest one named) or bad value.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            code="MS-301",
            subject=str(path),
            cause=f"cannot be read ({error.strerror})",
            fix="give the path of an existing YAML file",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        raise ConfigError(
            code="MS-302",
            subject=str(path),
            cause=f"is not plain YAML ({first})",
            fix="use key: value lines without tags",
        ) from None
    try:
        return model.model_validate(content if content is not None else {})
    except ValidationError as error:
        raise _explain(error, path, model) from None


def _explain(error: ValidationError, path: Path, model: type[BaseModel]) -> ConfigError:
    """The first complaint of pydantic as one line with a remedy."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "(top level)"
    part = _model_at(model, [str(part) for part in first["loc"][:-1]])
    place = f"{part.__module__.replace('.', '/')}.py"
    fix = f"correct this value; unit and range stand in the class {part.__name__} of {place}"
    if first["type"] == "extra_forbidden":
        known = list(part.model_fields)
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1, cutoff=0.0)
        fix = f"did you mean '{near[0]}'? Known keys here: {', '.join(sorted(known))}"
    return ConfigError(code="MS-303", subject=str(path), cause=f"{where}: {first['msg']}", fix=fix)


def _model_at(model: type[BaseModel], parents: list[str]) -> type[BaseModel]:
    """The model that a key belongs to, as far as it can be followed."""
    for parent in parents:
        field = model.model_fields.get(parent)
        annotation = field.annotation if field is not None else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        model = annotation
    return model
