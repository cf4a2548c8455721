"""Values that stand in a file, and tensors of which the first rows do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import field, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from ..errors import FileError
from ..files import StoredTensor, stored_tensors
from ..numbers import frozen
from .base import Distribution, Shaped, spans
from .blocks import write_spots
from .evidence import Sample, Test
from .source import Runs, Source, Spot
from .table import Held


@frozen
class Stored(Held):
    """The values of the tensor ``key`` in a file: all of it, or its first rows.

    Nothing is read before it is written or compared, and then no more than is asked for.
    ``content`` is a digest of shape, dtype and every bit, for a plan that is saved; where it is
    given, the file is compared with it before anything is written.
    """

    path: str
    key: str
    dtype: str
    stored_shape: tuple[int, ...]
    content: str = field(default="", compare=False, repr=False)

    def misfit(self, shape: tuple[int, ...]) -> str:
        if text := super().misfit(shape):
            return text
        if not isinstance(getattr(torch, self.dtype, None), torch.dtype):
            return f"{self.dtype!r} is no dtype"
        first = (*shape[:1], *self.stored_shape[1:]) == shape and shape <= self.stored_shape
        return "" if first else f"{list(shape)} is no part of {list(self.stored_shape)}"

    @property
    def _stored(self) -> StoredTensor:
        """The tensor as the file has it now."""
        found = stored_tensors(self.path).get(self.key)
        if found is None or (found.shape, found.dtype) != (self.stored_shape, self.held_in):
            raise FileError(self._changed, path=self.path)
        return found

    @property
    def _changed(self) -> str:
        return f"{self.path}: {self.key!r} was changed since it was planned"

    def require(self) -> None:
        """Raise :class:`~initkit.errors.FileError` where the file is not as it was planned."""
        stored = self._stored  # which compares shape and dtype
        if self.content and stored.digest != self.content:
            raise FileError(self._changed, path=self.path)

    @property
    def tensor(self) -> Tensor:
        stored = self._stored.tensor
        return stored[: self.shape[0]] if self.shape else stored

    @cached_property
    def held_in(self) -> torch.dtype:
        """The dtype of the values in the file."""
        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype

    @property
    def complex_valued(self) -> bool:
        return self.held_in.is_complex

    @property
    def whole_numbers(self) -> bool:
        return not self.held_in.is_floating_point and not self.held_in.is_complex

    @property
    def reach(self) -> tuple[float, float]:
        # By the dtype, so that planning needs no value of the file.
        if self.maps or self.whole_numbers:
            return super().reach
        limit = torch.finfo(self.held_in).max
        return -limit, limit

    def describe_table(self) -> str:
        return f"{self.key or 'tensor'} of {self.path}"

    def sealed(self) -> Self:
        return self if self.content else replace(self, content=self._stored.digest)


@frozen
class Grown(Shaped):
    """The first ``rows`` of dimension 0 by one distribution, the rows behind them by another."""

    first: Distribution
    rest: Distribution
    rows: int
    iid = False
    complex_as_pairs = False

    def misfit(self, shape: tuple[int, ...]) -> str:
        if text := super().misfit(shape):
            return text
        if not shape or not 0 < self.rows < shape[0]:
            return f"{self.rows} rows and others are not in the shape {list(shape)}"
        behind = (shape[0] - self.rows, *shape[1:])
        return self.first.misfit((self.rows, *shape[1:])) or self.rest.misfit(behind)

    @property
    def _parts(self) -> tuple[tuple[float, Distribution], ...]:
        share = self.rows / self.shape[0]
        return (share, self.first), (1 - share, self.rest)

    @property
    def elementwise(self) -> bool:
        return self.first.elementwise and self.rest.elementwise

    @property
    def random(self) -> bool:
        return self.first.random or self.rest.random

    @property
    def distinct_slices(self) -> bool:
        return self.first.distinct_slices and self.rest.distinct_slices

    @property
    def moments(self) -> tuple[float, float] | None:
        mean = square = 0.0
        for share, part in self._parts:
            if part.moments is None:
                return None
            mean += share * part.moments[0]
            square += share * (part.moments[0] ** 2 + part.moments[1] ** 2)
        return mean, math.sqrt(max(square - mean * mean, 0.0))

    @property
    def whole_numbers(self) -> bool:
        return self.first.whole_numbers and self.rest.whole_numbers

    @property
    def complex_valued(self) -> bool:
        return self.first.complex_valued or self.rest.complex_valued

    @property
    def bounds(self) -> tuple[float, float]:
        return min(self.first.low, self.rest.low), max(self.first.high, self.rest.high)

    @property
    def reach(self) -> tuple[float, float]:
        (a, b), (c, d) = self.first.reach, self.rest.reach
        return min(a, c), max(b, d)

    def _cdf(self, x: Tensor) -> Tensor:
        (share, first), (others, rest) = self._parts
        return share * first.cdf(x) + others * rest.cdf(x)

    def describe(self) -> str:
        return f"{self.first.describe()} | {self.shape[0] - self.rows} rows {self.rest.describe()}"

    def scaled(self, factor: float) -> Distribution:
        first, rest = self.first.scaled(factor), self.rest.scaled(factor)
        return Grown(self.shape, first, rest, self.rows)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        edge = self.rows * math.prod(self.shape[1:])
        for local, start, length in spans(runs, out.numel()):
            before = min(max(edge - start, 0), length)
            if before:
                spot = Spot(0, start, start, before)
                write_spots(self.first, out.narrow(0, local, before), source, [spot])
            if before < length:
                piece = out.narrow(0, local + before, length - before)
                spot = Spot(0, start + before - edge, start + before, length - before)
                write_spots(self.rest, piece, source, [spot])

    def tests(self, sample: Sample) -> Iterator[Test]:
        if sample.whole is None:
            return
        pieces = sample.whole[: self.rows], sample.whole[self.rows :]
        for (_, part), piece in zip(self._parts, pieces, strict=True):
            yield from part.tests(sample.of(part, [piece]))
