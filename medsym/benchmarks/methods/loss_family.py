"""Free networks that are pulled to the mirror by the loss, at the output or at the latent."""

import torch
from torch import Tensor

from medsym.benchmarks.methods.backbone import UNet
from medsym.benchmarks.methods.method import Method, lesion_loss
from medsym.benchmarks.methods.subjects import Subjects
from medsym.symmetry.mirror import ChannelAction, mirror
from medsym.symmetry.penalties import defect_penalty, latent_penalty


class Remul(Method):
    """REMUL (Elhag et al. 2024, arXiv 2410.17878): task + ``beta mean |f(S x) - S f(x)|^2``.

    Constant beta; training costs a second pass, evaluation nothing.
    """

    name, title = "remul", "REMUL"
    beta = 0.1

    def loss(self, batch: Subjects) -> Tensor:
        """Task plus the measured defect."""
        output = self.network(batch.image).float()
        defect = defect_penalty(lambda x: self.network(x).float(), batch.image, output=output)
        return lesion_loss(output, batch) + self.beta * defect


class LatentLoss(Method):
    """Parameter-free approximate equivariance (Ali, Lio, Vicary 2025, arXiv 2506.08244).

    Task + ``mean |z(S x) - R z(x)|^2`` on the coarsest features z, R the regular representation:
    neighbouring channels swap while the grid is mirrored. Nothing acts on the skips and the
    decoder.
    """

    name, title = "latent", "parameter-free latent loss"
    price = 1.0

    def loss(self, batch: Subjects) -> Tensor:
        """Task plus the disagreement of the two latents."""
        network = self.network
        assert isinstance(network, UNet)
        levels = network.encode(torch.cat([batch.image, mirror(batch.image)]))
        direct, mirrored = levels[-1].float().chunk(2)
        action = ChannelAction.regular(network.widths[-1] // 2)
        own = [level[: len(batch)] for level in levels]
        output = network.readout(network.hidden(network.decode(own)))
        return lesion_loss(output, batch) + self.price * latent_penalty(direct, mirrored, action)
