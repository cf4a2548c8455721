"""Distributions that draw the whole tensor at once, in a keyed scratch, and are then sliced."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .. import stream
from ..errors import SchemeMismatch
from ..numbers import Grid, exact_math, frozen
from .base import WRITTEN, Distribution, Shaped, grid_misfit
from .digits import short
from .elementwise import Constant, Normal, ndtr
from .evidence import Sample, Test, binomial, exact_test, uniform_test
from .indexed import check_base
from .source import Runs, Source, spans


@frozen
class NonElementwise(Shaped):
    """Base of distributions that need the whole tensor: drawn in a keyed scratch, then sliced.

    A subclass says in ``draw`` what the whole tensor is.
    """

    elementwise = False

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        whole = self.draw(source).reshape(-1)
        for local, start, length in spans(runs, out.numel()):
            out.narrow(0, local, length).copy_(whole.narrow(0, start, length))

    def draw_all(self, source: Source, like: Tensor) -> Tensor:
        return self.draw(source)


@frozen
class Sparse(NonElementwise):
    """Normal values of ``scale`` with ``zeros`` zeros in each column of each matrix of the grid."""

    scale: float
    zeros: int
    grid: Grid
    alike = True

    def misfit(self, shape: tuple[int, ...]) -> str:
        text = super().misfit(shape) or grid_misfit(self.grid, shape)
        few = 0 <= self.zeros <= self.grid[1]
        return text or ("" if few else f"{self.zeros} zeros are not in {self.grid[1]} rows")

    @property
    def _share(self) -> float:
        return self.zeros / self.grid[1]

    @property
    def moments(self) -> tuple[float, float]:
        return 0.0, self.scale * math.sqrt(1 - self._share)

    @property
    def reach(self) -> tuple[float, float]:
        return Normal(0.0, self.scale).reach

    @property
    def atoms(self) -> dict[float, float]:
        return {0.0: self._share} if self._share else {}

    def _cdf(self, x: Tensor) -> Tensor:
        zero = self._share * (x >= 0).double()
        return zero + (1 - self._share) * ndtr(x / self.scale)

    def describe(self) -> str:
        return f"N(0, {short(self.scale)}), {self.zeros} zeros per column"

    def scaled(self, factor: float) -> Distribution:
        return replace(self, scale=self.scale * abs(factor)) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        out = torch.empty(math.prod(self.shape), dtype=torch.float32, device="cpu")
        stream.normal_(out, source.values, 0.0, self.scale, first)
        matrices = out.view(self.grid)
        # The rows with the smallest words of a column are a random set of them; of equal words, as
        # there may be, a stable sort takes the upper one on every machine.
        words = stream.words(source.choices, first, out.numel()).view(self.grid)
        order = words.argsort(dim=1, stable=True)[:, : self.zeros]
        matrices.scatter_(1, order, 0.0)
        return out.view(self.shape)

    def tests(self, sample: Sample) -> Iterator[Test]:
        rest = Normal(0.0, self.scale)
        nonzero = sample.of(rest, [chunk[chunk != 0] for chunk in sample.chunks()])
        chance = nonzero.chance_of_zero()
        if sample.whole is not None:
            yield self._zeros_test(sample.matrices(self.grid), chance)
        elif self.grid == (1, self.shape[0], math.prod(self.shape[1:])):
            left = torch.cat([piece.flatten(1) for piece in sample.pieces])  # but for some rows
            yield self._zeros_test(left[None], chance, self.shape[0] - len(left))
            # Of what falls on some of a column's rows a share is bounded as of coins (Hoeffding).
            zeros, n = left.numel() - int(left.count_nonzero()), left.numel()
            p = 2 * binomial(zeros, n, (self._share, self._share + chance))
            seen = f"{zeros:,} of {n:,} elements are 0"
            text = f"{seen}, where {short(100 * self._share)} % should be"
            yield Test("zeros", min(p, 1.0), f"{short(100 * self._share)} % zeros", seen, text)
        for test in rest.tests(nonzero):
            # zeros are counted by column, and what is left has lost its neighbours
            if test.kind not in ("zeros", "order"):
                yield test

    def _zeros_test(self, whole: Tensor, chance: float, out: int = 0) -> Test:
        """Count the zeros of each column; normal values are 0 now and then, too.

        Any of the rows that are left ``out`` may hold a zero of each column.
        """
        matrices, rows, columns = whole.shape
        zeros = rows - torch.stack([m.count_nonzero(0) for m in whole])
        extra = int((zeros - self.zeros).clamp(min=0).sum())
        missing = int((self.zeros - out - zeros).clamp(min=0).sum())
        low, high = int(zeros.min()), int(zeros.max())
        seen = f"{low} to {high} zeros per column" if low < high else f"{low} zeros per column"
        # A zero too few cannot be; of the normal values each may have been rounded to one.
        n = max(1, matrices * columns * (rows - self.zeros))
        p = 0.0 if missing else binomial(min(extra, n), n, (0.0, chance))
        text = f"{seen} where {self.zeros} were planned"
        return Test("structure", p, f"{self.zeros} zeros per column", seen, text)


@frozen
class Rotated(NonElementwise):
    """Pairs (x, y) of fixed lengths, each row of pairs turned by an angle of its own."""

    base: float
    factor: float = 1.0
    distinct_slices = False  # a row is one angle, and two may round to the same

    def __post_init__(self) -> None:
        check_base(self.base)

    def misfit(self, shape: tuple[int, ...]) -> str:
        pairs = len(shape) > 1 and shape[0] == 2 and shape[-1] % 2 == 0
        return super().misfit(shape) or ("" if pairs else f"{list(shape)} holds no pairs")

    @property
    def _radii(self) -> Tensor:
        count = self.shape[-1] // 2
        steps = torch.arange(count, dtype=torch.float64, device="cpu") / max(count, 1)
        return self.factor * exact_math.exp(steps * -math.log(self.base))

    @property
    def moments(self) -> tuple[float, float]:
        return 0.0, math.sqrt(float(self._radii.square().mean()) / 2)

    @property
    def bounds(self) -> tuple[float, float]:
        return -abs(self.factor), abs(self.factor)

    def _cdf(self, x: Tensor) -> Tensor:
        # A coordinate of a point on a circle has the arcsine law; the mean is over the circles.
        share = (x[..., None] / self._radii.abs()).clamp(-1, 1)
        return (0.5 + share.asin() / math.pi).mean(-1)

    def describe(self) -> str:
        size = "" if self.factor == 1 else f"{short(self.factor)} x "
        return f"{size}frequencies {short(self.base)}^(-i/n), turned at random"

    def scaled(self, factor: float) -> Distribution:
        return replace(self, factor=self.factor * factor) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        rows = self.shape[1:-1]
        angle = torch.empty(rows, dtype=torch.float32, device="cpu")
        stream.uniform_(angle, source.values, 0.0, 2 * math.pi, first)
        cos, sin = exact_math.cos(angle.double()), exact_math.sin(angle.double())
        return self._turned(cos, sin)

    def _turned(self, cos: Tensor, sin: Tensor) -> Tensor:
        """Return the pairs of each row, turned by its angle."""
        x, y = cos[..., None] * self._radii, sin[..., None] * self._radii
        return torch.stack([torch.cat([x, -y], -1), torch.cat([y, x], -1)])

    def tests(self, sample: Sample) -> Iterator[Test]:
        if sample.whole is None or not sample.whole.numel():
            return
        whole = sample.whole.detach().cpu().double()
        first = whole[:, ..., 0] / self._radii[0]  # cosine and sine of every row's angle
        angles = torch.atan2(first[1], first[0])
        gap = (whole - self._turned(angles.cos(), angles.sin())).abs() / self._radii.abs().repeat(2)
        off = float(gap.max())
        wrong = not off <= 1e-5 + 4 * float(torch.finfo(sample.dtype).eps)
        seen = f"pairs that are off by {off:.2g} of their length"
        text = f"its rows are no pairs of planned lengths under one angle: {seen}"
        yield exact_test("structure", wrong, "pairs under one angle a row", seen, text)
        yield uniform_test("angles", (angles.reshape(-1) / (2 * math.pi)) % 1, 1e-3)


@frozen
class UserFunction(NonElementwise):
    """What a user's own function writes; nobody knows its distribution.

    It is called with the tensor, or, ``per_module``, with the modules that hold it: its ``owners``
    alone, or modules around them as well.
    """

    function: Callable[..., object]
    options: tuple[tuple[str, Any], ...] = ()
    factor: float = 1.0
    label: str = ""
    per_module: bool = False
    owners: bool = field(default=False, compare=False, repr=False)
    known = False
    uncarried = "the function"
    complex_as_pairs = False
    allows_complex = True

    @property
    def moments(self) -> None:
        return None

    def _cdf(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"nobody knows the distribution of {self.describe()}")

    def describe(self) -> str:
        name = self.label or function_name(self.function)
        given = getattr(self.function, "keywords", {})  # of a partial
        options = ", ".join(f"{k}={v!r}" for k, v in (*given.items(), *self.options))
        text = f"{name}({options})"
        if self.per_module:
            text = f"per_module({name}{', ' if options else ''}{options})"
        return text if self.factor == 1 else f"{short(self.factor)} x {text}"

    def scaled(self, factor: float) -> UserFunction:
        return replace(self, factor=self.factor * factor)

    def mapped(self, name: str, number: float = 0.0) -> Distribution:
        raise SchemeMismatch(f"{name} of what a function writes is for the function itself")

    def to_dict(self) -> dict[str, Any]:
        return {"kind": WRITTEN, "function": self.describe()}


def function_name(function: Callable[..., object]) -> str:
    """Return what a user's function is called; of a partial, the function in it."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__name__", None) or type(function).__name__
