"""Low-rank starts of a weight's adapters: its principal part, or its first orthonormal factor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from ..numbers import frozen
from .base import Distribution
from .evidence import Test
from .joint import Joint, Shape, gaps, signed
from .source import Source

_T = TypeVar("_T")


@frozen
class _LowRank(Joint):
    """Base of adapters A (rank x in) and B (out x rank) that take a part of a weight out of it.

    Of several pairs over one weight each takes its part out of what those before it left.
    ``scaling`` multiplies B A in the layer. ``start`` draws the weight; None reads it.
    """

    scaling: float = 1.0
    start: Distribution | None = None
    title: ClassVar[str] = ""
    several: ClassVar[bool] = False
    """Whether what one adapter leaves of a weight has a part for another."""

    @classmethod
    def misfit_of(cls, shapes: Sequence[Shape]) -> str:
        if len(shapes) < 3 or len(shapes) % 2 == 0 or any(len(shape) != 2 for shape in shapes):
            return f"{cls.title} is of three matrices: the weight, A and B"
        if len(shapes) > 3 and not cls.several:
            return f"{cls.title} leaves nothing of the weight's first columns for a second adapter"
        out, inner = shapes[0]
        for a, b in _pairs(shapes):
            if (a[1], *b) != (inner, out, a[0]):
                wanted = f"A must be [rank, {inner}] and B [{out}, rank]"
                return f"the weight is {[out, inner]}, so that {wanted}, not {[list(a), list(b)]}"
        if (rank := sum(a[0] for a, _ in _pairs(shapes))) > min(out, inner):
            return f"the rank {rank} is larger than that of the weight {[out, inner]}"
        return ""

    def takes_more(self, other: Joint) -> bool:
        alike = isinstance(other, type(self)) and other.scaling == self.scaling
        return self.several and alike

    @property
    def reads(self) -> tuple[int, ...]:
        return (0,) if self.start is None else ()

    def factors(self, weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
        """Return A and B of a weight."""
        raise NotImplementedError

    def draw_members(self, source: Source, held: Sequence[Tensor]) -> Sequence[Tensor]:
        weight = held[0].double() if self.start is None else self._started(source)
        adapters: list[Tensor] = []
        for (rank, _), _ in _pairs(self.shapes):
            a, b = self.factors(weight, rank)
            weight = weight - self.scaling * (b @ a)
            adapters += (a, b)
        return weight, *adapters

    def tests_of(self, values: Sequence[Tensor], slack: float) -> Iterator[Test]:
        for a, b in _pairs(values):
            yield from self.tests_of_pair(values[0], a, b, slack)

    def tests_of_pair(self, rest: Tensor, a: Tensor, b: Tensor, slack: float) -> Iterator[Test]:
        """Yield the tests of one adapter and what all of them left of the weight."""
        raise NotImplementedError

    def _started(self, source: Source) -> Tensor:
        assert self.start is not None
        out = torch.empty(self.shapes[0], dtype=torch.float32, device="cpu")
        self.start.write(out.view(-1), source.of(self.names[0]))
        return out.double()

    def describe(self) -> str:
        what = ("B", "A")[self.member % 2] if self.member else "the rest of the weight"
        ranks = [a[0] for a, _ in _pairs(self.shapes)]
        if self.member and ranks:
            ranks = [ranks[(self.member - 1) // 2]]
        rank = f", rank {' and '.join(map(str, ranks))}" if ranks else ""
        return f"{self.title}: {what}{rank}"

    def note(self) -> str:
        return "" if self.start is None else f"the weight of {self.start.describe()}"


def _pairs(members: Sequence[_T]) -> list[tuple[_T, _T]]:
    """Return the A and B of each adapter."""
    return list(zip(members[1::2], members[2::2], strict=True))


@frozen
class Pissa(_LowRank):
    """The principal singular values and vectors of a weight, as adapters beside the rest of it."""

    title = "PiSSA"
    several = True

    def factors(self, weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
        u, s, vh = torch.linalg.svd(weight, full_matrices=False)
        u, vh, root = u[:, :rank], vh[:rank], (s[:rank] / self.scaling).sqrt()
        sign = signed(u)
        return (sign * root)[:, None] * vh, u * (sign * root)

    def tests_of_pair(self, rest: Tensor, a: Tensor, b: Tensor, slack: float) -> Iterator[Test]:
        gram, size = b.mT @ b, (b.norm() ** 2)
        none_a, none_b = torch.zeros_like(rest @ a.mT), torch.zeros_like(b.mT @ rest)
        yield from gaps(
            slack,
            equal=("A A' = B' B", a @ a.mT, gram, size),
            diagonal=("B' B is diagonal", gram, torch.diag(gram.diagonal()), size),
            left=("B' W is 0", b.mT @ rest, none_b, b.norm() * rest.norm()),
            right=("W A' is 0", rest @ a.mT, none_a, a.norm() * rest.norm()),
        )


@frozen
class Olora(_LowRank):
    """The first columns of a weight's orthonormal factor and rows of its triangular one."""

    title = "OLoRA"

    def factors(self, weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
        q, r = torch.linalg.qr(weight)
        q, r = q[:, :rank], r[:rank]
        sign = torch.where(r.diagonal() < 0, -1.0, 1.0)
        return sign[:, None] * r, q * sign

    def tests_of_pair(self, rest: Tensor, a: Tensor, b: Tensor, slack: float) -> Iterator[Test]:
        eye = torch.eye(b.shape[1], dtype=b.dtype, device="cpu")
        yield from gaps(
            slack,
            orthonormal=("B' B is the identity", b.mT @ b, eye, 1.0),
            triangular=("A is triangular", a.triu(), a, a.abs().max()),
        )
