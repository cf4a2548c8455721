"""What is wrong with values by themselves, whatever was planned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from ..distributions import short
from .measure import Measured
from .sample_tests import Test

_HUGE = 1e30  # no initialisation reaches it, and memory that holds something else often does


def sanity_tests(seen: Measured, dtype: torch.dtype, shape: tuple[int, ...] = ()) -> Iterator[Test]:
    """Yield what no starting value should be: NaN, infinity, huge or denormal numbers.

    With a ``shape``, a matrix of zeros is reported, too.

    >>> from initkit.check.measure import measure
    >>> seen = measure([torch.tensor([1.0, torch.nan])])
    >>> [test.text for test in sanity_tests(seen, torch.float32)]
    ['1 of 2 elements are NaN']
    """
    for count, what in ((seen.nans, "NaN"), (seen.infinities, "infinite")):
        if count:
            yield _ill(what, f"{count:,} of {seen.n:,} elements are {what}")
    if not seen.finite or not seen.n:
        return
    largest = max(abs(seen.low), abs(seen.high))
    if largest > _HUGE:
        yield _ill(
            "huge", f"values reach {short(largest)}; memory that was never written holds such"
        )
    elif dtype.itemsize > 2 and seen.tiny > 0.01 * seen.n:
        share = f"{100 * seen.tiny / seen.n:.3g} % of the elements"
        yield _ill(
            "denormal",
            f"{share} are below 1e-30 without being 0; this memory was probably never written",
        )
    if sum(size > 1 for size in shape) > 1 and not largest:
        yield _ill("zeros", f"all {seen.n:,} elements are 0", "a matrix that is not all zeros")


def _ill(kind: str, text: str, expected: str = "finite numbers", **more: Any) -> Test:
    return Test("garbage" if kind != "zeros" else kind, 0.0, expected, text, text, **more)
