"""Compare copies with what they are copies of, as the model holds both."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..distributions import Copy, Test, exact_test
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


def _different(values: Tensor, others: Tensor, computed: bool) -> int:
    """Count the elements that differ; what is computed from others is exact but for rounding."""
    same = torch.isclose(values, others, rtol=1e-4, atol=1e-6) if computed else values == others
    return values.numel() - int(same.count_nonzero())
