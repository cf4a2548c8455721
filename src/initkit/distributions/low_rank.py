"""Low-rank starts of a weight's adapters: its principal part, or its first orthonormal factor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from ..numbers import frozen
from .base import Distribution
from .evidence import Test
from .joint import Joint, Shape, gaps, signed
from .source import Source


@frozen
class _LowRank(Joint):
    """Base of adapters A (rank x in) and B (out x rank) that take a part of a weight out of it.

    ``scaling`` multiplies B A in the layer. ``start`` draws the weight; None reads it.
    """

    scaling: float = 1.0
    start: Distribution | None = None
    title: ClassVar[str] = ""

    @classmethod
    def misfit_of(cls, shapes: Sequence[Shape]) -> str:
        if len(shapes) != 3 or any(len(shape) != 2 for shape in shapes):
            return f"{cls.title} is of three matrices: the weight, A and B"
        (out, inner), (rank, width), (rows, columns) = shapes
        if (width, rows, columns) != (inner, out, rank):
            wanted = f"A must be [rank, {inner}] and B [{out}, rank]"
            given = [list(shape) for shape in shapes[1:]]
            return f"the weight is {[out, inner]}, so that {wanted}, not {given}"
        if rank > min(out, inner):
            return f"the rank {rank} is larger than that of the weight {[out, inner]}"
        return ""

    @property
    def reads(self) -> tuple[int, ...]:
        return (0,) if self.start is None else ()

    def factors(self, weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
        """Return A and B of a weight."""
        raise NotImplementedError

    def draw_members(self, source: Source, held: Sequence[Tensor]) -> Sequence[Tensor]:
        weight = held[0].double() if self.start is None else self._started(source)
        a, b = self.factors(weight, self.shapes[1][0])
        return weight - self.scaling * (b @ a), a, b

    def _started(self, source: Source) -> Tensor:
        assert self.start is not None
        out = torch.empty(self.shapes[0], dtype=torch.float32, device="cpu")
        self.start.write(out.view(-1), source.of(self.names[0]))
        return out.double()

    def describe(self) -> str:
        what = ("the rest of the weight", "A", "B")[self.member]
        rank = f", rank {self.shapes[1][0]}" if self.shapes else ""
        return f"{self.title}: {what}{rank}"

    def note(self) -> str:
        return "" if self.start is None else f"the weight of {self.start.describe()}"


@frozen
class Pissa(_LowRank):
    """The principal singular values and vectors of a weight, as adapters beside the rest of it."""

    title = "PiSSA"

    def factors(self, weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
        u, s, vh = torch.linalg.svd(weight, full_matrices=False)
        u, vh, root = u[:, :rank], vh[:rank], (s[:rank] / self.scaling).sqrt()
        sign = signed(u)
        return (sign * root)[:, None] * vh, u * (sign * root)

    def tests_of(self, values: Sequence[Tensor], slack: float) -> Iterator[Test]:
        rest, a, b = values
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

    def tests_of(self, values: Sequence[Tensor], slack: float) -> Iterator[Test]:
        _, a, b = values
        eye = torch.eye(b.shape[1], dtype=b.dtype, device="cpu")
        yield from gaps(
            slack,
            orthonormal=("B' B is the identity", b.mT @ b, eye, 1.0),
            triangular=("A is triangular", a.triu(), a, a.abs().max()),
        )
