"""Slices of one tensor that should differ and don't.

Random values meet by chance so rarely that a handful of elements tells slices apart; what a handful
cannot tell apart is compared whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor

from ..distributions import Distribution, Test
from .expectation import expectation
from .measure import plain
from .native_pass import memory, native

CERTAIN = -30.0  # log of a chance that need not be considered
_KEYS = 8  # elements that stand for a slice
_CANDIDATES = 64  # pairs whose keys agree that are compared whole
_LISTED = 4096  # slices whose keys are compared without sorting them
# Odd, and without a pattern; two for each element, as a complex number has two parts.
_FACTORS = torch.tensor(
    [pow(0x5851F42D4C957F2D, k + 1, 1 << 63) for k in range(2 * _KEYS)], device="cpu"
)


def slice_tests(tensor: Tensor, distribution: Distribution) -> Iterator[Test]:
    """Yield a test of the first dimension along which slices are alike up to signs, if any is.

    >>> from initkit.distributions import Normal
    >>> half = torch.randn(4, 16, generator=torch.Generator().manual_seed(0))
    >>> next(slice_tests(torch.cat([half, half]), Normal(0.0, 1.0))).text
    'slices 0 and 4 along dimension 0 hold the same values (4 of 8 repeat another)'
    """
    if not distribution.distinct_slices:
        return
    drawn, tensor = distribution.random_part(tensor)
    meeting = log_chance_of_meeting(drawn, tensor.dtype)
    if drawn is not distribution and distribution.elementwise:
        # Beside values that the place decides they meet as they are drawn, or more often.
        meeting = max(meeting, log_chance_of_meeting(distribution, tensor.dtype))
    module, where = native(), memory(tensor)
    for shape, dim, log_p in _ways(tuple(tensor.shape), meeting):
        if (
            module is not None
            and where is not None
            and module.distinct(*where, math.prod(shape[:dim]), shape[dim])
        ):
            continue
        view = tensor.reshape(shape)
        if (pair := _alike(view, dim)) is not None:
            yield _repeated(pair, view, dim, tensor.dim(), math.exp(log_p))
            return


@lru_cache(maxsize=512)  # many tensors are of one shape
def _ways(shape: tuple[int, ...], meeting: float) -> list[tuple[tuple[int, ...], int, float]]:
    """Return the shapes, each with a dimension whose slices to compare and the log of a chance.

    It is that of any two slices agreeing; those that may well are left out.
    """
    ways = []
    for view, dim in _views(shape):
        count = view[dim]
        # All pairs of slices, each of which agrees in every element.
        log_p = 2 * math.log(count) + math.prod(view) // count * meeting
        if log_p < CERTAIN:
            ways.append((view, dim, log_p))
    return ways


@lru_cache(maxsize=512)  # as many as expectations are kept of
def log_chance_of_meeting(distribution: Distribution, dtype: torch.dtype) -> float:
    """Return the log of the chance that two elements agree up to sign."""
    if dtype.is_floating_point and dtype.itemsize <= 2 and distribution.elementwise:
        chance = 2 * float(expectation(distribution, dtype).grid[1].square().sum())
    else:
        chance = 2.0**-21 if dtype.itemsize > 2 else 2.0**-7
        sizes: dict[float, float] = {}
        for value, share in distribution.atoms.items():
            sizes[abs(value)] = sizes.get(abs(value), 0.0) + share
        chance += sum(share * share for share in sizes.values())
    return math.log(min(chance, 1.0))


def _views(shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], int]]:
    """Yield the shape with each dimension whose slices to compare; a vector cut into shards."""
    if len(shape) > 1:
        for dim, count in enumerate(shape):
            if count > 1:
                yield shape, dim
        return
    n = math.prod(shape)
    # Usual numbers of gates, fused projections and ranks, each of which may hold a copy.
    for shards in (2, 3, 4, 6, 8, 12, 16, 24, 32, 64):
        if n % shards == 0 and n // shards > 1:
            yield (shards, n // shards), 0


def _repeated(pair: tuple[int, int, int], view: Tensor, dim: int, dims: int, p: float) -> Test:
    first, second, count = pair
    where = f"along dimension {dim}" if dims > 1 else f"of {view.shape[1]} elements"
    slices = f"slices {first} and {second} {where}"
    text = f"{slices} hold the same values ({count:,} of {view.shape[dim]:,} repeat another)"
    return Test("repeated", p, "independent values", f"{slices} alike", text)


def _alike(view: Tensor, dim: int) -> tuple[int, int, int] | None:
    """Return two equal slices, and about how many repeat another."""
    moved = view.movedim(dim, 0)
    places: tuple[slice | Tensor, ...] = _places(tuple(moved.shape[1:]), moved.device)
    values = plain(moved[(slice(None), *places)])
    bits = values.view(len(moved), -1).cpu().double().abs().view(torch.int64)
    # Whole numbers modulo 2**64, so that equal slices have equal sums in whatever order. Unequal
    # ones may, too: a pair is compared whole before it counts.
    mixed = (bits * _FACTORS[: bits.shape[1]]).sum(1)
    if len(mixed) <= _LISTED and len(set(mixed.tolist())) == len(mixed):
        return None
    value, order = mixed.sort(stable=True)
    same = value[1:] == value[:-1]
    near = same.nonzero().flatten()
    pairs = torch.stack([order[near], order[near + 1]], 1).sort(1).values.tolist()
    for a, b in sorted(pairs)[:_CANDIDATES]:
        # Of one number all over: that is what is wrong with them, and is found as such.
        if bool((moved[a] == moved[a].reshape(-1)[0]).all()):
            continue
        if torch.equal(moved[a].abs(), moved[b].abs()):
            return a, b, int(same.sum())
    return None


@lru_cache(maxsize=256)  # of small tensors that reckoning costs more than looking
def _places(shape: tuple[int, ...], device: torch.device) -> tuple[Tensor, ...]:
    """Return the indices of the elements that stand for a slice of this shape."""
    length = math.prod(shape)
    keys = min(_KEYS, length)
    flat = [key * (length - 1) // max(keys - 1, 1) for key in range(keys)]
    return torch.unravel_index(torch.tensor(flat, device=device), shape)
