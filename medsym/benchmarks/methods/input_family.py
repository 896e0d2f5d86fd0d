"""Methods that break or keep the mirror by what enters the network: frames and streams."""

import torch
from torch import Tensor, nn

from medsym.benchmarks.methods.backbone import UNet, Widths, soften_unet
from medsym.benchmarks.methods.method import TIED, Method
from medsym.symmetry.softness import Softness


class FramedNetwork(nn.Module):
    """A strict network that is also told where every voxel lies.

    The three coordinates are channels of trivial type: the mirror would have to move them too, and
    nobody does that, so the signed left-right coordinate breaks the symmetry as far as the network
    uses it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.network = soften_unet(UNet(TIED, inputs=4), Softness)

    def forward(self, image: Tensor) -> Tensor:
        """Image with coordinates in [-1, 1], left to right, back to front, bottom to top."""
        axes = [torch.linspace(-1.0, 1.0, n, device=image.device) for n in image.shape[2:]]
        frame = torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]
        logits: Tensor = self.network(
            torch.cat([image, frame.expand(len(image), -1, -1, -1, -1)], 1)
        )
        return logits


class ReferenceFrame(Method):
    """Reference-frame channels (Vadgama et al., "Rapidash", arXiv 2501.01999).

    Symmetry breaking by aligned coordinates at the input of an otherwise strict network.
    """

    name, title = "reference_frame", "reference-frame channels"

    def build(self) -> nn.Module:
        """Strict network with coordinate channels."""
        return FramedNetwork()


STRICT_STREAM: Widths = (16, 32, 48)
FREE_STREAM: Widths = (16, 16, 32)


class TwoStreams(nn.Module):
    """A strict and a free stream side by side; a free head reads both."""

    def __init__(self) -> None:
        super().__init__()
        self.strict = soften_unet(UNet(STRICT_STREAM), Softness)
        self.free = UNet(FREE_STREAM)
        both = STRICT_STREAM[0] + FREE_STREAM[0]
        self.hidden = nn.Sequential(
            nn.Conv3d(both, STRICT_STREAM[0], 3, padding=1), nn.LeakyReLU(0.01)
        )
        self.readout = self.free.readout
        for stream in (self.strict, self.free):
            del stream.hidden, stream.readout

    def forward(self, image: Tensor) -> Tensor:
        """Log-odds of a lesion."""
        streams = [self.strict.features(image), self.free.features(image)]
        logits: Tensor = self.readout(self.hidden(torch.cat(streams, dim=1)))
        return logits


class MultiStream(Method):
    """Multi-stream invariances (Rath and Condurache 2023, arXiv 2303.01567).

    One stream per symmetry: one that has the mirror, one that has none, concatenated before the
    head, so the network takes from each what the data allow.
    """

    name, title = "multi_stream", "multi-stream invariances"

    def build(self) -> nn.Module:
        """Two streams with about the parameters of one network in all."""
        return TwoStreams()
