r"""The supremum of the symbol of a convolution kernel over all frequencies, bounded from above.

The symbol of a kernel is ``K(w) = sum_t K_t exp(i w t)``; the norm of the convolution on the
infinite grid is ``sup_w sigma(w)``, sigma the largest singular value. It is bounded by branch and
bound. For fixed unit vectors ``Re u* K(w) v`` is, up to a phase, a trigonometric polynomial of
degree ``d = (k - 1) / 2`` per axis; by M. Riesz such a polynomial falls from its maximum no faster
than a cosine, so a sample within h of the maximiser is at least ``sup cos(d h)``, axis by axis
(Ehlich and Zeller, Math. Zeitschrift 86, 1964). Hence for cells of half-width h around sampled
frequencies

    max_cells sigma <= sup_w sigma <= max_cells sigma / prod_axes cos(d h),

and a cell whose sample lies below ``best * prod cos(d h)`` cannot hold the maximiser: only the
others are halved.
"""

import math
from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

_EPS = torch.finfo(torch.float64).eps
_FIRST_ANGLE = math.pi / 8.0  # d h of the first grid: 8 samples per axis for kernel 3
_SMALL = 16  # up to this many channels all singular values are computed
_BUDGET = 1e11  # real multiplications, half a minute on one core; reached above 128 channels
_CHUNK = 2**22  # complex entries of symbols held at once, 64 MiB
_SMALLEST = 1e-140  # threshold for matrices that are all zero; its square is a normal number
_MARGIN = 1.0 + 1e-3  # thresholds are tried this far above the largest value found


def kernel_bounds(
    kernels: Tensor, *, precision: float | None = None, budget: float = _BUDGET
) -> Tensor:
    """Bounds for many stride-1 kernels (n, out, in, *kernel) at once.

    Refinement ends at ``precision`` (see ``conv_norm``) or before the multiplications exceed
    ``budget``; the bound is valid wherever it ends. Where not even the first grid is affordable,
    the bound by unfolding (``unfolding_bounds``, about 2.2 times the norm) is returned.

    Returns:
        (n,), float64.
    """
    kernels = kernels.detach().double()
    count, rows, columns, *sizes = kernels.shape
    taps, narrow = math.prod(sizes), min(rows, columns)
    if narrow > _SMALL and count > 1:
        share = budget / count
        return torch.cat(
            [kernel_bounds(k[None], precision=precision, budget=share) for k in kernels]
        )
    if precision is None:
        precision = 0.02 if narrow <= _SMALL else 0.07
    if taps == 1 or not kernels.any():
        return unfolding_bounds(kernels)
    price = 8.0 * rows * columns * (taps / 2 + 1.5 * narrow)
    degrees = [(size - 1) / 2 for size in sizes]
    centres, widths = _first_grid(degrees, kernels.device)
    owner = torch.arange(count, device=kernels.device).repeat_interleave(len(centres))
    centres = centres.repeat(count, 1)
    best = kernels.new_zeros(count)
    affordable = price * len(centres) <= budget
    ceiling = torch.full_like(best, math.inf) if affordable else unfolding_bounds(kernels)
    while price * len(centres) <= budget:
        budget -= price * len(centres)
        shrink = math.prod(math.cos(d * h) for d, h in zip(degrees, widths, strict=True))
        values, found = _symbol_norms(kernels, owner, centres, best, shrink)
        best = found.maximum(best)
        largest = torch.zeros_like(best).scatter_reduce(0, owner, values, "amax")
        ceiling = torch.minimum(ceiling, rounded_up(largest, kernels) / shrink * (1.0 + 1e-12))
        if 1.0 / shrink <= 1.0 + precision:
            break
        kept = values >= best[owner] * (shrink * (1.0 - 1e-9))
        centres, owner, widths = _halve(centres[kept], owner[kept], widths)
    return ceiling


def unfolding_bounds(kernels: Tensor) -> Tensor:
    """Bounds sqrt(taps) * (norm of an unfolded kernel), the smallest over all unfoldings.

    With some axes of the kernel (n, out, in, *kernel) in the rows and the others in the columns,
    ``K(w) = (phases x 1) M (phases x 1)`` and the phases have the norms of their lengths
    (Singla and Feizi, "Fantastic Four", ICLR 2021, arXiv 1911.10258). Exact for a single tap.
    """
    axes = range(3, kernels.ndim)
    taps = math.prod(kernels.shape[3:])
    bounds = []
    for choice in product((False, True), repeat=len(axes)):
        rows = [a for a, chosen in zip(axes, choice, strict=True) if chosen]
        columns = [a for a in axes if a not in rows]
        unfolded = kernels.permute(0, 1, *rows, 2, *columns)
        unfolded = unfolded.flatten(2 + len(rows)).flatten(1, 1 + len(rows))
        bounds.append(rounded_up(largest_singular(unfolded), unfolded))
    return torch.stack(bounds).amin(0) * (math.sqrt(taps) * (1.0 + 1e-12))


def largest_singular(matrices: Tensor) -> Tensor:
    """Largest singular value of (n, rows, columns)."""
    return torch.linalg.svdvals(matrices)[..., 0]


def rounded_up(norms: Tensor, kernels: Tensor) -> Tensor:
    """Norms plus what float64 can have lost: n eps per sum of n products, of the whole kernel."""
    taps = math.prod(kernels.shape[3:])
    terms = 8.0 * (taps + kernels.shape[1] + kernels.shape[2])
    return norms + terms * math.sqrt(taps) * _EPS * kernels.flatten(1).norm(dim=1)


def _first_grid(degrees: Sequence[float], device: torch.device) -> tuple[Tensor, list[float]]:
    """Cell centres covering half the torus (a real kernel has K(-w) = conj K(w)), half-widths."""
    counts = [max(1, math.ceil(math.pi * d / _FIRST_ANGLE)) for d in degrees]
    halved = next(axis for axis, count in enumerate(counts) if count > 1)
    points = [
        torch.arange(n // 2 + 1 if axis == halved else n, device=device).double() * math.tau / n
        for axis, n in enumerate(counts)
    ]
    grid = torch.stack(torch.meshgrid(*points, indexing="ij"), dim=-1).flatten(0, -2)
    return grid, [math.pi / n if n > 1 else 0.0 for n in counts]


def _halve(
    centres: Tensor, owner: Tensor, widths: list[float]
) -> tuple[Tensor, Tensor, list[float]]:
    """Every cell split in two along every axis that has more than one tap."""
    half = [w / 2 for w in widths]
    shifts = list(product(*[(-h, h) if h else (0.0,) for h in half]))
    offsets = torch.tensor(shifts, dtype=centres.dtype, device=centres.device)
    children = (centres[:, None] + offsets).flatten(0, 1)
    return children, owner.repeat_interleave(len(shifts)), half


def _symbol_norms(
    kernels: Tensor, owner: Tensor, frequencies: Tensor, best: Tensor, shrink: float
) -> tuple[Tensor, Tensor]:
    """Upper bounds (j,) on the norm of the symbol of kernel ``owner[j]`` at frequency j.

    Also returns (n,), the largest norm that was found for each kernel: a lower bound.
    """
    _, rows, columns, *sizes = kernels.shape
    places = torch.cartesian_prod(*[torch.arange(n, device=kernels.device) for n in sizes])
    places = places.reshape(-1, len(sizes)).double()
    flat = kernels.flatten(3)
    chunk = max(1, _CHUNK // (rows * columns * (1 if len(flat) == 1 else flat.shape[-1])))
    norms, found = [], best
    for start in range(0, len(frequencies), chunk):
        part = slice(start, start + chunk)
        phases = frequencies[part] @ places.T
        if len(flat) == 1:
            real, imaginary = (
                torch.einsum("ft,oit->foi", wave, flat[0]) for wave in (phases.cos(), phases.sin())
            )
            symbols = torch.complex(real, imaginary)
        else:
            waves = torch.polar(torch.ones_like(phases), phases)
            symbols = torch.einsum("ft,foit->foi", waves, flat[owner[part]].to(waves.dtype))
        if min(rows, columns) <= _SMALL:
            norms.append(torch.linalg.svdvals(symbols)[:, 0])
            found = found.scatter_reduce(0, owner[part], norms[-1], "amax")
        else:
            values, largest = _thresholds(symbols, float(found), shrink)
            norms.append(values)
            found = found.clamp_min(largest)
    return torch.cat(norms), found


def _thresholds(symbols: Tensor, best: float, shrink: float) -> tuple[Tensor, float]:
    """Upper bounds on the norms of many wide matrices, and the largest norm found, by few SVDs.

    ``sigma <= t`` exactly if ``t^2 - A A*`` is positive semidefinite, which a Cholesky
    factorisation that succeeds in floating point proves up to n eps trace (Rump, BIT 46, 2006).
    Matrices that cannot hold the maximum are proved below ``best * shrink``, the others below a
    threshold just above the largest norm found, which rises until every proof succeeds.
    """
    tall = symbols.shape[1] > symbols.shape[2]
    gram = symbols.mH @ symbols if tall else symbols @ symbols.mH
    values = torch.full((len(gram),), math.inf, dtype=torch.float64, device=gram.device)
    slack = 1.0 + 8.0 * gram.shape[-1] * (gram.shape[-1] + 2) * _EPS
    open_ = torch.arange(len(gram), device=gram.device)
    threshold = best * shrink * (1.0 - 1e-6)
    while len(open_):
        if threshold > 0.0:
            below = _proved_below(gram[open_], threshold)
            values[open_[below]] = threshold * slack
            open_ = open_[~below]
            if not len(open_):
                break
        traces = gram[open_].diagonal(dim1=1, dim2=2).real.sum(1)
        sample = open_[traces.topk(min(4, len(open_))).indices]
        best = max(best, float(torch.linalg.svdvals(symbols[sample])[:, 0].max()))
        threshold = max(best, threshold, _SMALLEST) * _MARGIN
    return values, best


def _proved_below(gram: Tensor, threshold: float) -> Tensor:
    """For each Hermitian matrix whether all its eigenvalues are below ``threshold ** 2``."""
    shifted = -gram
    shifted.diagonal(dim1=1, dim2=2).add_(threshold**2)
    _, info = torch.linalg.cholesky_ex(shifted)
    return info == 0
