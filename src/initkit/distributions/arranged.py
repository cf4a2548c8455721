"""Matrices whose axes stand in another order in the tensor, or span several of its dimensions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ..numbers import Layout, Matrices, frozen, matrices_of
from .base import Distribution, of_part
from .elementwise import Constant
from .evidence import Sample, Test
from .source import Source
from .whole import NonElementwise


@frozen
class Arranged(NonElementwise):
    """The matrices of ``part``, laid into a tensor by the words and blocks of its layout.

    ``part`` draws them one after the other, row by row.
    """

    part: Distribution
    axes: tuple[str, ...]
    blocks: int = 1

    random = of_part("random")
    alike = of_part("alike")
    shows_in_part = of_part("shows_in_part")
    placed = of_part("placed")
    distinct_slices = of_part("distinct_slices")
    complex_as_pairs = of_part("complex_as_pairs")
    allows_complex = of_part("allows_complex")
    moments = of_part("moments")
    bounds = of_part("bounds")
    reach = of_part("reach")
    atoms = of_part("atoms")

    def misfit(self, shape: tuple[int, ...]) -> str:
        if text := super().misfit(shape) or self.layout.misfit(shape):
            return text
        inner = _shape_of(self.part, self._matrices)
        if math.prod(inner) != math.prod(shape):
            return f"its matrices, {list(inner)}, do not fill the shape {list(shape)}"
        return self.part.misfit(inner)

    @property
    def layout(self) -> Layout:
        """What the dimensions of the tensor are."""
        return Layout(self.axes, blocks=self.blocks)

    @property
    def _matrices(self) -> Matrices:
        return matrices_of(self.shape, self.layout)

    def _cdf(self, x: Tensor) -> Tensor:
        return self.part.cdf(x)

    def describe(self) -> str:
        _, rows, columns = self._matrices.grid
        return f"{self.part.describe()}, {rows} x {columns} by '{' '.join(self.axes)}'"

    def scaled(self, factor: float) -> Distribution:
        return replace(self, part=self.part.scaled(factor)) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        found = self._matrices
        if self.part.elementwise:  # by place alone, counted from the tensor's own start
            values = torch.empty(found.cut, dtype=torch.float64, device="cpu").view(-1)
            self.part.write(values, source)
        else:
            values = self.part.draw(source, first)
        stacked = values.reshape([found.cut[i] for i in found.order])
        # The inverse of an order says where each dimension of the tensor went.
        back = sorted(range(len(found.order)), key=found.order.__getitem__)
        return stacked.permute(back).reshape(self.shape)

    def random_part(self, tensor: Tensor) -> tuple[Distribution, Tensor]:
        found = self._matrices
        stacked = tensor.reshape(found.cut).permute(found.order)
        return self.part.random_part(stacked.reshape(_shape_of(self.part, found)))

    def tests(self, sample: Sample) -> Iterator[Test]:
        if sample.whole is not None:
            whole = sample.arranged(self.layout).reshape(_shape_of(self.part, self._matrices))
            yield from sample.tests_as(self.part, whole)


def _shape_of(part: Distribution, found: Matrices) -> tuple[int, ...]:
    shape: tuple[int, ...] = getattr(part, "shape", found.grid)
    return shape
