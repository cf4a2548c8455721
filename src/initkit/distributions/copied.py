"""The values of another parameter, drawn again where they are copied to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

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
    any part of a copy is written without reading its source. A plan fills both in, and ``dtype``,
    that of the source, where values are made of these as the source holds them.
    """

    parameter: str
    part: Distribution | None = None
    name: str = ""
    dtype: str = ""

    elementwise = _of_source("elementwise")
    random = _of_source("random")
    iid = _of_source("iid")
    alike = _of_source("alike")
    shows_in_part = _of_source("shows_in_part")
    placed = _of_source("placed")
    known = _of_source("known")
    gaussian = _of_source("gaussian")
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
    def copy(self) -> Copy:
        return self

    @property
    def constant(self) -> float | None:
        return None if self.part is None else self.part.constant

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
        if self._of_many:
            return self.mapped("times", factor) if factor else _ANY
        return self._changed(lambda part: part.scaled(factor))

    def mapped(self, name: str, number: float = 0.0) -> Distribution:
        if self._of_many:
            return super().mapped(name, number)
        return self._changed(lambda part: part.mapped(name, number))

    @property
    def _of_many(self) -> bool:
        """Whether values are made of these, which then stay what the source holds."""
        return self.part is None or bool(self.dtype)

    def _changed(self, change: Any) -> Distribution:
        return replace(self, part=change(self._known))

    def to_dict(self) -> dict[str, Any]:
        data = super().to_dict()  # by itself it is written as it ever was
        return data if self.dtype else {k: v for k, v in data.items() if k != "dtype"}

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        held = self._held_in or out.dtype
        if held == out.dtype:
            self._known.write(out, source.of(self.name), runs)
            return
        scratch = torch.empty(out.shape, dtype=held, device="cpu")
        self._known.write(scratch, source.of(self.name), runs)
        out.copy_(scratch)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        values = self._known.draw(source.of(self.name), first)
        return values if self._held_in is None else values.to(self._held_in)

    @property
    def _held_in(self) -> torch.dtype | None:
        dtype: torch.dtype | None = getattr(torch, self.dtype) if self.dtype else None
        return dtype

    def draw_all(self, source: Source, like: Tensor) -> Tensor:
        return self._known.draw_all(source.of(self.name), like)

    def tests(self, sample: Sample) -> Iterator[Test]:
        return self._known.tests(sample)

    def random_part(self, tensor: Tensor) -> tuple[Distribution, Tensor]:
        return self._known.random_part(tensor)

    def known_flaw(self, low: float, high: float) -> str:
        return self._known.known_flaw(low, high)
