"""Read a row of a summary off the slots of one memory; nothing is changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor, nn

from ..check.measure import Measured, measure
from ..model import Slot, components, has_number, reading_problem
from ..plan import slot_info
from ..ties import TieGroup
from .row import Row


def shown_slot(slots: tuple[Slot, ...]) -> Slot:
    """Return the slot that stands for one memory: the first that is no buffer, if there is one."""
    if len(slots) == 1:
        return slots[0]
    return next((slot for slot in slots if slot.kind != "buffer"), slots[0])


def read_row(
    slot: Slot,
    slots: tuple[Slot, ...],
    group: TieGroup | None,
    rules: Mapping[str, str],
    values: bool,
) -> Row:
    """Return the row of one memory, shown by ``slot``; ``rules`` says what started each name."""
    tensor = slot.tensor
    assert tensor is not None
    names = slot.paths if group is None else group.names
    # Asked of the type, since nearly all tensors are whole.
    whole = type(tensor) in _WHOLE
    lazy = not whole and nn.parameter.is_lazy(tensor)
    held = tensor if whole or lazy else local_part(tensor)
    row = Row(
        names,
        slot.kind,
        type(slot.owner).__name__ if slot.owner is not None else "",
        () if lazy or tensor.is_nested else tuple(slot.shape),
        tensor.dtype,
        _device_name(tensor.device),
        _is_trained(slot, tensor),
        0 if lazy else sum(map(_bytes, components(held) if tensor.is_nested else [held])),
        version=_version(tensor),
        tie=group.kind if group is not None else "",
        padding=_padding(slots),
        local_shape=tuple(held.shape) if held is not tensor else None,
        note=_note(slot, tensor, lazy),
    )
    if slot.computed is None:
        row.gradient = _gradient(tensor, values)
    if rules:
        row.started_by = next((rules[name] for name in names if name in rules), "")
    if values and not lazy:
        _add_values(row, _measured(slot, held))
    return row


def _add_values(row: Row, seen: Measured | None) -> None:
    if seen is not None and seen.n:
        row.mean, row.std, row.min, row.max = seen.mean, seen.std, seen.low, seen.high
        row.nans, row.infinities = seen.nans, seen.infinities


@cache  # there are few devices, and many tensors
def _device_name(device: torch.device) -> str:
    return str(device)


_WHOLE = frozenset({nn.Parameter, Tensor})  # neither lazy nor a part of something


def _is_trained(slot: Slot, tensor: Tensor) -> bool:
    """Tell whether a tensor, or one behind a computed weight, takes gradients."""
    if slot.computed is None:
        return tensor.requires_grad
    return any(raw.requires_grad for raw in slot.computed.raw)


def local_part(tensor: Tensor) -> Tensor:
    """Return what this process holds of a tensor: itself, where it is whole."""
    if type(tensor) in _WHOLE:
        return tensor
    part = getattr(tensor, "to_local", None)
    return part() if part is not None else tensor


def _note(slot: Slot, tensor: Tensor, lazy: bool) -> str:
    if lazy:
        return "lazy"
    if tensor.is_nested:
        return "nested"
    if slot.computed is not None:
        return "; ".join(filter(None, ("computed from others", slot.computed.note)))
    return "raw" if slot.literal else "no values yet" if tensor.is_meta else ""


def _padding(slots: tuple[Slot, ...]) -> int | None:
    for slot in slots:
        # A quick no for nearly every module, before the layout table is asked.
        if slot.owner is not None and has_number(slot.owner, "padding_idx"):
            info = slot_info(slot)
            if info is not None and info.padding is not None:
                return info.padding
    return None


def _measured(slot: Slot, held: Tensor) -> Measured | None:
    """Measure the values in one pass; None where there are none to be read."""
    if slot.computed is not None:
        return _measure(slot.computed.read())
    return _measure(held)


def _measure(tensor: Tensor | None) -> Measured | None:
    if tensor is None or tensor.is_meta or tensor.is_nested:
        return None
    if not tensor.is_quantized and reading_problem(tensor):
        return None
    try:
        with torch.no_grad():
            return measure([_dense(tensor.detach())])
    # Of foreign kinds of tensors some have no way to be read; a summary shows what there is.
    except Exception:
        return None


def _dense(tensor: Tensor) -> Tensor:
    """Return values that can be read piece by piece."""
    if tensor.is_quantized:
        return tensor.dequantize()
    if tensor.layout is torch.sparse_coo:
        return tensor.to_dense()
    return tensor if tensor.layout is torch.strided else tensor.to_dense()


def _gradient(tensor: Tensor, values: bool) -> float | None:
    """Return the rms of a gradient, 0.0 where all of it is zero, NaN where it is not read."""
    # Asking what is no leaf warns.
    gradient = tensor.grad if tensor.is_leaf or tensor.retains_grad else None
    if gradient is None:
        return None
    if not values:
        return math.nan
    seen = _measure(local_part(gradient))
    if seen is None or not seen.n:
        return math.nan
    if seen.low == seen.high == 0:
        return 0.0
    square = seen.second + seen.centre * (2 * seen.mean - seen.centre)
    if not seen.finite:
        return math.inf
    # Squares of tiny numbers vanish, and what is not zero must not be called so.
    return math.sqrt(max(square, 0.0)) or max(abs(seen.low), abs(seen.high))


def _version(tensor: Tensor) -> int | None:
    try:
        return tensor._version
    except RuntimeError:  # tensors made under inference_mode do not count
        return None


def _bytes(tensor: Tensor) -> int:
    try:
        return tensor.nbytes
    except (RuntimeError, NotImplementedError):
        return 0
