"""Parameters that are drawn as one: low-rank parts of a weight, products of two, factors of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import field, replace
from typing import Any, Self, TypeAlias

import torch
from torch import Tensor

from ..errors import SchemeMismatch
from ..numbers import frozen
from .base import WRITTEN, Distribution
from .evidence import Sample, Test
from .source import Source
from .whole import NonElementwise, function_name

Shape: TypeAlias = tuple[int, ...]

Sampled: TypeAlias = "Callable[[Distribution, Tensor, float], Iterator[Test]]"
"""Yields the tests of what was made of a group's values as a sample of a distribution: as the
members were rounded, where each element is a sum of terms whose sizes add up to a number at most;
NaN is what nobody knows."""


@frozen
class Joint(NonElementwise):
    """Base of what one parameter of a group holds; the group is drawn as one, under one name.

    ``member`` is the place in the group. A plan fills in what follows from all of it: their
    ``shapes``, the ``names`` that their numbers would depend on by themselves, and ``group``, the
    smallest of these, on which those of the group do. A subclass says in :meth:`draw_members` what
    all of them are, in float64, and in :meth:`misfit_of` which shapes it cannot be of.
    """

    member: int
    shapes: tuple[Shape, ...] = field(default=(), kw_only=True)
    names: tuple[str, ...] = field(default=(), kw_only=True)
    shape_matters = True

    @classmethod
    def misfit_of(cls, shapes: Sequence[Shape]) -> str:
        """Return why no group has these shapes, or nothing."""
        raise NotImplementedError

    def draw_members(self, source: Source, held: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the values of every member; ``held`` are those of the members that it reads."""
        raise NotImplementedError

    def tests_of(self, values: Sequence[Tensor], slack: float, sampled: Sampled) -> Iterator[Test]:
        """Yield the tests of a whole group, in float64.

        By rounding a product of two is off by ``slack`` of its size, four times what it may be.
        What is a sample after all, once it is put together, is tested as ``sampled`` has it.
        """
        return iter(())

    @property
    def reads(self) -> tuple[int, ...]:
        """The members whose values are read from the model before they are written."""
        return ()

    @property
    def group(self) -> str:
        """The name that the numbers of the group depend on."""
        return min(self.names)

    @property
    def settled(self) -> bool:
        return bool(self.names)

    @property
    def repeatable(self) -> bool:
        return not self.reads

    def misfit(self, shape: Shape) -> str:
        text = super().misfit(shape)
        if text or not self.shapes:
            return text
        placed = 0 <= self.member < len(self.shapes) == len(self.names)
        if not placed or self.shapes[self.member] != shape:
            return f"it is member {self.member} of a group of shapes {list(self.shapes)}"
        return self.misfit_of(self.shapes)

    def of_group(self, member: int, shapes: Sequence[Shape], names: Sequence[str]) -> Self:
        """Return a member of a group whose shapes and names are known, of which this is one."""
        return replace(
            self, shape=shapes[member], member=member, shapes=tuple(shapes), names=tuple(names)
        )

    def beside(self, others: Sequence[Joint], zero_rows: tuple[int, ...]) -> Self:
        """Return what knows what was planned for all members, itself among them.

        Whatever is drawn, some rows of the first end zero, as an embedding's padding does.
        """
        return self

    def apart(self) -> Iterator[tuple[Sequence[int], Self]]:
        """Yield, of the first member, which members each rule of the group has, and what it says.

        As it was before it knew of the others.
        """
        yield range(len(self.names)), replace(self, shapes=(), names=())

    def scaled(self, factor: float) -> Distribution:
        raise SchemeMismatch(f"{self.describe()} is of a group, and cannot be scaled by itself")

    @property
    def moments(self) -> tuple[float, float] | None:
        return None

    @property
    def reach(self) -> tuple[float, float]:
        # Nothing is known before it is drawn; what a dtype cannot hold is found then.
        return 0.0, 0.0

    def _cdf(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"nobody knows the distribution of {self.describe()}")

    def tests(self, sample: Sample) -> Iterator[Test]:
        return iter(())  # what there is to say is said of all of them, see `tests_of`

    def draw(self, source: Source, first: int = 0) -> Tensor:
        if not (self.known and self.repeatable):
            raise SchemeMismatch(f"{self.describe()} can only be drawn with all of its group")
        return self.draw_members(source.of(self.group), ())[self.member]


@frozen
class FunctionOfSeveral(Joint):
    """What a user's function writes into several parameters at once."""

    function: Callable[..., object]
    options: tuple[tuple[str, Any], ...] = ()
    label: str = ""
    known = False
    uncarried = "the function"
    allows_complex = True

    @classmethod
    def misfit_of(cls, _shapes: Sequence[Shape]) -> str:
        return ""

    def describe(self) -> str:
        options = ", ".join(f"{key}={value!r}" for key, value in self.options)
        return f"{self.label or function_name(self.function)}({options}), as one of {self._count}"

    @property
    def _count(self) -> str:
        return str(len(self.names) or "several")

    def to_dict(self) -> dict[str, Any]:
        return {"kind": WRITTEN, "function": self.describe()}


def signed(vectors: Tensor) -> Tensor:
    """Return the signs under which the largest entry of each column is positive.

    Which of two a factorisation finds depends on the LAPACK at hand; so it is one everywhere.
    """
    largest = vectors.abs().argmax(0, keepdim=True)
    return torch.where(vectors.gather(0, largest)[0] < 0, -1.0, 1.0)


def gaps(slack: float, **properties: tuple[str, Tensor, Tensor, float | Tensor]) -> Iterator[Test]:
    """Yield for each property, (what it is, seen, wanted, size), whether it holds within slack."""
    for what, seen, wanted, size in properties.values():
        gap = float((seen - wanted).abs().max()) / max(float(size), 1e-30) if seen.numel() else 0.0
        text = f"{what} does not hold: it is off by {gap:.2g} of its size"
        # So asked, NaN is wrong as well.
        yield Test("structure", 1.0 if gap <= slack else 0.0, what, f"off by {gap:.2g}", text)
