"""Which channels of a network belong together, and what the mirror does to them.

Every tensor has a *space*: a sequence of blocks of channels. A convolution makes a new block,
concatenation puts blocks in a row, a sum says that two spaces are the same. Blocks get their
channel action from the input, the output and these equations; what stays free gets the default.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from medsym.errors import ModelError
from medsym.symmetry.mirror import Axis, ChannelAction


@dataclass(frozen=True, slots=True)
class Block:
    """Channels that were made together.

    Attributes:
        number: Order of creation, unique in one network.
        channels: How many.
        origin: Path of the module that made them.
    """

    number: int
    channels: int
    origin: str


Space = tuple[Block, ...]
"""The channels of a tensor, as blocks in a row."""


def channels_of(space: Space) -> int:
    """Number of channels of a space."""
    return sum(block.channels for block in space)


@dataclass(frozen=True, slots=True)
class Equation:
    """Two spaces that carry the same action, and the place that says so."""

    first: Space
    second: Space
    place: str


@dataclass
class Blocks:
    """All blocks and equations of one network, and their solution.

    Attributes:
        axis: The mirrored axis.
        equations: Filled while the network is traced.
        actions: Channel action of each block that is settled, by its number.
    """

    axis: Axis
    equations: list[Equation] = field(default_factory=list)
    actions: dict[int, ChannelAction] = field(default_factory=dict)
    made: list[Block] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)

    def new(self, channels: int, origin: str) -> Block:
        """A new block of channels whose action is free."""
        block = Block(next(self._numbers), channels, origin)
        self.made.append(block)
        return block

    def equate(self, first: Space, second: Space, place: str) -> None:
        """State that two spaces carry the same action."""
        if first != second:
            self.equations.append(Equation(first, second, place))

    def settle(self, space: Space, action: ChannelAction, place: str) -> None:
        """Give a space its action, and to everything that equals it.

        Raises:
            ModelError: MS-240, the space has another action already or cannot be split so.
        """
        if not self._assign(space, action):
            self._conflict(place, space)
        pending = True
        while pending:
            learned = [self._transfer(equation) for equation in self.equations]
            pending = any(learned)

    def settle_rest(self, default: Callable[[int], ChannelAction]) -> None:
        """Give every block that is still free the default action of its size."""
        for block in self.made:
            if block.number not in self.actions:
                self.settle((block,), default(block.channels), block.origin)

    def action(self, space: Space) -> ChannelAction:
        """The action of a space whose blocks are all settled."""
        total = ChannelAction.trivial(0, axis=self.axis)
        for block in space:
            total = total + self.actions[block.number]
        return total

    def _known(self, space: Space) -> ChannelAction | None:
        return self.action(space) if all(b.number in self.actions for b in space) else None

    def _transfer(self, equation: Equation) -> bool:
        """Carry a known side to the other one; True if anything new was learned."""
        first, second = self._known(equation.first), self._known(equation.second)
        if first is not None and second is not None:
            if first != second:
                self._conflict(equation.place, equation.first + equation.second)
            return False
        if first is None and second is None:
            return False
        known, other = (first, equation.second) if first is not None else (second, equation.first)
        assert known is not None
        if not self._assign(other, known):
            self._conflict(equation.place, other)
        return True

    def _assign(self, space: Space, action: ChannelAction) -> bool:
        """Split an action over the blocks of a space; False if it does not fit."""
        if channels_of(space) != action.channels:
            return False
        start = 0
        for block in space:
            stop = start + block.channels
            perm = tuple(p - start for p in action.perm[start:stop])
            if any(not 0 <= p < block.channels for p in perm):
                return False
            part = ChannelAction(perm, action.signs[start:stop], self.axis)
            if self.actions.setdefault(block.number, part) != part:
                return False
            start = stop
        return True

    def _conflict(self, place: str, space: Space) -> None:
        origins = ", ".join(dict.fromkeys(block.origin or "input" for block in space))
        raise ModelError(
            code="MS-240",
            subject=place or "network",
            cause=f"channels with different mirror actions meet here; they come from {origins}",
            fix="give action_in and action_out that fit together, or use channels='trivial'",
        )


def paired(channels: int, axis: Axis) -> ChannelAction:
    """Swapped pairs; an odd last channel (or a single one) is trivial."""
    pairs = ChannelAction.regular(channels // 2, axis=axis)
    return pairs + ChannelAction.trivial(channels % 2, axis=axis)


def moved_channels(action: ChannelAction) -> Sequence[int]:
    """Channels that the action does not leave alone."""
    return [c for c, p in enumerate(action.perm) if p != c or action.signs[c] != 1]
