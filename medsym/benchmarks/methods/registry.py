"""All methods of the comparison, in the order of the table."""

from medsym.benchmarks.methods.baselines import Flips, Plain, Strict
from medsym.benchmarks.methods.input_family import MultiStream, ReferenceFrame
from medsym.benchmarks.methods.loss_family import LatentLoss, Remul
from medsym.benchmarks.methods.method import Method
from medsym.benchmarks.methods.output_family import (
    Augerino,
    SoftByHead,
    SoftByHeadOnItsSide,
    Symmetrisation,
)
from medsym.benchmarks.methods.relaxed_group import RelaxedGroupConvolution
from medsym.benchmarks.methods.sharing import LearnedSharing
from medsym.benchmarks.methods.weight_family import (
    Ace,
    ConstraintRelaxation,
    ProjectionRegulariser,
    ResidualPathwayPriors,
    SoftWeights,
)
from medsym.errors import ConfigError

METHODS: tuple[type[Method], ...] = (
    Plain,
    Flips,
    Strict,
    SoftWeights,
    SoftByHead,
    SoftByHeadOnItsSide,
    ResidualPathwayPriors,
    RelaxedGroupConvolution,
    ProjectionRegulariser,
    Remul,
    Ace,
    LatentLoss,
    ConstraintRelaxation,
    Symmetrisation,
    ReferenceFrame,
    Augerino,
    LearnedSharing,
    MultiStream,
)


def chosen(names: tuple[str, ...]) -> tuple[type[Method], ...]:
    """Methods by name, in the order of the table; all of them if no name is given.

    Plain is always among them, because the others are compared with it.

    Raises:
        ConfigError: MS-340, an unknown name.
    """
    known = {method.name: method for method in METHODS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(
            code="MS-340",
            subject="methods",
            cause=f"there is no method {unknown[0]!r}",
            fix=f"use names from: {', '.join(known)}",
        )
    wanted = {Plain.name, *(names or known)}
    return tuple(method for method in METHODS if method.name in wanted)
