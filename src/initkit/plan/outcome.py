"""Make the steps of a plan from what was decided about each piece of memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from ..distributions import Rows
from ..errors import InitkitError
from ..model import Slot, has_number, parameter_info
from ..numbers import Fans, module_fans, tensor_fans
from ..ties import TieGroup
from .dtypes import dtype_note
from .resolve import Choice, slot_info
from .step import EMPTY, KEEP, UNCOVERED, WRITE, Padding, Status, Step, Target


def unshaped_step(held: tuple[Slot, ...], first: Slot, status: Status) -> tuple[Step, Target]:
    """Return the step of a tensor without its shape: lazy, nested, or a placeholder."""
    names = tuple(path for slot in held for path in slot.paths)
    tensor: Any = held[0].tensor
    note = "lazy" if is_lazy(tensor) else "nested" if tensor.is_nested else "placeholder"
    shape = tuple(tensor.shape) if note == "placeholder" else ()
    step = Step(names, first.canonicals[0], shape, tensor.dtype, status, note=note)
    return step, Target(held, first)


def kept_step(
    held: tuple[Slot, ...], first: Slot, chosen: Choice | None, group: TieGroup | None
) -> tuple[Step, Target]:
    """Return the step of a tensor that keeps its value."""
    names, seed_name, shape, dtype = step_head(held, first, group)
    step = Step(
        names,
        seed_name,
        shape,
        dtype,
        UNCOVERED if chosen is None else KEEP,
        rule="" if chosen is None else chosen.clause.label,
        frozen=is_frozen(first),
        tie_kind=group.kind if group is not None else "",
    )
    return step, Target(held, (group and group.writer) or first)


def written_step(
    held: tuple[Slot, ...], writer: Slot, chosen: Choice, group: TieGroup | None
) -> tuple[Step, Target]:
    """Return the step of a tensor that a rule starts, to be written through one of its slots."""
    padded = tuple(
        (slot, row)
        for slot, row in _padding(held, chosen)
        if not isinstance(rows := chosen.distribution, Rows) or rows.start <= row < rows.stop
    )
    names, seed_name, shape, dtype = step_head(held, writer, group)
    clause = chosen.clause
    step = Step(
        names,
        seed_name,
        shape,
        dtype,
        EMPTY if 0 in shape else WRITE,
        distribution=chosen.distribution,
        scheme=clause.scheme_text,
        rule=clause.label,
        fans=_fans_of(chosen) if len(shape) > 1 else None,
        fans_from=chosen.fans_from,
        padding=_rows(padded),
        note=_note(chosen, writer),
        frozen=is_frozen(next((slot for slot in held if slot.kind != "buffer"), writer)),
        tie_kind=group.kind if group is not None else "",
        classes=tuple(one.__name__ for one in type(chosen.slot.owner).__mro__),
    )
    return step, Target(held, writer, padded)


def step_head(
    held: tuple[Slot, ...], slot: Slot, group: TieGroup | None
) -> tuple[tuple[str, ...], str, tuple[int, ...], torch.dtype]:
    """Return names, the name that numbers depend on, shape and dtype of a step."""
    assert slot.tensor is not None
    dtype = slot.tensor.dtype
    if group is None:
        return slot.paths, slot.canonicals[0], tuple(slot.shape), dtype
    # A view's shape is that of the name it is written through, so that name goes first.
    first = [slot] if group.kind in ("view", "overlap") and slot in held else []
    names = tuple(dict.fromkeys(path for one in (*first, *held) for path in one.paths))
    # Numbers must not change when a parameter is tied to a buffer as well.
    parameters = [one for one in held if one.kind != "buffer"] or held
    # The smallest name, which neither the order of registration nor that of rules decides.
    smallest = min(name for one in parameters for name in one.canonicals)
    return names, smallest, tuple(slot.shape), dtype


def is_frozen(slot: Slot) -> bool:
    """Say whether a slot is a parameter that no gradient is to reach."""
    assert slot.tensor is not None
    return slot.kind == "parameter" and not slot.tensor.requires_grad


def _fans_of(chosen: Choice) -> Fans | None:
    """Return the fans that the scheme took; those of the module where it asked for none."""
    slot, shape = chosen.slot, chosen.slot.shape
    if chosen.fans == "tensor":
        return tensor_fans(shape)
    known = parameter_info(slot.owner, slot.key, shape) if slot.owner is not None else None
    if known is not None and known.sibling is not None:
        return None  # a bias has none of its own
    layout = chosen.clause.layout or (known.layout if known is not None else None)
    try:
        if layout is not None:
            return module_fans(shape, layout)
        return tensor_fans(shape) if len(shape) == 2 or chosen.slot.owner is None else None
    # The column is for readers: a layout that does not fit is reported where a scheme needs it.
    except InitkitError:
        return None


def _padding(slots: Sequence[Slot], chosen: Choice) -> Iterator[tuple[Slot, int]]:
    """Yield the slots that have a padding row, with it: each embedding over a memory its own."""
    # Some families draw the padding row like any other, and their rules say so.
    drawn = [clause.rows for clause in chosen.clauses if not clause.padding]
    if None in drawn:
        return
    for slot in slots:
        # A quick no for nearly every module, before the layout table is asked.
        if slot.owner is not None and has_number(slot.owner, "padding_idx"):
            known = slot_info(slot)
            row = known.padding if known is not None else None
            ends = [rows.within(slot.shape[0]) for rows in drawn if rows is not None]
            if row is not None and not any(start <= row < stop for start, stop in ends):
                yield slot, row


def _rows(padded: Sequence[tuple[Slot, int]]) -> Padding:
    """Return the padding rows as a step holds them: plans that were saved have one as a number."""
    rows = sorted({row for _, row in padded})
    return tuple(rows) if len(rows) > 1 else rows[0] if rows else None


def _note(chosen: Choice, writer: Slot) -> str:
    """Return what a reader should know of this step, or nothing."""
    distribution = chosen.distribution
    parts = []
    if distribution is not None:
        assert writer.tensor is not None
        parts = [distribution.note(), dtype_note(writer.tensor.dtype, distribution)]
    if chosen.fans is not None and chosen.fans_from != "module":
        parts.append(f"fans from the {chosen.fans_from}")
        if chosen.fans == "module" and chosen.fans_from == "shape" and "bias" in chosen.slot.key:
            parts.append("taken for a matrix, though it is called a bias")
    if writer.computed is not None:
        parts.append(writer.computed.note)
    parts += map(str, chosen.formulas)
    if chosen.beside:
        others = (f"{clause.label!r}, rows={str(clause.rows)!r}" for _, clause in chosen.beside)
        parts.append(f"and by {' and by '.join(dict.fromkeys(others))}")
    return "; ".join(part for part in parts if part)
