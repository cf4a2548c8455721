"""What is wrong with values by themselves, whatever was planned."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..distributions import Test, short
from .measure import Measured

_HUGE = 1e30  # no initialisation reaches it, and memory that holds something else often does


def sanity_tests(
    measured: Measured, dtype: torch.dtype, shape: tuple[int, ...] = ()
) -> Iterator[Test]:
    """Yield what no starting value should be: NaN, infinity, huge or denormal numbers.

    With a ``shape``, a matrix of zeros is reported, too.

    >>> from initkit.check.measure import measure
    >>> measured = measure([torch.tensor([1.0, torch.nan])])
    >>> [test.text for test in sanity_tests(measured, torch.float32)]
    ['1 of 2 elements are NaN']
    """
    for count, what in ((measured.nans, "NaN"), (measured.infinities, "infinite")):
        if count:
            yield _failed("garbage", f"{count:,} of {measured.n:,} elements are {what}")
    if not measured.finite or not measured.n:
        return
    largest = max(abs(measured.low), abs(measured.high))
    if largest > _HUGE:
        text = f"values reach {short(largest)}; memory that was never written holds such"
        yield _failed("garbage", text)
    elif dtype.itemsize > 2 and measured.tiny > 0.01 * measured.n:
        share = f"{100 * measured.tiny / measured.n:.3g} % of the elements"
        text = f"{share} are below 1e-30 without being 0; this memory was probably never written"
        yield _failed("garbage", text)
    if sum(size > 1 for size in shape) > 1 and not largest:
        text = f"all {measured.n:,} elements are 0"
        yield _failed("zeros", text, "a matrix that is not all zeros")


def nan_test(measured: Measured, where: str = "") -> Iterator[Test]:
    """Yield the one thing that no tensor of a new model holds, whatever it is for: NaN."""
    if measured.nans:
        yield _failed("garbage", f"{measured.nans:,} of {measured.n:,} elements{where} are NaN")


def _failed(kind: str, text: str, expected: str = "finite numbers") -> Test:
    return Test(kind, 0.0, expected, text, text)
