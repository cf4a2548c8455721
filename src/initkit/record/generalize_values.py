"""Values that code has reckoned -> the numbers that somebody wrote."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from .. import schemes
from ..distributions import Distribution, Source, Table
from ..schemes import Scheme
from .generalize_formulas import near


def short_number(x: float) -> float:
    """Return the number that somebody wrote, where reckoning with it lost the last bits.

    >>> short_number(0.010000000000000009)
    0.01
    """
    return next((y for n in range(1, 13) if near(y := float(f"{x:.{n}g}"), x)), x)


def exponential(y: float) -> float:
    """Return a number whose logarithm is ``y`` to the bit, a short one if there is one."""
    x = math.exp(y)
    around = [short_number(x), x]
    for end in (math.inf, 0.0):
        beside = x
        for _ in range(4):
            beside = math.nextafter(beside, end)
            around.append(beside)
    return next((one for one in around if math.log(one) == y), around[0])


def progressions(table: Table) -> Iterator[Scheme]:
    """Yield what counts along an axis as the table begins, and the logarithm of such."""
    values = table.tensor
    if values.is_complex() or not values.dim():
        return
    for axis in range(-values.dim(), 0):
        if values.shape[axis] < 2:
            continue
        head = values.movedim(axis, -1).reshape(-1, values.shape[axis])[0, :2].double()
        yield _count(head, axis)
        if bool((head >= 0).all()) and float(head.max()) < 50:
            yield schemes.LogOf(_count(head.exp(), axis))


def _count(head: Tensor, axis: int) -> schemes.Arange:
    # Six digits: what stands in float32 has no more.
    start, second = (float(f"{float(x):.6g}") for x in head)
    return schemes.Arange(start=start, step=short_number(second - start), axis=axis)


def same_values(distribution: Distribution, table: Table) -> bool:
    """Whether what is not drawn gives a table's values, as nearly as other code reckons them."""
    wanted = Table(table.shape, table.dtype, table.bits).tensor.reshape(-1)
    found = torch.empty_like(wanted)
    if table.maps or distribution.complex_valued or wanted.is_complex():
        return False
    distribution.write(found, Source(0, ""))
    a, b = found.double(), wanted.double()
    room = max(distribution.tolerance, 1e-6) * float(b.abs().max())
    return bool(torch.allclose(a, b, rtol=1e-5, atol=room))
