"""New rows that are like the rows that are there: their mean, their covariance, or copies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import field
from typing import Any

import torch
from torch import Tensor

from .. import stream
from ..errors import SchemeMismatch, first_few
from ..numbers import frozen
from ..stream.pool import alone
from .base import Distribution, Shaped
from .digits import short
from .evidence import Sample, Test
from .rows import Rows
from .source import Source
from .whole import NonElementwise


@frozen
class LikeRows(NonElementwise):
    """Base of rows that follow from the other rows of their tensor.

    These are ``above``, which nothing draws, and all others; or, without it, what the model holds.
    """

    above: Shaped | None = field(default=None, kw_only=True)
    allows_complex = False
    distinct_slices = False

    @property
    def repeatable(self) -> bool:
        return self.above is not None

    @property
    def moments(self) -> None:
        return None

    @property
    def reach(self) -> tuple[float, float]:
        return 0.0, 0.0  # as large as the others, which have room

    def to_dict(self) -> dict[str, Any]:
        data = super().to_dict()  # of what the model holds it is written as it ever was
        return {k: v for k, v in data.items() if k != "above" or v is not None}

    def _cdf(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"nobody knows the distribution of {self.describe()}")

    def scaled(self, factor: float) -> Distribution:
        raise SchemeMismatch(f"{self.describe()} follows from the other rows; it cannot be scaled")

    def draw(self, source: Source, first: int = 0) -> Tensor:
        if self.above is None:
            what = f"{self.describe()} can only be drawn where the other rows are held"
            raise SchemeMismatch(what)
        empty = torch.zeros(self.shape, dtype=torch.float64, device="cpu")
        return self.draw_like(source, *self._below(self.above, empty, torch.float64))

    def draw_like(self, source: Source, rows: Rows, whole: Tensor) -> Tensor:
        """Return the rows, from all that the tensor holds, in float64."""
        # On one thread: a BLAS sums in other orders on more, and ranks would differ in last bits.
        made: list[Tensor] = []
        alone(lambda: made.append(self.like(source, rows, whole)))
        return made[0]

    def like(self, source: Source, rows: Rows, whole: Tensor) -> Tensor:
        """Return what :meth:`draw_like` does, whatever the number of threads."""
        raise NotImplementedError

    def tests(self, sample: Sample) -> Iterator[Test]:
        new = sample.whole
        if self.above is None or new is None or not bool(new.isfinite().all()):
            return  # against what the model holds they are tested by their step
        eps = float(torch.finfo(sample.dtype).eps)
        here = new.detach().cpu().double()
        yield from self.tests_like(*self._below(self.above, here, sample.dtype), eps)

    def _below(self, above: Shaped, new: Tensor, dtype: torch.dtype) -> tuple[Rows, Tensor]:
        """Return which rows of what tensor these are, below those given, as this dtype has them."""
        others = torch.empty(math.prod(above.shape), dtype=torch.float64, device="cpu")
        above.write(others, Source(0, ""))  # nothing of it is drawn: any source will do
        whole = torch.cat([others.to(dtype).double().view(above.shape), new])
        return Rows(self, above.shape[0], len(whole), tuple(whole.shape)), whole

    def tests_like(self, rows: Rows, whole: Tensor, eps: float) -> Iterator[Test]:
        """Yield the tests of the rows against all that the tensor holds, in float64.

        ``eps`` is the distance of neighbours near 1 in the tensor's own dtype.
        """
        return iter(())


def _others(rows: Rows, whole: Tensor) -> Tensor:
    return _flat(torch.cat([whole[: rows.start], whole[rows.stop :]]))


def _flat(rows: Tensor) -> Tensor:
    return rows.reshape(len(rows), math.prod(rows.shape[1:]))  # of a vector a row is a number


@frozen
class MeanResized(LikeRows):
    """Rows of the normal distribution with the mean and ``scale`` the covariance of the others."""

    scale: float

    def describe(self) -> str:
        return f"N(mean, {short(self.scale)} covariance) of the other rows"

    def like(self, source: Source, rows: Rows, whole: Tensor) -> Tensor:
        others = _others(rows, whole)
        mean = others.mean(0)
        centred = others - mean
        # Words by the index in the whole tensor, so that rows added later draw others.
        words = torch.empty(rows.stop - rows.start, mean.numel(), dtype=torch.float32, device="cpu")
        first = rows.start * mean.numel()
        stream.normal_(words.view(-1), source.values, 0.0, 1.0, first)
        factor = _root(centred.mT @ centred / len(others)) * math.sqrt(self.scale)
        return (mean + words.double() @ factor).view(-1, *whole.shape[1:])

    def tests_like(self, rows: Rows, whole: Tensor, eps: float) -> Iterator[Test]:
        others, new = _others(rows, whole), _flat(rows.of(whole))
        mean = others.mean(0)
        # Of a row's distance from the mean, in deviations along it: a normal value exceeds 8 with
        # a chance of 1e-15.
        room = 8 * math.sqrt(self.scale) * others.std(0, correction=0)
        room += max(1e-4, eps) * mean.abs() + 1e-12
        worst = float(((new - mean).abs() / room).max())
        seen = f"{8 * worst:.3g} deviations away"
        text = f"a new row lies {seen} from the mean of the others"
        yield Test("mean", 0.0 if not worst <= 1 else 1.0, "the mean of the others", seen, text)


@frozen
class CopiedRows(LikeRows):
    """Copies of other rows, by turns, or their mean."""

    of: tuple[int, ...]
    average: bool = False

    def misfit(self, shape: tuple[int, ...]) -> str:
        return super().misfit(shape) or ("" if self.of else "it is of no rows")

    def describe(self) -> str:
        listed = first_few([*map(str, self.of)], 8)
        return (
            f"{'the mean' if self.average else 'copies'} of row{'s' * (len(self.of) > 1)} {listed}"
        )

    def like(self, source: Source, rows: Rows, whole: Tensor) -> Tensor:
        count = rows.stop - rows.start
        if self.average:
            mean = whole[list(self.of)].mean(0, keepdim=True)
            return mean.expand(count, *whole.shape[1:])
        return whole[[self.of[i % len(self.of)] for i in range(count)]]

    def tests_like(self, rows: Rows, whole: Tensor, eps: float) -> Iterator[Test]:
        wanted = self.draw_like(Source(0, ""), rows, whole)
        new = rows.of(whole)
        far = (new - wanted).abs() > (1e-2 * wanted.abs() + 1e-6 if self.average else 0.0)
        count = int(far.sum())
        seen, text = (
            f"{count:,} elements differ",
            f"{count:,} elements differ from {self.describe()}",
        )
        yield Test("copy", 0.0 if count else 1.0, self.describe(), seen, text)


def _root(covariance: Tensor) -> Tensor:
    """Return the symmetric root of a covariance, of whatever rank."""
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.mT
    return root
