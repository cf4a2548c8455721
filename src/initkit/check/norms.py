"""Norms of a random matrix's rows and columns: none stands out, and they are not all alike."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from ..distributions import Distribution, Test, passed
from ..model import chunk_size
from .expectation import QUIET, Expectation, expectation
from .native_pass import memory, native
from .sample_tests import squares_p_value


class Ends(NamedTuple):
    """The least of some mean squares and the place of it, the greatest and the place of that."""

    least: float
    shortest: int
    most: float
    longest: int


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
    if tensor.dim() < 2 or tensor.is_complex():
        return
    expected = expectation(distribution, dtype)
    mean, std, _ = expected.moments
    if not std:
        return
    count = tensor.shape[0]
    length = tensor.numel() // count
    both = (("row", count, length), ("column", length, count))
    for (what, many, each), ends in zip(both, _lengths(tensor, mean, std), strict=True):
        if each < 2 or many < 2:
            continue
        if distribution.gaussian:
            # The density below is that of squares of normal values.
            yield _not_alike(what, many, ends, each, expected.eps)
        yield _none_stands_out(what, many, ends, each, expected)


def _lengths(tensor: Tensor, mean: float, std: float) -> tuple[Ends, Ends]:
    """Return the ends of the mean squares of all rows, and of all columns, once standardised."""
    module, where = native(), memory(tensor)
    if module is not None and where is not None:
        by_row, by_column = module.lengths(*where, mean, std, tensor.shape[0])
        return Ends(*by_row), Ends(*by_column)
    count, length = len(tensor), tensor.numel() // len(tensor)
    rows, columns = [], torch.zeros(length, dtype=torch.float64, device="cpu")
    # In blocks of rows, since each is copied to be standardised.
    for block in torch.split(tensor, max(1, chunk_size(tensor) // length)):
        x = block.reshape(len(block), -1)
        x = x if x.dtype == torch.float64 else x.float()
        square = ((x - mean) / std).square_()
        rows.append(square.sum(1).cpu().double())
        columns += square.sum(0).cpu().double()
    return _ends(torch.cat(rows) / length), _ends(columns / count)


def _ends(found: Tensor) -> Ends:
    low, high = int(found.argmin()), int(found.argmax())
    return Ends(float(found[low]), low, float(found[high]), high)


def _none_stands_out(what: str, many: int, ends: Ends, each: int, expected: Expectation) -> Test:
    """Compare the longest and the shortest with what so many elements may give."""
    quiet = expected.quiet_lengths[each, many]
    if ends.least in quiet and ends.most in quiet:
        return passed("lengths")
    shortest, longest = (squares_p_value(expected, x - 1, each) for x in (ends.least, ends.most))
    # Any of the rows might have stood out, so the chance of one counts as often (Bonferroni).
    if many * min(shortest, longest) > QUIET:
        quiet.add(ends.least)
        quiet.add(ends.most)
        return passed("lengths")
    p, place, found = min((longest, ends.longest, ends.most), (shortest, ends.shortest, ends.least))
    p = min(1.0, many * p)
    std, planned = expected.moments[1] * math.sqrt(found), expected.moments[1]
    seen = f"{what} {place} has a std of {std:.4g}"
    text = f"{seen}, unlike the others, where {planned:.4g} was planned"
    return Test("lengths", p, f"{what}s of std {planned:.4g}", seen, text)


def _not_alike(what: str, count: int, ends: Ends, each: int, eps: float) -> Test:
    """Bound how likely it is that all lengths lie so close together, as in orthogonal matrices.

    A sum of squares of ``each`` normal values has a density, and ``m`` of them lie within ``r``
    with a chance of ``m (r sup)^(m - 1)`` at most.
    """
    low, high = each * ends.least, each * ends.most
    # Slack for rounded values and for sums in float32: it can only make p larger.
    within = high - low + (2 * eps + 1e-5) * high
    share = min(max(within * _densest(each), 1e-300), 1.0)
    log_p = math.log(count) + (count - 1) * math.log(share) if share < 1 else 0.0
    if log_p >= 0:
        return passed("lengths")
    seen = f"{count} {what}s of one length"
    text = (
        f"all {count:,} {what}s have one length, as in an orthogonal matrix; those of "
        f"independent values would differ by about {100 / math.sqrt(2 * each):.2g} %"
    )
    return Test("lengths", math.exp(log_p), "independent values", seen, text)


@cache
def _densest(each: int) -> float:
    """Return the highest density of the chi-squared distribution."""
    half, mode = each / 2, max(each - 2, 0)
    log = (half - 1) * math.log(mode) if mode else 0.0
    return math.exp(log - mode / 2 - half * math.log(2) - math.lgamma(half))
