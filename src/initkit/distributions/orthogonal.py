"""Orthogonal matrices from the Haar measure, and how to tell whether a matrix is one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from .. import stream
from ..numbers import Grid, frozen
from .base import Distribution, describe_blocks, grid_misfit
from .digits import short
from .elementwise import Constant
from .evidence import Sample, Test, binomial, exact_test
from .source import Source
from .whole import NonElementwise

_SMALL = 8  # columns of fewer entries may be alike up to signs, as in a rotation of the plane
_VECTORS = 64  # rows or columns of a matrix that are compared one by one
_MOST_COLUMNS = 512  # of a matrix with holes that are compared with each other
MOST_HOLES = 1 / 4  # of a matrix: beside so many it still shows where it is a third too large
_PROBES = 8  # random vectors that stand for all of them


@frozen
class Orthogonal(NonElementwise):
    """Haar-distributed (semi-)orthogonal matrices of the ``grid``, times ``gain``."""

    gain: float
    grid: Grid
    alike = True
    shows_in_part = True

    def misfit(self, shape: tuple[int, ...]) -> str:
        return super().misfit(shape) or grid_misfit(self.grid, shape)

    @property
    def distinct_slices(self) -> bool:
        return max(self.grid[1:]) >= _SMALL

    @property
    def moments(self) -> tuple[float, float]:
        return 0.0, abs(self.gain) / math.sqrt(max(self.grid[1:]))

    @property
    def bounds(self) -> tuple[float, float]:
        return -abs(self.gain), abs(self.gain)

    def _cdf(self, x: Tensor) -> Tensor:
        return sphere_cdf(x / abs(self.gain), max(self.grid[1:]))

    def describe(self) -> str:
        gain = "" if self.gain == 1 else f", gain {short(self.gain)}"
        return f"orthogonal{gain}" + describe_blocks(self.grid)

    def scaled(self, factor: float) -> Distribution:
        return replace(self, gain=self.gain * factor) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        matrices, rows, columns = self.grid
        drawn = [
            stream.haar(rows, columns, source.values, self.gain, first=first + i * rows * columns)
            for i in range(matrices)
        ]
        return torch.stack(drawn).reshape(self.shape)

    def tests(self, sample: Sample) -> Iterator[Test]:
        if sample.whole is None:
            return
        yield from orthogonal_tests(sample.matrices(self.grid), abs(self.gain), sample.room)


@frozen
class DeltaOrthogonal(NonElementwise):
    """A convolution that is 0 but for an orthogonal matrix in the middle of its window."""

    gain: float
    shows_in_part = True

    def misfit(self, shape: tuple[int, ...]) -> str:
        matrix = len(shape) > 1
        return super().misfit(shape) or ("" if matrix else f"{list(shape)} holds no matrix")

    @property
    def _area(self) -> int:
        return math.prod(self.shape[2:])

    @property
    def _middle(self) -> Orthogonal:
        rows, columns = self.shape[:2]
        return Orthogonal((rows, columns), self.gain, (1, rows, columns))

    @property
    def distinct_slices(self) -> bool:
        return self._middle.distinct_slices

    @property
    def moments(self) -> tuple[float, float]:
        return 0.0, self._middle.moments[1] / math.sqrt(self._area)

    @property
    def bounds(self) -> tuple[float, float]:
        return self._middle.bounds

    @property
    def atoms(self) -> dict[float, float]:
        return {0.0: 1 - 1 / self._area} if self._area > 1 else {}

    def _cdf(self, x: Tensor) -> Tensor:
        share = 1 / self._area
        return share * self._middle.cdf(x) + (1 - share) * (x >= 0).double()

    def describe(self) -> str:
        return "delta orthogonal" + ("" if self.gain == 1 else f", gain {short(self.gain)}")

    def scaled(self, factor: float) -> Distribution:
        return replace(self, gain=self.gain * factor) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        out = torch.zeros(self.shape, dtype=torch.float64, device="cpu")
        _centre(out).copy_(self._middle.draw(source, first))
        return out

    def random_part(self, tensor: Tensor) -> tuple[Distribution, Tensor]:
        return self._middle, _centre(tensor)

    def tests(self, sample: Sample) -> Iterator[Test]:
        middle = [] if sample.whole is None else [_centre(sample.whole)]
        tests = [test for matrix in middle for test in sample.tests_as(self._middle, matrix)]
        if sample.holes and not tests:
            return
        around = sum(_nonzero(piece) - _nonzero(_centre(piece)) for piece in sample.pieces)
        seen = f"{around:,} elements around the middle are not 0"
        text = f"{around:,} elements around the middle of the window are not 0"
        yield exact_test("structure", around > 0, "0 around the middle of the window", seen, text)
        yield from tests


def _nonzero(tensor: Tensor) -> int:
    """Count the elements that are not 0, as far as they are known."""
    return int(((tensor != 0) & ~tensor.isnan()).sum())


def _centre(tensor: Tensor) -> Tensor:
    """Return the matrix in the middle of a convolution's window."""
    for size in tensor.shape[2:]:
        tensor = tensor.select(2, size // 2)
    return tensor


def sphere_cdf(x: Tensor, n: int) -> Tensor:
    """Return the CDF of one coordinate of a uniform point on the unit sphere in ``n`` dimensions.

    With x = sin t its density is proportional to cos(t)^(n - 2).
    """
    if n == 1:
        return 0.5 * (x >= -1).double() + 0.5 * (x >= 1).double()
    # cos(t)^(n - 2) is about exp(-(n - 2) t^2 / 2): nothing is left beyond 9 of its deviations.
    width = min(math.pi / 2, 9 / math.sqrt(max(n - 2, 1)))
    t = torch.linspace(-width, width, 20001, dtype=torch.float64, device="cpu")
    total = torch.cumulative_trapezoid(t.cos().clamp(min=0).pow(n - 2), t)
    total = torch.cat([total.new_zeros(1), total]) / total[-1]
    place = ((x.clamp(-1, 1).asin() + width) / (t[1] - t[0])).clamp(0, 20000)
    left = place.floor().clamp(max=19999).long()
    return total[left] + (place - left) * (total[left + 1] - total[left])


# ----------------------------------------------------------------------------------------- tests


def orthogonal_tests(matrices: Tensor, gain: float, room: float) -> Iterator[Test]:
    """Yield the tests of Haar-distributed matrices times ``gain``, each element within ``room``.

    Of elements that are NaN nothing is known; where they are too many, a matrix is left out.
    """
    _, rows, columns = matrices.shape
    tall = matrices if rows >= columns else matrices.mT  # the columns of these are orthonormal
    length = max(rows, columns)
    off = math.sqrt(length) * room / gain  # of a column, by its entries' room
    slack = _slack(matrices.dtype, length) + off * (2 + off)
    unknown = tall.isnan().flatten(1).float().mean(1)
    whole, partly = tall[unknown == 0], tall[(unknown > 0) & (unknown <= MOST_HOLES)]
    tests = [_orthogonality(whole, gain, slack)] if len(whole) else []
    holed = [_partly_orthogonal(matrix, gain, slack) for matrix in partly]
    if holed:
        worst = min(holed, key=lambda test: test.p)
        tests.append(replace(worst, p=min(1.0, len(holed) * worst.p)))
    yield from tests
    if all(test.p for test in tests):
        for matrix in (*whole, *partly):
            yield _haar_test(matrix, gain, slack, off)


def _wide(matrix: Tensor) -> Tensor:
    """Return a matrix in float32, or float64 where it is in that, contiguous."""
    return (matrix if matrix.dtype == torch.float64 else matrix.float()).contiguous()


def _orthogonality(matrices: Tensor, gain: float, slack: float) -> Test:
    """Test that the columns of tall matrices are orthogonal and ``gain`` long, within ``slack``."""
    found = [_isometry(_wide(matrix), gain) for matrix in matrices]
    worst = max(error for error, _, _ in found)
    low, high = min(low for _, low, _ in found), max(high for _, _, high in found)
    seen = f"columns of length {short(low)} to {short(high)}"
    text = f"it is not orthogonal with gain {short(gain)}: {seen}"
    if gain * (1 - slack) <= low and high <= gain * (1 + slack):
        seen = f"columns that are not orthogonal (by {worst:.2g})"
        text = f"it is not orthogonal: {seen}"
    # So asked, NaN is wrong as well: it comes where squares overflow.
    wrong = not all(error <= slack for error, _, _ in found)
    return exact_test("structure", wrong, f"orthogonal, gain {short(gain)}", seen, text)


def _isometry(matrix: Tensor, gain: float) -> tuple[float, float, float]:
    """Return how far Q'Q is from gain^2, relatively, and the shortest and longest column.

    Random vectors stand for all where the product itself would be dear.
    """
    norms = torch.linalg.vector_norm(matrix, dim=0)
    low, high = float(norms.min()), float(norms.max())
    unit = matrix / gain
    width = matrix.shape[1]
    if width <= 256:  # the product is cheap, and sees each pair of columns
        gram = unit.mT @ unit
        gram.diagonal().sub_(1)
        return float(gram.abs().max()), low, high
    # A generator of its own: checking draws nothing from the user's, and finds the same each time.
    generator = torch.Generator(device="cpu").manual_seed(0)
    probes = torch.randn(width, _PROBES, generator=generator).to(unit)
    back = unit.mT @ (unit @ probes) - probes
    error = torch.linalg.vector_norm(back, dim=0) / torch.linalg.vector_norm(probes, dim=0)
    return max(float(error.max()), abs(low / gain - 1), abs(high / gain - 1)), low, high


def _partly_orthogonal(matrix: Tensor, gain: float, slack: float) -> Test:
    """Test the columns of a tall matrix that is NaN where nothing tells what was drawn.

    A share S of a column's square is known, and its k of n coordinates say which: S is the beta
    distribution of k/2 and (n - k)/2, a ratio of chi-squares, whose tails Chernoff bounds as those
    of n/2 coins. The known parts of two columns multiply to less than what is left of each.
    """
    known = ~matrix.isnan()
    unit = torch.where(known, matrix, 0.0).double() / gain
    length, counts = len(unit), known.sum(0).tolist()
    squares = unit.square()
    lengths = squares.sum(0).tolist()
    wanted = f"orthogonal, gain {short(gain)}"
    found = [(1.0, "")]
    for place, (count, square) in enumerate(zip(counts, lengths, strict=True)):
        low, high = square * (1 - slack) ** 2, square * (1 + slack) ** 2
        p = 2 * binomial(count / 2, length / 2, (min(low, 1.0), high)) if low <= 1 else 0.0
        p = p if count < length or high >= 1 else 0.0
        text = f"{count} entries of column {place} are {short(gain * math.sqrt(square))} long"
        found.append((min(1.0, len(counts) * p), text))
    some = slice(_MOST_COLUMNS)
    inner = unit[:, some].mT @ unit[:, some]
    left = 1 - squares[:, some].mT @ known[:, some].double()
    limit = ((left + 2 * slack).clamp(min=0) * (left.mT + 2 * slack).clamp(min=0)).sqrt() + slack
    beyond = (inner.abs() - limit).fill_diagonal_(-1.0)
    if bool((beyond > 0).any()):
        first, second = divmod(int(beyond.argmax()), len(beyond))
        found.append((0.0, f"columns {first} and {second} are not orthogonal"))
    found += _spectrum(unit, known, slack)
    p, seen = min(found, key=lambda entry: entry[0])
    return Test(
        "structure", p, wanted, seen, f"it is not orthogonal with gain {short(gain)}: {seen}"
    )


def _spectrum(unit: Tensor, known: Tensor, slack: float) -> Iterator[tuple[float, str]]:
    """Count the singular values below 1 of the rows that are known: one at most for each other.

    What is left out of Q'Q = 1 by the rows with holes has their rank.
    """
    columns = known.any(0)
    missing = int((~known[:, columns].all(1)).sum())
    if min(unit.shape) > _MOST_COLUMNS or 2 * missing > int(columns.sum()):
        return
    rows = known[:, columns].all(1)
    values = torch.linalg.svdvals(unit[rows][:, columns]).square()
    short_of_it = int((values < 1 - 4 * slack).sum())
    seen = (
        f"{short_of_it} singular values are below the gain, beside {missing} rows that are unknown"
    )
    yield (0.0 if short_of_it > missing else 1.0), seen


def _slack(dtype: torch.dtype, length: int) -> float:
    """Return how far products of columns may be off: by float32, and then two roundings to 16 bits.

    float64 may hold what float32 computed.
    """
    coarse = 2 * float(torch.finfo(dtype).eps) if dtype.itemsize <= 2 else 0.0
    return 1e-6 * (4 + math.log2(length + 1)) + coarse


def _haar_test(matrix: Tensor, gain: float, slack: float, off: float) -> Test:
    """Compare the columns with points of a sphere, NaN left out.

    Squares of a point's coordinates are negatively associated (Joag-Dev & Proschan 1983), and so
    are some of them, so that counts of large ones obey the binomial bound (Dubhashi & Ranjan 1998);
    its signs are fair coins. ``off`` is how far a coordinate may be off, in units of 1/sqrt(n).
    """
    length = matrix.shape[0]
    vectors = _wide(matrix[:, :_VECTORS]) / gain
    counts = (~vectors.isnan()).sum(0).tolist()
    largest = float(vectors.nan_to_num(0.0).abs().max())
    chance = 2 * (1 - _coordinate(length).cdf(largest * (1 - slack)))
    found = [(vectors.numel() * chance, f"an entry is {short(largest * gain)}")]
    # No coordinate of a sphere has a density above 0.8, both signs together, in such units.
    blur = 0.8 * off
    for edge, share in _levels(length):
        room = 2e-3 * share + blur
        window = max(share - room, 0.0), min(1.0, share + room)
        for hits, count in zip((vectors.abs() > edge).sum(0).tolist(), counts, strict=True):
            text = f"{hits} of {count} entries of a column are beyond {short(edge)}"
            found.append((binomial(hits, count, window), text))
    found += [
        (binomial(hits, count, (0.5 - blur, 0.5 + blur)), f"{hits} of {count} entries are positive")
        for hits, count in zip((vectors > 0).sum(0).tolist(), counts, strict=True)
    ]
    p, text = min(found)
    whole = f"it is orthogonal, but no random one: {text}"
    p = min(1.0, 2 * len(found) * p)  # of so many tests, each with two tails, the smallest
    return Test("distribution", p, "a random orthogonal matrix", text, whole)


def _coordinate(length: int) -> Orthogonal:
    """Return the distribution of one coordinate of a point on the unit sphere."""
    return Orthogonal((length, 1), 1.0, (1, length, 1))


@lru_cache(maxsize=256)  # by length alone, for every matrix of that size
def _levels(length: int) -> list[tuple[float, float]]:
    """Return thresholds, and how many of a point's coordinates are larger."""
    if length < 3:
        return []
    edges = torch.tensor((0.1, 0.3, 0.7, 1.0, 1.5, 2.0), dtype=torch.float64, device="cpu")
    edges = edges[edges < math.sqrt(length)] / math.sqrt(length)
    shares = 2 * (1 - _coordinate(length).cdf(edges))
    return list(zip(edges.tolist(), shares.tolist(), strict=True))
