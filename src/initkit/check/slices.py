"""Slices of one tensor that should differ and don't.

Random values meet by chance so rarely that a handful of elements tells slices apart; what a handful
cannot tell apart is compared whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..distributions import Distribution, Test
from .expectation import expectation
from .measure import plain

CERTAIN = -30.0  # log of a chance that need not be considered
_KEYS = 8  # elements that stand for a slice
_CANDIDATES = 64  # pairs whose keys agree that are compared whole


def slice_tests(tensor: Tensor, distribution: Distribution) -> Iterator[Test]:
    """Yield a test of the first dimension along which slices are alike up to signs, if any is.

    >>> from initkit.distributions import Normal
    >>> half = torch.randn(4, 16, generator=torch.Generator().manual_seed(0))
    >>> next(slice_tests(torch.cat([half, half]), Normal(0.0, 1.0))).text
    'slices 0 and 4 along dimension 0 hold the same values (4 of 8 repeat another)'
    """
    if not distribution.distinct_slices:
        return
    distribution, tensor = distribution.random_part(tensor)
    meeting = log_chance_of_meeting(distribution, tensor.dtype)
    for view, dim in _views(tensor):
        count = view.shape[dim]
        length = view.numel() // count
        # All pairs of slices, each of which agrees in every element.
        log_p = 2 * math.log(count) + length * meeting
        if log_p < CERTAIN and (pair := _alike(view, dim)) is not None:
            yield _repeated(pair, view, dim, tensor.dim(), math.exp(log_p))
            return


def log_chance_of_meeting(distribution: Distribution, dtype: torch.dtype) -> float:
    """Return the log of the chance that two elements agree up to sign."""
    if dtype.is_floating_point and dtype.itemsize <= 2 and distribution.elementwise:
        chance = 2 * float(expectation(distribution, dtype).grid[1].square().sum())
    else:
        chance = 2.0**-21 if dtype.itemsize > 2 else 2.0**-7
        chance += sum(share * share for share in distribution.atoms.values())
    return math.log(min(chance, 1.0))


def _views(tensor: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Yield the tensor with each dimension whose slices to compare; a vector cut into shards."""
    if tensor.dim() > 1:
        for dim in range(tensor.dim()):
            if tensor.shape[dim] > 1:
                yield tensor, dim
        return
    n = tensor.numel()
    # Usual numbers of gates, fused projections and ranks, each of which may hold a copy.
    for shards in (2, 3, 4, 6, 8, 12, 16, 24, 32, 64):
        if n % shards == 0 and n // shards > 1:
            yield tensor.reshape(shards, -1), 0


def _repeated(pair: tuple[int, int, int], view: Tensor, dim: int, dims: int, p: float) -> Test:
    first, second, count = pair
    where = f"along dimension {dim}" if dims > 1 else f"of {view.shape[1]} elements"
    slices = f"slices {first} and {second} {where}"
    text = f"{slices} hold the same values ({count:,} of {view.shape[dim]:,} repeat another)"
    return Test("repeated", p, "independent values", f"{slices} alike", text)


def _alike(view: Tensor, dim: int) -> tuple[int, int, int] | None:
    """Return two equal slices, and about how many repeat another."""
    moved = view.movedim(dim, 0)
    rest = moved.shape[1:]
    length = math.prod(rest)
    keys = min(_KEYS, length)
    mixed: Tensor | float = 0.0
    for key in range(keys):  # one by one: each slice is rounded alike
        column = moved
        for index in _unravel(key * (length - 1) // max(keys - 1, 1), rest):
            column = column.select(1, index)
        values = plain(column).view(len(moved), -1).cpu().double()
        # Unequal slices may have equal sums, too: a pair is compared whole before it counts.
        mixed = values.abs().sum(1) + mixed * 1.61803398875
    assert isinstance(mixed, Tensor)
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


def _unravel(index: int, shape: Sequence[int]) -> list[int]:
    places = []
    for size in reversed(shape):
        index, place = divmod(index, size)
        places.append(place)
    return places[::-1]
