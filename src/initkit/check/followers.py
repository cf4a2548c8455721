"""Values that follow others, with noise: a copy that was disturbed is no sample of its own.

Of two independent samples the elements lie on the same side of their medians as coins fall. A few
hundred of them tell a copy with a tenth of noise from chance, whatever its scale and its shift.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from ..distributions import Distribution, binomial
from .expectation import expectation
from .measure import plain
from .native_pass import memory, native
from .slices import CERTAIN

_ELEMENTS = 512  # of each sample that are compared
_FEWEST = 64  # with fewer no agreement is certain
_BLOCK = 4096  # samples that are compared with each other
_WAYS = ("", ", reversed,", ", transposed,")  # the order of the enum in _pass_heads.h
_Middle: TypeAlias = tuple[float, float]  # a median, and how far from a half its chance may be
_Rows: TypeAlias = tuple[bytes, bytes, bytes, bytes]
_NO_ROWS: _Rows = (b"", b"", b"", b"")


@dataclass(frozen=True, slots=True)
class Follower:
    """Two samples that go together: which, how the second is turned, in what share of elements."""

    first: int
    second: int
    turned: str
    share: float
    p: float

    @property
    def text(self) -> str:
        """What the second does to the first's values."""
        sign = "" if self.share > 0.5 else " with the sign turned"
        share = max(self.share, 1 - self.share)
        return f"follows{sign}{self.turned} in {100 * share:.3g} % of its elements the values of"


def followers(tensors: Sequence[Tensor], distributions: Sequence[Distribution]) -> list[Follower]:
    """Find samples that follow an earlier one; of each two one at least is drawn one by one.

    >>> from initkit.distributions import Normal
    >>> x, noise = torch.randn(2, 1024, generator=torch.Generator().manual_seed(0))
    >>> (found,) = followers([x, 3 * x + 0.3 * noise], [Normal(0.0, 1.0)] * 2)
    >>> found.first, found.second, round(found.share, 1)
    (0, 1, 1.0)
    """
    found: dict[int, Follower] = {}
    for start in range(0, len(tensors), _BLOCK):
        part = slice(start, start + _BLOCK)
        for follower in _followers(tensors[part], distributions[part], start):
            found.setdefault(follower.second, follower)
    return [found[place] for place in sorted(found)]


class _Pair(NamedTuple):
    """Two samples, the second turned in a way, with how many elements each and how many agree."""

    way: str
    first: int
    second: int
    length: int
    agreeing: int


def _followers(
    tensors: Sequence[Tensor], distributions: Sequence[Distribution], start: int
) -> Iterator[Follower]:
    if len(tensors) < 2:
        return
    middles = [_middle(*pair) for pair in zip(distributions, tensors, strict=True)]
    known = bytearray(len(tensors))  # of which samples it has been said that they follow one
    module = native()
    if module is not None:
        pairs = _pairs_in_c(module, tensors, middles, known)
    else:
        pairs = _pairs(tensors, middles, known)
    for way, i, j, n, agreeing in pairs:
        middle = middles[i]
        assert middle is not None
        room = middle[1]
        p = 2 * len(_WAYS) * len(tensors) ** 2 * binomial(agreeing, n, (0.5 - room, 0.5 + room))
        if not p or math.log(p) < CERTAIN:
            first, second = sorted((i, j))
            known[second] = True
            yield Follower(start + first, start + second, way, agreeing / n, min(p, 1.0))


def _pairs(
    tensors: Sequence[Tensor], middles: Sequence[_Middle | None], known: Sequence[int]
) -> Iterator[_Pair]:
    """Yield the pairs that go together more than chance lets them, and the second is not known."""
    heads = _Heads([_head(tensor) for tensor in tensors])
    # The planned median, so that each element falls like a coin whatever the other sample is.
    drawn = heads.signs([middle[0] if middle else math.nan for middle in middles])
    for way in _WAYS:
        turned = heads if not way else _Heads([_turned(tensor, way) for tensor in tensors])
        sides = turned.signs(turned.medians())
        score = drawn @ sides.T
        count = drawn.abs() @ sides.abs().T
        likely = score.square() > -2 * CERTAIN * count
        # As they are, two that are both drawn are compared once. Turned, the one may go with the
        # other and not the other way round: the first rows of a transpose are no whole one.
        if not way:
            likely &= (drawn.abs().sum(1) == 0) | torch.ones_like(likely).triu(1)
        for i, j in likely.nonzero().tolist():
            if i != j and not known[max(i, j)]:
                n = int(count[i, j])
                yield _Pair(way, i, j, n, (n + int(score[i, j])) // 2)


def _pairs_in_c(
    module: ModuleType,
    tensors: Sequence[Tensor],
    middles: Sequence[_Middle | None],
    known: Sequence[int],
) -> Iterator[_Pair]:
    """Yield what :func:`_pairs` does, with a bit for each element."""
    found: list[_Rows] = []
    lengths = array("q")
    for tensor, middle in zip(tensors, middles, strict=True):
        length, rows = _sides(module, tensor, middle[0] if middle else math.nan)
        found.append(rows)
        lengths.append(length)
    drawn, *sides = (_joined(rows, lengths) for rows in zip(*found, strict=True))
    for way, turned in zip(_WAYS, sides, strict=True):
        for i, length in enumerate(drawn[1]):
            if length:
                for j, agreeing in module.following(*drawn, *turned, i, known, not way):
                    if not known[max(i, j)]:
                        yield _Pair(way, i, j, min(length, turned[1][j]), agreeing)


def _sides(module: ModuleType, tensor: Tensor, middle: float) -> tuple[int, _Rows]:
    """Return how many elements are compared, and on which side of a middle each of them lies.

    Of the middle that was planned first, then, in each way, of their own median. There is no bit
    where nearly all lie on one side, or the middle is NaN.
    """
    where, square = memory(tensor), tensor.dim() == 2
    length = min(tensor.numel(), _ELEMENTS)
    if where is not None and length >= _FEWEST:
        first, own, reversed_, by_column = module.sides(
            *where, tensor.shape[-1] if square else 1, middle
        )
        return length, (first, own, reversed_, by_column if square else b"")
    if where is not None:
        return 0, _NO_ROWS
    heads = [_turned(tensor, way).contiguous() for way in _WAYS]
    length = len(heads[0])
    if length < _FEWEST:
        return 0, _NO_ROWS
    rows = [module.sides(*held, 1, middle)[:2] for head in heads if (held := memory(head))]
    (first, own), (_, reversed_), *last = rows
    return length, (first, own, reversed_, last[0][1] if last else b"")


def _joined(rows: Sequence[bytes], lengths: Sequence[int]) -> tuple[bytes, array[int]]:
    """Return bits of equal length a sample, and how many of them count."""
    none = bytes(_ELEMENTS // 8)
    counted = array("q", (n if row else 0 for row, n in zip(rows, lengths, strict=True)))
    return b"".join(row or none for row in rows), counted


def _middle(distribution: Distribution, tensor: Tensor) -> _Middle | None:
    """Return the median of what is drawn one by one, and how far from a half its chance may be."""
    if not distribution.iid:
        return None
    expected = expectation(distribution, tensor.dtype)
    if expected.middle is None:
        return None
    room = max(abs(chance - 0.5) for chance in expected.windows[expected.middle])
    return float(expected.edges[expected.middle]), room


class _Heads:
    """The first elements of samples, a row each; what is too short to compare has none."""

    def __init__(self, heads: Sequence[Tensor]) -> None:
        shape = len(heads), _ELEMENTS
        self.values = torch.full(shape, math.nan, dtype=torch.float64, device="cpu")
        by_length: dict[int, list[int]] = {}
        for place, head in enumerate(heads):
            by_length.setdefault(len(head), []).append(place)
        for length, places in by_length.items():
            if length >= _FEWEST:
                rows = torch.stack([heads[place].double() for place in places])
                self.values[places, :length] = rows

    def medians(self) -> Tensor:
        return self.values.nanmedian(1).values

    def signs(self, middles: Tensor | Sequence[float]) -> Tensor:
        """Return +1 and -1 for the elements above a middle and not, a row a sample; 0 for none."""
        middle = torch.as_tensor(middles, dtype=torch.float64, device="cpu")[:, None]
        there, above = ~self.values.isnan(), self.values > middle
        share = above.sum(1) / there.sum(1)
        # What lies on one side is no sample, and another test says so.
        told = (share > 0.25) & (share < 0.75)
        return (above.float() * 2 - 1) * (there & told[:, None])


def _head(tensor: Tensor) -> Tensor:
    """Return the first elements, flat."""
    if tensor.dim() > 1:
        tensor = tensor[: _rows(tensor)]
    return plain(tensor.detach().reshape(-1)[:_ELEMENTS]).cpu()[:_ELEMENTS]


def _turned(tensor: Tensor, way: str) -> Tensor:
    """Return the first elements of a tensor that is read so, or from its end, or by columns."""
    if not way:
        return _head(tensor)
    if way == _WAYS[2]:
        return _head(tensor.mT) if tensor.dim() == 2 else tensor.new_empty(0).cpu()
    last = tensor[-_rows(tensor) :] if tensor.dim() > 1 else tensor
    return plain(last.detach().reshape(-1)[-_ELEMENTS:].flip(0)).cpu()[:_ELEMENTS]


def _rows(tensor: Tensor) -> int:
    return -(-_ELEMENTS // max(math.prod(tensor.shape[1:]), 1))
