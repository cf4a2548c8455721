"""The values of a slot that a check can read."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..distributions import Distribution, Source, Test
from ..model import Slot, number_problem, reading_problem, values_problem
from ..plan import WRITE
from .checked import Checked
from .measure import measure
from .sanity import nan_test

# Roundings of the largest value, which a weight that is computed may be off by; in 16 bits a step
# rounds but what it returns.
_ROOM, _ROOM_COARSE = 64, 4


def read_values(slot: Slot, checked: Checked) -> Tensor | None:
    """Return the values of a slot; None, and why, where there are none to be read."""
    tensor = slot.tensor
    assert tensor is not None
    lazy = nn.parameter.is_lazy(tensor)
    if lazy and checked.step is not None and checked.step.status != WRITE:
        checked.remark = f"{checked.step.start}: lazy, without a shape yet"
        return None
    if text := values_problem(tensor):
        checked.tests.append(Test("garbage", 0.0, "values", "none", text))
        return None
    if tensor.layout is not torch.strided and not tensor.is_nested:
        checked.remark = f"not checked: it is stored as {tensor.layout}"
        return None
    if text := reading_problem(tensor) or number_problem(tensor.dtype):
        checked.remark = f"not checked: {text}"
        return None
    if slot.computed is None:
        return tensor.detach()
    checked.tests += _tests_behind(slot)
    # What the distribution is of: under some parametrisations not the weight that a forward uses.
    values = slot.computed.read()
    if values is None:
        checked.remark = f"not checked: {slot.computed.note}"
    return values


def tells(slot: Slot, distribution: Distribution, values: Tensor) -> bool:
    """Say whether what is read of a slot is what was written, and not what steps made of it."""
    if slot.computed is None or not distribution.known:
        return True
    return slot.computed.gives_back(_drawn(distribution, values))


def snapped(values: Tensor, distribution: Distribution, room: float | None = None) -> Tensor:
    """Return computed values with those that rounding took over a bound by ``room`` put back.

    By default that is what steps behind a weight may be off by.
    """
    low, high = distribution.bounds
    reach = max(abs(low), abs(high))
    if not values.is_floating_point() or not reach < torch.inf:
        return values
    inside = values.clamp(low, high)
    if room is None:
        roundings = _ROOM if values.dtype.itemsize > 2 else _ROOM_COARSE
        room = roundings * float(torch.finfo(values.dtype).eps) * reach
    return torch.where((values - inside).abs() <= room, inside, values)


def _drawn(distribution: Distribution, like: Tensor) -> Tensor:
    """Return values of a distribution, any of which will do."""
    source = Source(0, "")
    values = torch.empty(like.shape, dtype=like.dtype, device="cpu")
    if not distribution.elementwise:
        values.copy_(distribution.draw_all(source, values).reshape(like.shape))
    elif values.is_complex() and distribution.complex_as_pairs:
        distribution.write(torch.view_as_real(values).view(-1), source)
    else:
        distribution.write(values.view(-1), source)
    return values.to(like.device)


def _tests_behind(slot: Slot) -> Iterator[Test]:
    """Look for NaN before and behind the steps of a weight: one may hide it, or make it."""
    assert slot.computed is not None
    used = slot.computed.in_use()
    if used is not None and (used.is_floating_point() or used.is_complex()):
        yield from nan_test(measure([local_values(used)]), " of the weight that a forward uses")
    for raw in slot.computed.raw:
        if raw.is_floating_point() or raw.is_complex():
            yield from nan_test(
                measure([local_values(raw.detach())]), " of what it is computed from"
            )


def local_values(values: Tensor) -> Tensor:
    """Return what this process holds of a tensor."""
    return values.to_local() if hasattr(values, "to_local") else values


def is_floating(slot: Slot) -> bool:
    """Whether a slot holds values in floating point that can be read."""
    tensor = slot.tensor
    if tensor is None or values_problem(tensor) or tensor.layout is not torch.strided:
        return False
    if reading_problem(tensor) or number_problem(tensor.dtype):
        return False
    return tensor.is_floating_point() or tensor.is_complex()


def held_values(slot: Slot | None) -> Tensor | None:
    """Return what this process holds of a slot's values; None where nobody can read them."""
    tensor = slot.tensor if slot is not None else None
    if slot is None or tensor is None or nn.parameter.is_lazy(tensor) or tensor.is_meta:
        return None
    values = slot.computed.read() if slot.computed is not None else tensor.detach()
    return local_values(values) if values is not None else None
