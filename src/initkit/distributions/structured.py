"""Distributions that are 0 but for one value at fixed places: identity, Dirac."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import field, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from ..numbers import Grid, frozen
from .base import Shaped, describe_blocks, grid_misfit
from .digits import short
from .evidence import Sample, Test, exact_test
from .source import Runs, Source, spans


@frozen
class Placed(Shaped):
    """Base of distributions that are 0 but for ``value`` at fixed places: identity and Dirac."""

    value: float = field(default=1.0, kw_only=True)
    random = False
    placed = True
    complex_as_pairs = False

    def places(self) -> Tensor:
        """Return the sorted global indices that hold ``value``."""
        raise NotImplementedError

    @cached_property
    def _share(self) -> float:
        return self.places().numel() / max(math.prod(self.shape), 1)

    @property
    def moments(self) -> tuple[float, float]:
        p = self._share
        return p * self.value, abs(self.value) * math.sqrt(p * (1 - p))

    @property
    def bounds(self) -> tuple[float, float]:
        return min(0.0, self.value), max(0.0, self.value)

    @property
    def atoms(self) -> dict[float, float]:
        return {0.0: 1 - self._share, self.value: self._share}

    @property
    def whole_numbers(self) -> bool:
        return self.value.is_integer()

    def _cdf(self, x: Tensor) -> Tensor:
        zero, value = (x >= 0).double(), (x >= self.value).double()
        return zero * (1 - self._share) + value * self._share

    def scaled(self, factor: float) -> Self:
        return replace(self, value=self.value * factor)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        out.zero_()
        places = self.places()  # sorted, so that those of a run are one slice
        for local, start, length in spans(runs, out.numel()):
            low, high = torch.searchsorted(
                places, torch.tensor([start, start + length], device="cpu")
            )
            here = places[int(low) : int(high)] - start + local
            out[here.to(out.device)] = self.value


@frozen
class Eye(Placed):
    """Ones on the diagonal of every matrix of the ``grid``."""

    grid: Grid

    def misfit(self, shape: tuple[int, ...]) -> str:
        return super().misfit(shape) or grid_misfit(self.grid, shape)

    def places(self) -> Tensor:
        matrices, rows, columns = self.grid
        diagonal = _count(min(rows, columns)) * (columns + 1)
        return (_count(matrices)[:, None] * (rows * columns) + diagonal).reshape(-1)

    def tests(self, sample: Sample) -> Iterator[Test]:
        yield from sample.equality()
        if sample.whole is not None and not sample.holes:
            grid = sample.matrices(self.grid)
            rows, columns = grid.shape[1:]
            # The same values, found in another way: a diagonal by the sample's own layout.
            wrong = int((grid != 0).sum()) != len(grid) * min(rows, columns) * bool(self.value)
            wrong |= bool(self.value) and not bool(grid.diagonal(dim1=1, dim2=2).all())
            seen = f"matrices of {rows} x {columns} that are no identity"
            yield exact_test("structure", wrong, self.describe(), seen, f"it holds {seen}")

    def describe(self) -> str:
        size = "identity" if self.value == 1 else f"{short(self.value)} x identity"
        return size + describe_blocks(self.grid)


@frozen
class Dirac(Placed):
    """The identity of a convolution: ones in the middle of the window, per group."""

    groups: int = 1

    def misfit(self, shape: tuple[int, ...]) -> str:
        cut = len(shape) > 1 and self.groups > 0 and shape[0] % self.groups == 0
        text = f"{list(shape)} is no convolution of {self.groups} groups"
        return super().misfit(shape) or ("" if cut else text)

    def places(self) -> Tensor:
        out, inner, *window = self.shape
        area = math.prod(window)
        # The row-major index of the window's middle; of even sizes as torch.nn.init.dirac_ has it.
        middle = 0
        for size in window:
            middle = middle * size + size // 2
        per_group = out // self.groups
        channel = _count(min(per_group, inner))
        row = _count(self.groups)[:, None] * per_group + channel
        return (row * (inner * area) + channel * area + middle).reshape(-1)

    def describe(self) -> str:
        text = "Dirac" if self.value == 1 else f"{short(self.value)} x Dirac"
        return text if self.groups == 1 else f"{text}, {self.groups} groups"


def _count(n: int) -> Tensor:
    return torch.arange(n, device="cpu")
