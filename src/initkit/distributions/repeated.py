"""Rows that stand several times, one behind the other, as sub-pixel convolutions start."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ..numbers import frozen
from .base import Distribution, Shaped, of_part
from .evidence import Sample, Test, exact_test
from .source import Runs, Source, spans


@frozen
class Repeated(Shaped):
    """Each row of ``part`` as often as ``times``, so that pixels of one shuffle start alike."""

    part: Distribution
    times: int
    iid = False
    shows_in_part = True
    distinct_slices = False
    complex_as_pairs = False
    allows_complex = False

    elementwise = of_part("elementwise")
    random = of_part("random")
    alike = of_part("alike")
    moments = of_part("moments")
    bounds = of_part("bounds")
    reach = of_part("reach")
    atoms = of_part("atoms")

    def misfit(self, shape: tuple[int, ...]) -> str:
        if text := super().misfit(shape):
            return text
        if not shape or self.times < 1 or shape[0] % self.times:
            return f"{list(shape)} has no rows that stand {self.times} times"
        return self.part.misfit((shape[0] // self.times, *shape[1:]))

    def _cdf(self, x: Tensor) -> Tensor:
        return self.part.cdf(x)

    def describe(self) -> str:
        return f"{self.part.describe()}, each row {self.times} times"

    def scaled(self, factor: float) -> Distribution:
        return replace(self, part=self.part.scaled(factor))

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        if not self.elementwise:
            whole = self.draw(source).reshape(-1)
            for local, start, length in spans(runs, out.numel()):
                out.narrow(0, local, length).copy_(whole.narrow(0, start, length))
            return
        self.part.write(out, source, self._sources(runs, out.numel()))

    def _sources(self, runs: Runs, numel: int) -> Tensor:
        """Return which elements of ``part`` some elements are, as (start, length)."""
        row = max(math.prod(self.shape[1:]), 1)
        found = []
        for _, start, length in spans(runs, numel):
            end = start + length
            first, last = start // row, (end - 1) // row
            # Where the rows of these elements begin, but for the first, which may begin within.
            edges = torch.arange(first, last + 1, device="cpu") * row
            starts, ends = edges.clamp(min=start), (edges + row).clamp(max=end)
            places = edges // row // self.times * row + starts - edges
            found.append(torch.stack([places, ends - starts], 1))
        return torch.cat(found) if found else torch.empty(0, 2, dtype=torch.int64, device="cpu")

    def draw(self, source: Source, first: int = 0) -> Tensor:
        rows = (self.shape[0] // self.times, *self.shape[1:])
        drawn = self.part.draw(source, first).reshape(rows)
        return drawn.repeat_interleave(self.times, 0)

    def draw_all(self, source: Source, like: Tensor) -> Tensor:
        return super().draw_all(source, like) if self.elementwise else self.draw(source)

    def tests(self, sample: Sample) -> Iterator[Test]:
        if sample.whole is None:
            return
        stacked = sample.whole.reshape(-1, self.times, *self.shape[1:])
        known = ~stacked.isnan()
        # Of equal rows the first that tells anything speaks for all, element by element.
        first = stacked.gather(1, known.to(torch.uint8).argmax(1, keepdim=True))
        wrong = int(((stacked != first) & known).sum())
        seen = f"{wrong:,} elements differ"
        text = f"{seen} from those of the first of {self.times} equal rows"
        yield exact_test("structure", wrong > 0, f"each row {self.times} times", seen, text)
        yield from sample.tests_as(self.part, first[:, 0])
