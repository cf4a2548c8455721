"""Low-rank starts of a weight's adapters: its principal part, or its first orthonormal factor."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self, TypeVar

import torch
from torch import Tensor

from ..numbers import frozen
from .base import Distribution
from .digits import short
from .evidence import Test, exact_test
from .joint import Joint, Sampled, Shape, gaps, signed
from .source import Source

_T = TypeVar("_T")


@frozen
class _LowRank(Joint):
    """Base of adapters A (rank x in) and B (out x rank) that take a part of a weight out of it.

    Of several pairs over one weight each takes its part out of what those before it left.
    ``scaling`` multiplies B A in the layer, and ``scalings`` those of several pairs where they
    differ. ``start`` draws the weight, but for its ``zero_rows``; None reads it.
    """

    scaling: float = 1.0
    start: Distribution | None = None
    scalings: tuple[float, ...] = ()
    zero_rows: tuple[int, ...] = ()
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

    def misfit(self, shape: Shape) -> str:
        text = super().misfit(shape)
        if text or not self.scalings or len(self.scalings) == len(_pairs(self.shapes)):
            return text
        return f"it has {len(self.scalings)} scalings for {len(_pairs(self.shapes))} adapters"

    def beside(self, others: Sequence[Joint], zero_rows: tuple[int, ...]) -> Self:
        each = tuple(a.scaling for a, _ in _pairs(others) if isinstance(a, _LowRank))
        apart = each if len(set(each)) > 1 else ()
        return replace(self, scalings=apart, zero_rows=() if self.start is None else zero_rows)

    def apart(self) -> Iterator[tuple[Sequence[int], Self]]:
        alone = replace(self, shapes=(), names=(), scalings=(), zero_rows=())
        if not self.scalings:
            yield range(len(self.names)), alone
        for place, scaling in enumerate(self.scalings):
            start = None if place else self.start
            members = (0, 2 * place + 1, 2 * place + 2)
            yield members, replace(alone, scaling=scaling, start=start)

    def _each(self, members: Sequence[_T]) -> list[tuple[_T, _T, float]]:
        """Return A, B and the scaling of each adapter."""
        pairs = _pairs(members)
        scalings = self.scalings or (self.scaling,) * len(pairs)
        return [(a, b, scaling) for (a, b), scaling in zip(pairs, scalings, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        data = super().to_dict()  # where there are none it is written as it ever was
        return {k: v for k, v in data.items() if k not in ("scalings", "zero_rows") or v}

    @property
    def reads(self) -> tuple[int, ...]:
        return (0,) if self.start is None else ()

    def factors(self, weight: Tensor, rank: int, scaling: float) -> tuple[Tensor, Tensor]:
        """Return A and B of a weight."""
        raise NotImplementedError

    def draw_members(self, source: Source, held: Sequence[Tensor]) -> Sequence[Tensor]:
        weight = held[0].double() if self.start is None else self._started(source)
        adapters: list[Tensor] = []
        for (rank, _), _, scaling in self._each(self.shapes):
            a, b = self.factors(weight, rank, scaling)
            weight = weight - scaling * (b @ a)
            adapters += (a, b)
        return weight, *adapters

    def tests_of(self, values: Sequence[Tensor], slack: float, sampled: Sampled) -> Iterator[Test]:
        for a, b, scaling in self._each(values):
            yield from self.tests_of_pair(values[0], a, b, scaling, slack)
        if self.start is not None:
            yield from self._tests_of_start(self.start, values, slack, sampled)

    def tests_of_pair(
        self, rest: Tensor, a: Tensor, b: Tensor, scaling: float, slack: float
    ) -> Iterator[Test]:
        """Yield the tests of one adapter and what all of them left of the weight.

        Sizes are such that rounding moves a product by an eps of them at most.
        """
        raise NotImplementedError

    def _tests_of_start(
        self, start: Distribution, values: Sequence[Tensor], slack: float, sampled: Sampled
    ) -> Iterator[Test]:
        """Test that the rest and what the adapters took of it are the weight that was drawn."""
        weight, size = values[0], values[0].abs()
        for a, b, scaling in self._each(values):
            weight = weight + scaling * (b @ a)
            size = size + abs(scaling) * (b.abs() @ a.abs())
        what = "W + scaling B A"
        if not start.random:
            wanted = torch.empty(self.shapes[0], dtype=torch.float64, device="cpu")
            start.write(wanted.view(-1), Source(0, ""))  # nothing is drawn: any source will do
            wanted[list(self.zero_rows)] = 0.0
            what = f"{what} = {start.describe()}"
            yield from gaps(slack, whole=(what, weight, wanted, size.max()))
        # A value that is taken often is one no more where it is a sum that was rounded.
        elif start.shows_in_part and not start.atoms:
            weight[list(self.zero_rows)] = math.nan
            for test in sampled(start, weight, float(size.max())):
                yield test.within(f"of {what}, {start.describe()}")

    def _started(self, source: Source) -> Tensor:
        assert self.start is not None
        out = torch.empty(self.shapes[0], dtype=torch.float32, device="cpu")
        self.start.write(out.view(-1), source.of(self.names[0]))
        out[list(self.zero_rows)] = 0.0
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


def _longest(matrix: Tensor) -> Tensor:
    """Return the length of the longest column."""
    longest: Tensor = torch.linalg.vector_norm(matrix, dim=0).max()
    return longest


@frozen
class Pissa(_LowRank):
    """The principal singular values and vectors of a weight, as adapters beside the rest of it."""

    title = "PiSSA"
    several = True

    def factors(self, weight: Tensor, rank: int, scaling: float) -> tuple[Tensor, Tensor]:
        u, s, vh = torch.linalg.svd(weight, full_matrices=False)
        u, vh, root = u[:, :rank], vh[:rank], (s[:rank] / scaling).sqrt()
        sign = signed(u)
        return (sign * root)[:, None] * vh, u * (sign * root)

    def tests_of_pair(
        self, rest: Tensor, a: Tensor, b: Tensor, scaling: float, slack: float
    ) -> Iterator[Test]:
        gram = b.mT @ b
        none_a, none_b = torch.zeros_like(rest @ a.mT), torch.zeros_like(b.mT @ rest)
        yield from gaps(
            slack,
            equal=("A A' = B' B", a @ a.mT, gram, gram.max()),
            diagonal=("B' B is diagonal", gram, torch.diag(gram.diagonal()), gram.max()),
            left=("B' W is 0", b.mT @ rest, none_b, _longest(b) * _longest(rest)),
            right=("W A' is 0", rest @ a.mT, none_a, _longest(a.mT) * _longest(rest.mT)),
        )
        # The singular values that an adapter took are those of B' B, and none that is left is
        # larger; nor is any that a later adapter took of what this one left.
        least = scaling * float(gram.diagonal().min())
        largest = float(torch.linalg.matrix_norm(rest, 2))
        wrong = not largest <= least + slack * float(rest.norm())
        seen = f"a singular value {short(largest)} beside {short(least)}"
        text = f"what is left has {seen}, the least that its adapter took"
        yield exact_test("structure", wrong, "the principal part taken", seen, text)


@frozen
class Olora(_LowRank):
    """The first columns of a weight's orthonormal factor and rows of its triangular one."""

    title = "OLoRA"

    def factors(self, weight: Tensor, rank: int, scaling: float) -> tuple[Tensor, Tensor]:
        q, r = torch.linalg.qr(weight)
        q, r = q[:, :rank], r[:rank]
        sign = torch.where(r.diagonal() < 0, -1.0, 1.0)
        return sign[:, None] * r, q * sign

    def tests_of_pair(
        self, rest: Tensor, a: Tensor, b: Tensor, scaling: float, slack: float
    ) -> Iterator[Test]:
        eye = torch.eye(b.shape[1], dtype=b.dtype, device="cpu")
        left, size = (1 - scaling) * a, _longest(rest) + abs(1 - scaling) * a.abs().max()
        yield from gaps(
            slack,
            orthonormal=("B' B is the identity", b.mT @ b, eye, 1.0),
            triangular=("A is triangular", a.triu(), a, a.abs().max()),
            taken=("B' W = (1 - scaling) A", b.mT @ rest, left, size),
        )
