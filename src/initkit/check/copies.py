"""Compare copies with what they are copies of, as the model holds both."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..distributions import Copy, Distribution, Table, Test, exact_test
from ..plan import with_copy
from .checked import Checked
from .slot_index import SlotIndex
from .values import held_values


def copy_tests(checked: Checked, index: SlotIndex) -> Iterator[Test]:
    """Yield the comparison of a copy with its source, where this process holds both alike."""
    planned, slot = checked.distribution, checked.slot
    if not isinstance(planned, Copy) or slot is None or not checked.pieces:
        return
    source = index.by_name.get(planned.parameter)
    values, others = held_values(slot), held_values(source)
    if values is None or others is None or values.shape != others.shape:
        return
    computed = slot.computed is not None or (source is not None and source.computed is not None)
    different = _different(values, others.to(values.device, values.dtype), computed)
    expected = f"the values of {planned.parameter}"
    text = f"{different:,} of its elements differ from {planned.parameter}, which it is a copy of"
    yield exact_test("copy", bool(different), expected, f"{different:,} elements differ", text)


def beside_source(distribution: Distribution, checked: Checked, index: SlotIndex) -> Distribution:
    """Return what is made of a copy as made of the values that its source holds here.

    So what was drawn beside them is told from them. Where they cannot be read, or are computed from
    others and inexact, it is as it was planned.
    """
    copy, slot = distribution.copy, checked.slot
    if copy is None or copy is distribution or slot is None:
        return distribution
    source = index.by_name.get(copy.parameter)
    values, own = held_values(source), held_values(slot)
    computed = slot.computed is not None or (source is not None and source.computed is not None)
    if values is None or own is None or computed or values.shape != own.shape:
        return distribution
    if not bool(values.isfinite().all()):
        return distribution
    return with_copy(distribution, Copy(copy.parameter, Table.of(values)))


def _different(values: Tensor, others: Tensor, computed: bool) -> int:
    """Count the elements that differ; what is computed from others is exact but for rounding."""
    same = torch.isclose(values, others, rtol=1e-4, atol=1e-6) if computed else values == others
    return values.numel() - int(same.count_nonzero())
