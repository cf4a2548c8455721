"""Orthogonal matrices whose rows are standardised, as GemNet starts its layers."""

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
from .orthogonal import Orthogonal, sphere_cdf
from .source import Source
from .whole import NonElementwise

_EPS = 1e-6  # added to the variance of a row before its root, as published
_TELLING = 32  # rows and columns from which correlations tell an orthogonal matrix from any
_MOST = 1024  # rows that are compared with each other


@frozen
class Standardized(NonElementwise):
    """Haar-distributed matrices of the ``grid``, each row then of mean 0 and variance gain^2/n."""

    gain: float
    grid: Grid
    alike = True
    shows_in_part = True

    def misfit(self, shape: tuple[int, ...]) -> str:
        one = "" if self.grid[2] > 1 else "rows of one entry have no variance"
        return super().misfit(shape) or grid_misfit(self.grid, shape) or one

    @property
    def distinct_slices(self) -> bool:
        return self._orthogonal.distinct_slices

    @property
    def _orthogonal(self) -> Orthogonal:
        return Orthogonal(self.shape, 1.0, self.grid)

    @property
    def _length(self) -> float:
        """The length of every row."""
        n = self.grid[2]
        return abs(self.gain) * math.sqrt((n - 1) / n)

    @property
    def moments(self) -> tuple[float, float]:
        return 0.0, self._length / math.sqrt(self.grid[2])

    @property
    def bounds(self) -> tuple[float, float]:
        n = self.grid[2]
        # An axis has this much of its length among what is orthogonal to (1, ..., 1).
        end = self._length * math.sqrt((n - 1) / n)
        return -end, end

    def _cdf(self, x: Tensor) -> Tensor:
        # A row is as long as all, in a direction that is uniform among n - 1 dimensions.
        return sphere_cdf(x / self.high, self.grid[2] - 1)

    def describe(self) -> str:
        gain = "" if self.gain == 1 else f", gain {short(self.gain)}"
        return f"orthogonal, rows standardised{gain}" + describe_blocks(self.grid)

    def scaled(self, factor: float) -> Distribution:
        return replace(self, gain=self.gain * factor) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        drawn = self._orthogonal.draw(source, first).double().reshape(self.grid)
        var, mean = torch.var_mean(drawn, dim=2, keepdim=True)
        rows = (drawn - mean) * (var + _EPS).rsqrt() * (self.gain / math.sqrt(self.grid[2]))
        return rows.reshape(self.shape)

    def tests(self, sample: Sample) -> Iterator[Test]:
        if sample.whole is None:
            return
        # Every row has a mean and a length of its own, so that those that are known tell.
        matrices = [m[~m.isnan().any(1)].double() for m in sample.matrices(self.grid)]
        rows = torch.cat(list(matrices))
        if not len(rows):
            return
        # No mean and no length of a row moves by more than half an eps where its values round.
        yield self._rows_test(rows, 2e-5 + 2 * float(torch.finfo(sample.dtype).eps))
        # Of more dimensions other code takes other matrices to be orthogonal.
        if len(self.shape) == 2 and min(self.grid[1:]) >= _TELLING:
            for matrix in matrices:
                # Columns are orthogonal with all of their rows alone, or nearly so with most.
                most = self.grid[1] <= self.grid[2] or 10 * len(matrix) >= 9 * self.grid[1]
                if most and len(matrix) >= _TELLING:
                    yield from self._correlation_test(matrix)

    def _rows_test(self, rows: Tensor, room: float) -> Test:
        """Test that every row has its mean and its length, within roundings."""
        rms = self._length / math.sqrt(self.grid[2])
        mean = float(rows.mean(1).abs().amax())
        norms = torch.linalg.vector_norm(rows, dim=1) / self._length
        low, high = float(norms.min()), float(norms.max())
        seen = (
            f"rows of the mean square {short(low * low)} to {short(high * high)} times as planned"
        )
        if not mean <= room * rms:
            seen = f"rows with a mean of {short(mean)}"
        wrong = not (mean <= room * rms and self._least - room <= low and high <= 1 + room)
        text = f"its rows are not standardised: {seen}"
        return exact_test("structure", wrong, "rows of mean 0, all of one length", seen, text)

    @property
    def _least(self) -> float:
        """How short a row is at least, beside ``_length``: the smaller its variance was.

        That is a chi-square of n - 1 degrees, and a share t of its mean or less has at most the
        chance (e t)^((n - 1) / 2): here one in 10^9 for all rows together.
        """
        count, rows, n = self.grid
        share = math.exp(-1 - 2 * math.log(1e9 * count * rows) / (n - 1))
        return 1 / math.sqrt(1 + _EPS * max(rows, n) / share)

    def _correlation_test(self, matrix: Tensor) -> Iterator[Test]:
        """Test that rows are as little correlated as those of an orthogonal matrix.

        Of independent ones the squares of all correlations are r (r - 1) / (n - 1) together, and
        of orthogonal ones about as little as so many rows can have: half-way lies many deviations
        from either.
        """
        rows, n = matrix.shape
        if rows > n:
            if n > _MOST:
                return
        else:
            matrix = matrix[:_MOST]
            rows = len(matrix)
        unit = matrix / torch.linalg.vector_norm(matrix, dim=1, keepdim=True)
        gram = unit @ unit.mT if rows <= n else unit.mT @ unit
        found = float(gram.square().sum()) - rows
        least, usual = rows * rows / min(rows, n - 1) - rows, rows * (rows - 1) / (n - 1)
        seen = f"rows with a mean square correlation of {short(found / (rows * (rows - 1)))}"
        text = f"its rows are no more orthogonal than any: {seen}"
        wrong = not found <= (least + usual) / 2
        yield exact_test("structure", wrong, "rows of an orthogonal matrix", seen, text)
