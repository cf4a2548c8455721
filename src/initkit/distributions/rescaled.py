"""Orthogonal matrices whose entries have a given variance, as DimeNet starts its layers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ..numbers import Grid, frozen
from .base import Distribution, describe_blocks, grid_misfit
from .digits import short
from .elementwise import Constant
from .evidence import Sample, Test, exact_test
from .orthogonal import Orthogonal, orthogonal_tests
from .source import Source
from .whole import NonElementwise


@frozen
class RescaledOrthogonal(NonElementwise):
    """Haar-distributed matrices of the ``grid``, each scaled to the sample std ``size``.

    The gain that does so is as good as one number: it depends on the mean of the entries alone.
    """

    size: float
    grid: Grid
    alike = True
    shows_in_part = True

    def misfit(self, shape: tuple[int, ...]) -> str:
        one = "" if math.prod(self.grid[1:]) > 1 else "a matrix of one entry has no variance"
        return super().misfit(shape) or grid_misfit(self.grid, shape) or one

    @property
    def _usual(self) -> Orthogonal:
        """The orthogonal matrices with the gain of entries whose mean is 0."""
        gain = abs(self.size) * math.sqrt(max(self.grid[1:]))
        return Orthogonal(self.shape, gain, self.grid)

    @property
    def distinct_slices(self) -> bool:
        return self._usual.distinct_slices

    @property
    def moments(self) -> tuple[float, float]:
        return self._usual.moments

    @property
    def bounds(self) -> tuple[float, float]:
        # A mean of m takes from the variance, and the largest m is that of equal entries.
        return -math.inf, math.inf

    @property
    def reach(self) -> tuple[float, float]:
        low, high = self._usual.bounds
        return 8 * low, 8 * high  # of so large a mean there is no chance to speak of

    def _cdf(self, x: Tensor) -> Tensor:
        return self._usual.cdf(x)

    def describe(self) -> str:
        return f"orthogonal, std {short(self.size)}" + describe_blocks(self.grid)

    def scaled(self, factor: float) -> Distribution:
        return replace(self, size=self.size * factor) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        drawn = Orthogonal(self.shape, 1.0, self.grid).draw(source, first).double()
        matrices = drawn.reshape(self.grid)
        std = matrices.flatten(1).std(1)[:, None, None]
        return (matrices * (self.size / std)).reshape(self.shape)

    def tests(self, sample: Sample) -> Iterator[Test]:
        if sample.whole is None:
            return
        if sample.holes:
            # The gain is that of entries of mean 0 but for what the mean takes of their squares: by
            # a chance of 1e-9 no more than 20 entries have (see `sphere_cdf`).
            matrices, gain = sample.matrices(self.grid), self._usual.gain
            share = 21 / math.prod(self.grid[1:])
            room = share * gain / math.sqrt(max(self.grid[1:]))
            yield from orthogonal_tests(matrices, gain, sample.room + room)
            return
        room = 2e-5 + 2 * float(torch.finfo(sample.dtype).eps)
        planned = f"entries of std {short(abs(self.size))}"
        for matrix in sample.matrices(self.grid):
            std = float(matrix.double().std())
            wrong = not abs(std - abs(self.size)) <= room * abs(self.size)
            seen = f"entries of std {short(std)}"
            yield exact_test("std", wrong, planned, seen, f"a matrix has {seen}, not {planned}")
            # Its gain is whatever its norm says; what is orthogonal with that is told here.
            rows, columns = matrix.shape
            norm = float(torch.linalg.vector_norm(matrix.double()))
            if norm > 0:
                gain = norm / math.sqrt(min(rows, columns))
                part = Orthogonal((rows, columns), gain, (1, rows, columns))
                yield from part.tests(sample.of(part, [matrix]))
