"""What a run changes as it goes: network, averaged copy, optimiser, schedule, softness control."""

import copy
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.growth import grown
from medsym.models.store import load_model
from medsym.symmetry.schedules import parameter_groups
from medsym.training.rate import rate_share
from medsym.training.settings import TrainSettings
from medsym.training.softness import SoftnessControl


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingState:
    """What a run changes as it goes."""

    network: AsymmetryNet
    average: AveragedModel
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    softness: SoftnessControl

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the averaged weights towards the network's; waits for no device."""
        average = self.average
        held: list[Tensor] = list(average.module.parameters())
        current: list[Tensor] = list(self.network.parameters())
        if average.multi_avg_fn is None or int(average.n_averaged) == 0:  # counted on the CPU
            _copy(current, held)
        else:
            average.multi_avg_fn(held, current, average.n_averaged)
        _copy(list(self.network.buffers()), list(average.module.buffers()))
        average.n_averaged += 1

    def write_softness(self, progress: float) -> None:
        """Scheduled softness at a progress in [0, 1], in the network and in its average."""
        self.softness.write(progress, self.network, self.average.module)


def _copy(sources: list[Tensor], targets: list[Tensor]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.copy_(source)


def build_state(settings: TrainSettings, device: torch.device) -> TrainingState:
    """Network, averaged copy, AdamW and its schedule, all fresh.

    Raises:
        ModelError: MS-322, ``start_from`` does not fit.
        ConfigError: MS-334, softness settings for a network without softness.
    """
    network = _start(settings).to(device)
    softness = SoftnessControl(settings.softness, network)
    average = AveragedModel(
        copy.deepcopy(network), multi_avg_fn=get_ema_multi_avg_fn(settings.optimiser.average)
    )
    for parameter in average.parameters():
        parameter.requires_grad = False
    how = settings.optimiser
    groups = parameter_groups(
        network,
        learning_rate=how.learning_rate,
        softness_rate=how.softness_rate,
        weight_decay=how.weight_decay,
        odd_decay=settings.softness.odd_decay,
    )
    optimiser = torch.optim.AdamW(groups, fused=device.type == "cuda" or None)
    return TrainingState(
        network=network,
        average=average,
        optimiser=optimiser,
        schedule=torch.optim.lr_scheduler.LambdaLR(
            optimiser, partial(rate_share, total=how.steps, how=how)
        ),
        softness=softness,
    )


def _start(settings: TrainSettings) -> AsymmetryNet:
    """The network before the first step: random, or another run's."""
    if settings.start_from is None:
        return AsymmetryNet(settings.model)
    trained = load_model(settings.start_from, folded=False).network
    return grown(trained, settings.model, subject=str(settings.start_from))
