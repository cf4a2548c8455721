"""What a tensor should be besides a sample: constants, tables, orthogonal and sparse matrices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from ..distributions import (
    Blocks,
    Constant,
    DeltaOrthogonal,
    Distribution,
    Normal,
    Orthogonal,
    Sinusoids,
    Source,
    Sparse,
    short,
)
from .measure import Measured, centre, chunks, measure, plain
from .sample_tests import Test, binomial, expectation, judge

_VECTORS = 64  # rows or columns of an orthogonal matrix that are looked at one by one
_PROBES = 8


def examine(
    distribution: Distribution,
    parts: Sequence[Tensor],
    seen: Measured,
    *,
    exact: bool = True,
    cut: bool = False,
    dtype: torch.dtype | None = None,
) -> Iterator[Test]:
    """Yield the tests of a tensor, given in parts along dimension 0, against its distribution.

    ``seen`` is what one pass over the parts measured with :func:`look`; not ``exact`` are values
    that were computed from others; ``cut`` says that rows are left out, which no
    structure survives; ``dtype`` is the one that a sample was rounded to, if not its own.
    """
    whole = None if cut else parts[0]
    if isinstance(distribution, Constant):
        yield _constant(distribution, seen, parts[0].dtype, exact)
    elif isinstance(distribution, Blocks) and whole is not None:
        yield from _blocks(distribution, whole)
    elif not distribution.random:
        if whole is not None:
            yield _table(distribution, whole)
    elif isinstance(distribution, Sparse):
        yield from _sparse(distribution, parts, cut)
    elif isinstance(distribution, DeltaOrthogonal):
        yield from _delta(distribution, parts, cut)
    elif isinstance(distribution, Orthogonal):
        if whole is not None:
            yield from _orthogonal(distribution, whole)
    elif distribution.elementwise and distribution.moments is not None:
        yield from judge(distribution, dtype or parts[0].dtype, seen)


def look(
    distribution: Distribution | None, parts: Sequence[Tensor], dtype: torch.dtype | None = None
) -> Measured:
    """Measure a tensor as its distribution, rounded to a dtype, asks for: one pass."""
    if (
        distribution is None
        or not (distribution.elementwise and distribution.random)
        or isinstance(distribution, Blocks)
    ):
        centre = (
            None
            if distribution is None or distribution.moments is None
            else distribution.moments[0]
        )
        return measure(parts, centre=centre)
    meant = expectation(distribution, dtype or parts[0].dtype)
    stride = parts[0].shape[-1] if parts[0].dim() > 1 else 0
    return measure(
        parts, centre=meant.moments[0], edges=meant.edges, middle=meant.middle, stride=stride
    )


def _exact(kind: str, wrong: bool, expected: str, seen: str, text: str) -> Test:
    return Test(kind, 0.0 if wrong else 1.0, expected, seen, text)


def _constant(distribution: Constant, seen: Measured, dtype: torch.dtype, exact: bool) -> Test:
    held = torch.tensor(distribution.value, dtype=torch.float64, device="cpu").to(dtype)
    value = float(held.real)
    room = 0.0 if exact else 8 * float(torch.finfo(dtype).eps) * abs(value)
    wrong = not (value - room <= seen.low and seen.high <= value + room)
    if dtype.is_complex:
        wrong = {seen.low, seen.high} - {value, 0.0} != set()
    if seen.low == seen.high:
        text = f"every element is {short(seen.low)}"
    else:
        text = f"values reach from {short(seen.low)} to {short(seen.high)}"
    expected = distribution.describe()
    return _exact("constant", wrong, expected, text, f"{text} where {expected} was planned")


def _blocks(distribution: Blocks, whole: Tensor) -> Iterator[Test]:
    for place, (part, piece) in enumerate(
        zip(distribution.parts, whole.chunk(len(distribution.parts)), strict=True)
    ):
        label = f"block {place} of {len(distribution.parts)}"
        for test in examine(part, [piece], look(part, [piece])):
            yield Test(
                test.kind,
                test.p,
                f"{label}: {test.expected}",
                f"{label}: {test.seen}",
                f"in {label}, {part.describe()}: {test.text}",
            )


def _table(distribution: Distribution, whole: Tensor) -> Test:
    """Compare with the values that the place alone decides."""
    inexact = whole.is_floating_point() or whole.is_complex()
    eps = max(float(torch.finfo(whole.dtype).eps), 1e-6) if inexact else 0.0
    wide = torch.complex128 if whole.is_complex() else torch.float64
    loose = (
        1e-3 if isinstance(distribution, Sinusoids) else 0.0
    )  # float32 angles, as most code has them
    scale = max(abs(distribution.low), abs(distribution.high))
    wrong, first, start = 0, -1, 0
    for chunk in chunks(whole):
        expected = torch.empty(chunk.numel(), dtype=torch.float64, device="cpu")
        distribution.write(expected, Source(0, ""), start)
        gap = (chunk.cpu().to(wide) - expected).abs()
        far = gap > 4 * eps * expected.abs() + loose * scale
        if bool(far.any()):
            wrong += int(far.sum())
            first = first if first >= 0 else start + int(far.nonzero()[0])
        start += chunk.numel()
    if not wrong:
        return _exact("constant", False, distribution.describe(), distribution.describe(), "")
    place = [int(i) for i in torch.unravel_index(torch.tensor(first), whole.shape)]
    value, one = whole[tuple(place)].item(), torch.empty(1, dtype=torch.float64, device="cpu")
    distribution.write(one, Source(0, ""), first)
    told = str(value) if isinstance(value, complex) else short(float(value))
    text = f"{wrong:,} elements differ, the first at {place}: {told} for {short(float(one))}"
    kind = "structure" if distribution.placed else "constant"
    return _exact(kind, True, distribution.describe(), f"{wrong:,} elements differ", text)


# ------------------------------------------------------------------------------------- matrices


def _sparse(distribution: Sparse, parts: Sequence[Tensor], cut: bool) -> Iterator[Test]:
    """Count zeros in each column; the rest is a sample of the normal distribution."""
    if not cut:
        matrices = parts[0].reshape(distribution.grid)
        zeros = distribution.grid[1] - torch.stack([m.count_nonzero(0) for m in matrices])
        extra = int((zeros - distribution.zeros).clamp(min=0).sum())
        missing = int((distribution.zeros - zeros).clamp(min=0).sum())
        low, high = int(zeros.min()), int(zeros.max())
        expected = f"{distribution.zeros} zeros per column"
        text = f"{low} to {high} zeros per column" if low < high else f"{low} zeros per column"
        chance = expectation(Normal(0.0, distribution.scale), parts[0].dtype).zero
        n = max(
            1,
            distribution.grid[0]
            * distribution.grid[2]
            * (distribution.grid[1] - distribution.zeros),
        )
        p = 0.0 if missing else binomial(min(extra, n), n, (0.0, chance[1]))
        yield Test(
            "structure", p, expected, text, f"{text} where {distribution.zeros} were planned"
        )
    rest = Normal(0.0, distribution.scale)
    nonzero = [chunk[chunk != 0] for part in parts for chunk in chunks(part)]
    seen = look(rest, nonzero)
    if seen.n:
        for test in judge(rest, parts[0].dtype, seen):
            if test.kind not in ("zeros", "order"):
                yield test


def _delta(distribution: DeltaOrthogonal, parts: Sequence[Tensor], cut: bool) -> Iterator[Test]:
    centres = [centre(part) for part in parts]
    around = sum(int(part.count_nonzero()) for part in parts)
    around -= sum(int(c.count_nonzero()) for c in centres)
    yield _exact(
        "structure",
        around > 0,
        "0 around the middle of the window",
        f"{around:,} elements around the middle are not 0",
        f"{around:,} elements around the middle of the window are not 0",
    )
    if not cut:
        yield from _orthogonal(distribution._middle, centres[0])


def _orthogonal(distribution: Orthogonal, whole: Tensor) -> Iterator[Test]:
    grid = whole.reshape(distribution.grid)
    _, rows, columns = distribution.grid
    tall = grid if rows >= columns else grid.mT
    gain = abs(distribution.gain)
    eps = max(float(torch.finfo(grid.dtype).eps), 1e-6)
    slack = eps * (4 + math.log2(max(rows, columns) + 1))
    worst, lengths = 0.0, (math.inf, 0.0)
    for matrix in tall:
        error, low, high = _isometry(plain(matrix).view(matrix.shape), gain)
        worst = max(worst, error)
        lengths = min(lengths[0], low), max(lengths[1], high)
    expected = f"orthogonal, gain {short(gain)}"
    seen = f"columns of length {short(lengths[0])} to {short(lengths[1])}"
    text = f"it is not orthogonal with gain {short(gain)}: {seen}"
    if gain * (1 - slack) <= lengths[0] and lengths[1] <= gain * (1 + slack):
        seen = f"columns that are not orthogonal (by {worst:.2g})"
        text = f"it is not orthogonal: {seen}"
    yield _exact("structure", worst > slack, expected, seen, text)
    if worst <= slack:
        for matrix in tall:
            yield _haar(matrix, distribution, slack)


def _isometry(matrix: Tensor, gain: float) -> tuple[float, float, float]:
    """Return how far Q'Q is from gain^2, relatively, and the shortest and longest column.

    Random vectors stand for all where the product itself would be dear.
    """
    lengths = torch.linalg.vector_norm(matrix, dim=0)
    low, high = float(lengths.min()), float(lengths.max())
    unit = matrix / gain
    width = matrix.shape[1]
    if width <= 256:
        gram = unit.mT @ unit
        gram.diagonal().sub_(1)
        return float(gram.abs().max()), low, high
    generator = torch.Generator(device="cpu").manual_seed(0)
    probes = torch.randn(width, _PROBES, generator=generator).to(unit)
    back = unit.mT @ (unit @ probes) - probes
    error = torch.linalg.vector_norm(back, dim=0) / torch.linalg.vector_norm(probes, dim=0)
    return max(float(error.max()), abs(low / gain - 1), abs(high / gain - 1)), low, high


def _sphere(length: int) -> Orthogonal:
    return Orthogonal((length, 1), 1.0, (1, length, 1))


@lru_cache(maxsize=256)
def _levels(length: int) -> list[tuple[float, float]]:
    """Return thresholds, and how many of a point's coordinates are larger."""
    if length < 3:
        return []
    edges = torch.tensor((0.1, 0.3, 0.7, 1.0, 1.5, 2.0), dtype=torch.float64, device="cpu")
    edges = edges[edges < math.sqrt(length)] / math.sqrt(length)
    shares = 2 * (1 - _sphere(length).cdf(edges))
    return list(zip(edges.tolist(), shares.tolist(), strict=True))


def _haar(matrix: Tensor, distribution: Orthogonal, slack: float) -> Test:
    """Compare the columns with points of a sphere.

    Squares of a point's coordinates are negatively associated, so that counts of large ones obey
    the binomial bound; its signs are fair coins.
    """
    length = matrix.shape[0]
    vectors = plain(matrix[:, :_VECTORS]).view(length, -1) / abs(distribution.gain)
    found: list[tuple[float, str]] = []
    far = float(vectors.abs().max())
    chance = 2 * (1 - _sphere(length).cdf(far * (1 - slack)))
    found.append((vectors.numel() * chance, f"an entry is {short(far * abs(distribution.gain))}"))
    for edge, share in _levels(length):
        slack = 2e-3 * share
        for count in (vectors.abs() > edge).sum(0).tolist():
            p = binomial(count, length, (share - slack, min(1.0, share + slack)))
            found.append((p, f"{count} of {length} entries of a column are beyond {short(edge)}"))
    found += [
        (binomial(count, length, (0.5, 0.5)), f"{count} of {length} entries are positive")
        for count in (vectors > 0).sum(0).tolist()
    ]
    p, text = min(found)
    return Test(
        "distribution",
        min(1.0, 2 * len(found) * p),
        "a random orthogonal matrix",
        text,
        f"it is orthogonal, but no random one: {text}",
    )
