"""The values of a slot that a check can read."""

from __future__ import annotations

import torch
from torch import Tensor

from ..distributions import Test
from ..model import Slot, values_problem
from .checked import Checked


def read_values(slot: Slot, checked: Checked) -> Tensor | None:
    """Return the values of a slot; None, and why, where there are none to be read."""
    tensor = slot.tensor
    assert tensor is not None
    if text := values_problem(tensor):
        checked.tests.append(Test("garbage", 0.0, "values", "none", text))
        return None
    if tensor.layout is not torch.strided and not tensor.is_nested:
        checked.remark = f"not checked: it is stored as {tensor.layout}"
        return None
    # What the distribution is of: under some parametrisations not the weight that a forward uses.
    values = slot.computed.read() if slot.computed is not None else tensor.detach()
    if values is None:
        checked.remark = f"not checked: {slot.computed.note if slot.computed else ''}"
    return values


def local_values(values: Tensor) -> Tensor:
    """Return what this process holds of a tensor."""
    return values.to_local() if hasattr(values, "to_local") else values


def is_floating(slot: Slot) -> bool:
    """Whether a slot holds values in floating point."""
    tensor = slot.tensor
    return tensor is not None and not values_problem(tensor) and tensor.is_floating_point()
