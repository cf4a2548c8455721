"""Norms of a random matrix's rows and columns: none stands out, and they are not all alike."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ..distributions import Distribution, Test, passed
from ..model import chunk_size
from .expectation import Expectation, expectation
from .native_pass import memory, native
from .sample_tests import squares_p_value


def norm_tests(tensor: Tensor, distribution: Distribution, dtype: torch.dtype) -> Iterator[Test]:
    """Yield tests of the mean squares of a sample's rows and of its columns.

    A convolution counts as a matrix with a row for each output. ``dtype`` is the one that the
    sample was rounded to.

    >>> from initkit.distributions import Normal
    >>> q = torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(0))).Q
    >>> alike = next(norm_tests(q, Normal(0.0, 1 / 8), q.dtype))
    >>> alike.p < 1e-100, alike.seen
    (True, '64 rows of one length')
    """
    expected = expectation(distribution, dtype)
    mean, std, _ = expected.moments
    if tensor.dim() < 2 or tensor.is_complex() or not std:
        return
    for what, found, each in _mean_squares(tensor, mean, std):
        if each < 2 or found.numel() < 2:
            continue
        ends = float(found.min()), float(found.max())
        if distribution.gaussian:
            # The density below is that of squares of normal values.
            yield _not_alike(what, found.numel(), ends, each, expected.eps)
        yield _none_stands_out(what, found, ends, each, expected)


def _mean_squares(tensor: Tensor, mean: float, std: float) -> Iterator[tuple[str, Tensor, int]]:
    """Yield "row" and "column" with the mean squares of all of them, and how many elements each."""
    count, length = len(tensor), tensor.numel() // len(tensor)
    rows, columns = [], torch.zeros(length, dtype=torch.float64, device="cpu")
    # In blocks of rows, since each is copied to be standardised.
    for block in torch.split(tensor, max(1, chunk_size(tensor) // length)):
        by_row, by_column = _sums_of_squares(block, length, mean, std)
        rows.append(by_row)
        columns += by_column
    yield "row", torch.cat(rows) / length, length
    yield "column", columns / count, count


def _sums_of_squares(block: Tensor, length: int, mean: float, std: float) -> tuple[Tensor, Tensor]:
    """Return for each row and for each column the sum of its standardised squares."""
    module, where = native(), memory(block)
    if module is not None and where is not None:
        by_row, by_column = bytearray(8 * len(block)), bytearray(8 * length)
        module.squares(*where, mean, std, by_row, by_column)
        return _doubles(by_row), _doubles(by_column)
    x = block.reshape(len(block), -1)
    x = x if x.dtype == torch.float64 else x.float()
    square = ((x - mean) / std).square_()
    return square.sum(1).cpu().double(), square.sum(0).cpu().double()


def _doubles(memory: bytearray) -> Tensor:
    return torch.frombuffer(memory, dtype=torch.float64)


def _none_stands_out(
    what: str, found: Tensor, ends: tuple[float, float], each: int, expected: Expectation
) -> Test:
    """Compare the longest and the shortest with what so many elements may give."""
    shortest, longest = (squares_p_value(expected, end - 1, each) for end in ends)
    # Any of the rows might have stood out, so the chance of one counts as often (Bonferroni).
    if found.numel() * min(shortest, longest) >= 1:
        return passed("lengths")
    p, place = min((longest, int(found.argmax())), (shortest, int(found.argmin())))
    p = min(1.0, found.numel() * p)
    std, planned = expected.moments[1] * math.sqrt(float(found[place])), expected.moments[1]
    seen = f"{what} {place} has a std of {std:.4g}"
    text = f"{seen}, unlike the others, where {planned:.4g} was planned"
    return Test("lengths", p, f"{what}s of std {planned:.4g}", seen, text)


def _not_alike(what: str, count: int, ends: tuple[float, float], each: int, eps: float) -> Test:
    """Bound how likely it is that all lengths lie so close together, as in orthogonal matrices.

    A sum of squares of ``each`` normal values has a density, and ``m`` of them lie within ``r``
    with a chance of ``m (r sup)^(m - 1)`` at most.
    """
    low, high = (each * end for end in ends)
    # Slack for rounded values and for sums in float32: it can only make p larger.
    within = high - low + (2 * eps + 1e-5) * high
    share = min(max(within * _densest(each), 1e-300), 1.0)
    log_p = math.log(count) + (count - 1) * math.log(share)
    if log_p >= 0:
        return passed("lengths")
    seen = f"{count} {what}s of one length"
    text = (
        f"all {count:,} {what}s have one length, as in an orthogonal matrix; those of "
        f"independent values would differ by about {100 / math.sqrt(2 * each):.2g} %"
    )
    return Test("lengths", math.exp(log_p), "independent values", seen, text)


def _densest(each: int) -> float:
    """Return the highest density of the chi-squared distribution."""
    half, mode = each / 2, max(each - 2, 0)
    log = (half - 1) * math.log(mode) if mode else 0.0
    return math.exp(log - mode / 2 - half * math.log(2) - math.lgamma(half))
