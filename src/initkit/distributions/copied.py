"""The values of another parameter, drawn again where they are copied to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor

from ..errors import SchemeMismatch
from ..numbers import frozen
from .base import Distribution, of_part
from .elementwise import Constant
from .evidence import Sample, Test
from .source import Runs, Source

_ANY = Constant(0.0)  # fits every tensor: what is not known yet is judged when it is


def _of_source(trait: str) -> Any:
    return of_part(trait, otherwise=_ANY)


@frozen
class Copy(Distribution):
    """The values of another parameter, called ``parameter``: the same words, drawn once more.

    ``part`` is that one's distribution and ``name`` the name that its numbers depend on, so that
    any part of a copy is written without reading its source. A plan fills both in.
    """

    parameter: str
    part: Distribution | None = None
    name: str = ""

    elementwise = _of_source("elementwise")
    random = _of_source("random")
    iid = _of_source("iid")
    alike = _of_source("alike")
    placed = _of_source("placed")
    known = _of_source("known")
    gaussian = _of_source("gaussian")
    constant = _of_source("constant")
    bounds_must_fit = _of_source("bounds_must_fit")
    distinct_slices = _of_source("distinct_slices")
    tolerance = _of_source("tolerance")
    complex_as_pairs = _of_source("complex_as_pairs")
    complex_valued = _of_source("complex_valued")
    allows_complex = _of_source("allows_complex")
    whole_numbers = _of_source("whole_numbers")
    moments = _of_source("moments")
    bounds = _of_source("bounds")
    reach = _of_source("reach")
    reckoned = _of_source("reckoned")
    atoms = _of_source("atoms")
    settled = property(lambda self: self.part is not None and self.part.settled)
    shape_matters = True  # element goes to element

    @property
    def in_pairs(self) -> Copy:
        return self if self.part is None else replace(self, part=self.part.in_pairs)

    @property
    def _known(self) -> Distribution:
        assert self.part is not None, "a plan with problems is never written"
        return self.part

    def _cdf(self, x: Tensor) -> Tensor:
        return self._known.cdf(x)

    def describe(self) -> str:
        return f"copy of {self.parameter}"

    def note(self) -> str:
        return "" if self.part is None else self.part.describe()

    def scaled(self, factor: float) -> Distribution:
        return self._changed(lambda part: part.scaled(factor))

    def mapped(self, name: str, number: float = 0.0) -> Distribution:
        return self._changed(lambda part: part.mapped(name, number))

    def _changed(self, change: Any) -> Distribution:
        if self.part is None:
            message = "copy_of stands for a whole tensor as it is; it cannot be scaled or mapped"
            raise SchemeMismatch(message)
        return replace(self, part=change(self.part))

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        self._known.write(out, source.of(self.name), runs)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        return self._known.draw(source.of(self.name), first)

    def draw_all(self, source: Source, like: Tensor) -> Tensor:
        return self._known.draw_all(source.of(self.name), like)

    def tests(self, sample: Sample) -> Iterator[Test]:
        return self._known.tests(sample)

    def random_part(self, tensor: Tensor) -> tuple[Distribution, Tensor]:
        return self._known.random_part(tensor)

    def known_flaw(self, low: float, high: float) -> str:
        return self._known.known_flaw(low, high)
