"""Some rows of a tensor by a distribution of their own, while the others keep what they hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from ..numbers import frozen
from .base import Distribution, of_part
from .blocks import write_spots
from .evidence import Sample, Test
from .source import Runs, Source, Spot, spans


@frozen
class Rows(Distribution):
    """The rows ``start`` to ``stop`` of dimension 0 are ``part``; nothing else is written.

    ``shape`` is that of the whole tensor. What is drawn element by element takes the index in the
    whole tensor, as in equal blocks, so that rows added later draw other words.
    """

    part: Distribution
    start: int
    stop: int
    shape: tuple[int, ...]
    shape_matters = True
    complex_as_pairs = False

    elementwise = of_part("elementwise")
    random = of_part("random")
    iid = of_part("iid")
    alike = of_part("alike")
    placed = of_part("placed")
    known = of_part("known")
    gaussian = of_part("gaussian")
    distinct_slices = of_part("distinct_slices")
    tolerance = of_part("tolerance")
    complex_valued = of_part("complex_valued")
    allows_complex = of_part("allows_complex")
    whole_numbers = of_part("whole_numbers")
    moments = of_part("moments")
    bounds = of_part("bounds")
    reach = of_part("reach")
    reckoned = of_part("reckoned")
    atoms = of_part("atoms")

    def misfit(self, shape: tuple[int, ...]) -> str:
        if self.shape != shape:
            return f"it is of the shape {list(self.shape)}"
        if not shape or not 0 <= self.start < self.stop <= shape[0]:
            return f"rows {self.start} to {self.stop} are not in the shape {list(shape)}"
        return self.part.misfit((self.stop - self.start, *shape[1:]))

    @property
    def _row(self) -> int:
        return math.prod(self.shape[1:])

    @property
    def elements(self) -> int:
        """How many elements are written."""
        return (self.stop - self.start) * self._row

    def of(self, whole: Tensor) -> Tensor:
        """Return the rows of the whole tensor that are written."""
        return whole[self.start : self.stop]

    @property
    def in_pairs(self) -> Rows:
        return replace(self, part=self.part.in_pairs)

    def _cdf(self, x: Tensor) -> Tensor:
        return self.part.cdf(x)

    def describe(self) -> str:
        one = f"row {self.start}" if self.stop == self.start + 1 else ""
        return f"{one or f'rows {self.start} to {self.stop - 1}'}: {self.part.describe()}"

    def note(self) -> str:
        return "; ".join(filter(None, ("the other rows keep their values", self.part.note())))

    def scaled(self, factor: float) -> Distribution:
        return replace(self, part=self.part.scaled(factor))

    def mapped(self, name: str, number: float = 0.0) -> Distribution:
        return replace(self, part=self.part.mapped(name, number))

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        """Write those of the elements ``runs`` that lie in the rows; leave the others."""
        first, behind = self.start * self._row, self.stop * self._row
        together: list[list[Spot]] = []  # which lie one behind the other in memory
        for local, start, length in spans(runs, out.numel()):
            begin, end = max(start, first), min(start + length, behind)
            if begin >= end:
                continue
            spot = Spot(local + begin - start, begin - first, begin, end - begin)
            last = together[-1][-1] if together else None
            if last is None or last.local + last.length < spot.local:
                together.append([])
            together[-1].append(spot)
        for spots in together:
            at, end = spots[0].local, spots[-1].local + spots[-1].length
            here = [spot._replace(local=spot.local - at) for spot in spots]
            write_spots(self.part, out.narrow(0, at, end - at), source, here)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        """Return the rows alone, of what is drawn at once."""
        return self.part.draw(source, first + self.start * self._row)

    def draw_all(self, source: Source, like: Tensor) -> Tensor:
        return self.draw(source)

    def tests(self, sample: Sample) -> Iterator[Test]:
        return self.part.tests(sample)

    def random_part(self, tensor: Tensor) -> tuple[Distribution, Tensor]:
        return self.part.random_part(tensor)
