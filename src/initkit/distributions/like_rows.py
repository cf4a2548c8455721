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
from .elementwise import Normal
from .evidence import Sample, Test, exact_test, squares_test
from .rows import Rows
from .source import Source
from .whole import NonElementwise

_FAR = 8.0  # deviations, which a normal value exceeds with a chance of 1e-15
_FLAT = 1e-6  # of the largest variance: code that reckons in float32 makes so much of none
_RECKONED = 4e-6  # of a size, which a mean in float32 may be off by
_ROUNDED = 1024  # rows that show what rounding does
_IN_DOUBT = 1 / 32  # of a deviation: more than that may hide the shape of what was drawn
_SLACK = 2.0**-8  # of a deviation: half of what tests leave for rounding to 16 bits
_FINE = 1e-5  # of a deviation: less than any test leaves for rounding


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
        here = new.detach().cpu().double()
        yield from self.tests_like(*self._below(self.above, here, sample.dtype), sample)

    def _below(self, above: Shaped, new: Tensor, dtype: torch.dtype) -> tuple[Rows, Tensor]:
        """Return which rows of what tensor these are, below those given, as this dtype has them."""
        others = torch.empty(math.prod(above.shape), dtype=torch.float64, device="cpu")
        above.write(others, Source(0, ""))  # nothing of it is drawn: any source will do
        whole = torch.cat([others.to(dtype).double().view(above.shape), new])
        return Rows(self, above.shape[0], len(whole), tuple(whole.shape)), whole

    def tests_like(self, rows: Rows, whole: Tensor, sample: Sample) -> Iterator[Test]:
        """Yield the tests of the rows against all that the tensor holds, in float64.

        ``sample`` is of the rows alone, in the tensor's own dtype; a row that is NaN tells nothing.
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
        values, vectors = torch.linalg.eigh(centred.mT @ centred / len(others))
        # The symmetric root of a covariance, of whatever rank.
        factor: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.mT
        factor = factor * math.sqrt(self.scale)
        return (mean + words.double() @ factor).view(-1, *whole.shape[1:])

    def tests_like(self, rows: Rows, whole: Tensor, sample: Sample) -> Iterator[Test]:
        others, new = _others(rows, whole), _flat(rows.of(whole))
        new = new[~new.isnan().any(1)]
        if not len(new):
            return
        mean = others.mean(0)
        centred = others - mean
        values, axes = torch.linalg.eigh(centred.mT @ centred / len(others))
        flat = _FLAT * values.max()  # a variance so small is not told from none
        stds = (self.scale * values.clamp(min=flat)).sqrt()
        size = centred.square().mean(0).sqrt()
        reach = _FAR * math.sqrt(self.scale) * size
        eps = float(torch.finfo(sample.dtype).eps)
        rounding = eps * (mean.abs() + reach) + _RECKONED * (mean.abs() + size)
        away = new - mean
        along = away @ axes
        # A distance is told by the elements, and by the axes along which the others hardly differ.
        room = torch.cat([reach + rounding, _FAR * stds + rounding @ axes.abs()])
        gap = torch.cat([away, along], 1).abs()
        far = int((gap > room).any(1).sum())
        worst = float((gap - room).max())
        seen = f"{far:,} of {len(new):,} new rows lie further from the mean of the others"
        text = f"{seen} than {self.describe()} and rounding lead, by {short(worst)}"
        yield exact_test("mean", far > 0, "the mean of the others", seen, text)
        if far:
            return  # all else that is wrong follows from it
        told, fine = _told(mean, axes, stds, sample.dtype)
        told &= values > flat
        if not bool(told.all()):
            count = f"{int(told.sum()):,} of {len(told):,}"
            sample.notes.append(f"ok, but rounding leaves the spread of its rows in {count} axes")
        if bool(told.any()):
            # Along each axis these are independent standard normal values.
            drawn = (along / stds)[:, told].to(torch.float32 if fine else torch.bfloat16)
            where = "in deviations along the axes of the others' covariance"
            for test in sample.tests_as_drawn(Normal(0.0, 1.0), drawn):
                yield test.within(where)
            # A shift of all rows is one along each axis, which cancel out in the mean of all.
            shift = (drawn.double().mean(0).abs() - (_FINE if fine else _SLACK)).clamp(min=0)
            total = len(drawn) * float(shift.square().sum())
            off = f"the mean of the new rows is off by {short(float(shift.norm()))}"
            p = squares_test(off, total, len(shift), 0.0).p if total > len(shift) else 1.0
            yield Test("mean", p, "the mean of the others", off, off).within(where)


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

    def tests_like(self, rows: Rows, whole: Tensor, sample: Sample) -> Iterator[Test]:
        wanted = self.draw_like(Source(0, ""), rows, whole)
        # A copy is exact; a mean is off by the rounding of its terms, in float32 at best.
        eps = max(float(torch.finfo(dtype).eps) for dtype in (sample.dtype, torch.float32))
        room = eps * whole[list(self.of)].abs().mean(0) if self.average else 0.0
        count = int(((rows.of(whole) - wanted).abs() > room).sum())
        seen, text = (
            f"{count:,} elements differ",
            f"{count:,} elements differ from {self.describe()}",
        )
        yield Test("copy", 0.0 if count else 1.0, self.describe(), seen, text)


def _told(mean: Tensor, axes: Tensor, stds: Tensor, dtype: torch.dtype) -> tuple[Tensor, bool]:
    """Return along which axes rounded rows still show what was drawn, and whether as in float32.

    Rows that are drawn and rounded alike tell what rounding does to the mean and the spread, even
    where it hides all of an element that others tell of.
    """
    generator = torch.Generator(device="cpu").manual_seed(0)  # and so the same each time
    drawn = torch.randn(_ROUNDED, len(stds), dtype=torch.float64, generator=generator, device="cpu")
    made = mean + (drawn * stds) @ axes.mT
    off = (made.to(dtype).double() - made) @ axes / stds
    shift, spread = off.mean(0).abs(), (2 * drawn * off + off.square()).mean(0).abs()
    size = off.square().mean(0).sqrt()
    told = (size < _IN_DOUBT) & (shift < _SLACK) & (spread < _SLACK)
    return told, bool((size[told] < _FINE).all())
