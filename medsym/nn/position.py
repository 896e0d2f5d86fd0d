"""Where a voxel lies, as channels of the input that leave the mirror exact.

The place along x changes sign under the mirror: as a channel of *sign* type it is its own mirror
image, and so are the places along y and z as *trivial* channels. A network that is given them is
still exactly equivariant in the scan, and need not find out from the border of the volume which
side it is on: structures that differ by their side alone are told apart by a single channel.
"""

import torch
from torch import Tensor

from medsym.nn.representations import mirror_action
from medsym.symmetry.mirror import ChannelAction


def scan_action(*, position: bool) -> ChannelAction:
    """The mirror's action on what a network sees: a scan, or a scan with its places."""
    return mirror_action(trivial=3, sign=1) if position else mirror_action(trivial=1)


def with_position(scan: Tensor) -> Tensor:
    """(b, 1, x, y, z) scan -> (b, 4, x, y, z): the scan and its places along y, z and x.

    Places run from -1 to 1 over the volume that is given, the box that holds the head, not in mm.
    Along x they are exactly odd, so the mid-plane is the middle of the volume. The channels are of
    the types that ``scan_action`` states.
    """
    size = scan.shape[-3:]
    places = []
    for axis in (1, 2, 0):
        number = size[axis]
        rising = torch.arange(1 - number, number, 2, device=scan.device, dtype=scan.dtype) / number
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = number
        places.append(rising.view(shape).expand(scan.shape[0], 1, *size))
    return torch.cat([scan, *places], dim=1)
