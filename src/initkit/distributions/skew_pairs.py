"""Skew-symmetric matrices of 2 x 2 blocks, whose exponentials turn pairs of units."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ..numbers import frozen
from .base import Distribution
from .elementwise import Constant
from .evidence import Sample, Test, exact_test
from .source import Source
from .whole import NonElementwise


@frozen
class SkewPairs(NonElementwise):
    """``part`` above the diagonal of each 2 x 2 block along it, minus that below, 0 elsewhere."""

    part: Distribution
    distinct_slices = False

    def misfit(self, shape: tuple[int, ...]) -> str:
        square = len(shape) == 2 and shape[0] == shape[1] > 1
        text = "" if square else f"{list(shape)} is no square matrix of two rows or more"
        one = "" if self.part.iid else f"{self.part} is not drawn for each pair by itself"
        return super().misfit(shape) or text or one or self.part.misfit((self.shape[0] // 2,))

    @property
    def _share(self) -> float:
        """The share of all entries that are drawn, above the diagonal or below."""
        return self.shape[0] // 2 / math.prod(self.shape)

    @property
    def moments(self) -> tuple[float, float] | None:
        if self.part.moments is None:
            return None
        return 0.0, math.sqrt(2 * self._share) * math.hypot(*self.part.moments)

    @property
    def bounds(self) -> tuple[float, float]:
        end = max(0.0, *map(abs, self.part.bounds))
        return -end, end

    @property
    def reach(self) -> tuple[float, float]:
        end = max(0.0, *map(abs, self.part.reach))
        return -end, end

    @property
    def atoms(self) -> dict[float, float]:
        return {0.0: 1 - 2 * self._share}

    def _cdf(self, x: Tensor) -> Tensor:
        below = 1 - self.part.cdf(-x)  # but for atoms of the part, which no angle has
        zeros = (1 - 2 * self._share) * (x >= 0).double()
        return zeros + self._share * (self.part.cdf(x) + below)

    def describe(self) -> str:
        return f"skew-symmetric pairs of {self.part.describe()}"

    def scaled(self, factor: float) -> Distribution:
        return replace(self, part=self.part.scaled(factor)) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        out = torch.zeros(self.shape, dtype=torch.float64, device="cpu")
        pairs = torch.empty(self.shape[0] // 2, dtype=torch.float32, device="cpu")
        self.part.write(pairs, source, first)
        out.diagonal(1)[::2] = pairs.double()
        out.diagonal(-1)[::2] = -pairs.double()
        return out

    def tests(self, sample: Sample) -> Iterator[Test]:
        if sample.whole is None:
            return
        above, below = (sample.whole.diagonal(side)[::2] for side in (1, -1))
        strange = int((above != -below).sum())
        seen = f"{strange:,} pairs are not opposite"
        yield exact_test("structure", strange > 0, "pairs that are opposite", seen, seen)
        held = sum(int(half.count_nonzero()) for half in (above, below))
        around = sum(int(chunk.count_nonzero()) for chunk in sample.chunks()) - held
        seen = f"{around:,} elements beside the pairs are not 0"
        yield exact_test("structure", around > 0, "0 beside the pairs", seen, seen)
        yield from self.part.tests(sample.of(self.part, [above.contiguous()]))
