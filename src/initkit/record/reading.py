"""From what memory holds to a plan: one step per piece of memory, with what its code drew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor, nn

from ..distributions import Distribution
from ..errors import InitkitError
from ..model import ModelView, Slot, has_number, parameter_info, shape_problem
from ..numbers import Fans, module_fans, no_collecting
from ..plan import (
    EMPTY,
    UNEXPLAINED,
    WRITE,
    Plan,
    Status,
    Step,
    Target,
    Write,
    is_frozen,
    slot_info,
    step_head,
)
from ..ties import TieGroup, memories
from .copies import name_copies
from .events import touches
from .expression import Expression
from .memory import Held, Memory
from .regions import Found, explain, unexplained

Reader: TypeAlias = Callable[[Slot], "Tensor | None"]


@no_collecting()
def read_plan(memory: Memory, model: nn.Module, compute: Reader, buffers: bool) -> Plan:
    """Return the plan that a model's code carried out, as far as memory tells.

    ``compute`` returns the value of a weight that is computed from others.
    """
    view = ModelView(model)
    pairs, drawn = [], []
    for held, group in memories(view.slots):
        live = [s for s in held if s.tensor is not None and (s.kind != "buffer" or buffers)]
        if live and not all(s.literal for s in live):
            step, target, found = _read(memory, tuple(held), live, group, compute)
            pairs.append((step, target))
            drawn.append(found)
    steps = name_copies([step for step, _ in pairs], drawn)
    notes = [f"not explained: {s.name} {list(s.shape)}: {s.note}" for s in _unknown(steps)]
    return Plan(
        steps,
        [],
        title=f"{view.title}, as its code starts it",
        targets=[target for _, target in pairs],
        notes=notes,
        model=model,
    )


def _unknown(steps: Sequence[Step]) -> Iterator[Step]:
    yield from (step for step in steps if step.status == UNEXPLAINED)


def _read(
    memory: Memory,
    slots: tuple[Slot, ...],
    live: Sequence[Slot],
    group: TieGroup | None,
    compute: Reader,
) -> tuple[Step, Target, Found]:
    held = tuple(slot for slot in slots if slot.tensor is not None)
    writer = (group.writer if group is not None else None) or live[0]
    found, padding, padded = _explain(memory, held, writer, group, compute)
    names, seed_name, shape, dtype = step_head(held, writer, group)
    history = _history(memory, writer, found.tensor)
    step = Step(
        names,
        seed_name,
        shape,
        dtype,
        _status(found.distribution, shape),
        distribution=found.distribution,
        rule=history[-1].function if history else "",
        fans=_fans(writer),
        padding=padding,
        note=_note(found, writer),
        frozen=is_frozen(next((s for s in held if s.kind != "buffer"), writer)),
        tie_kind=group.kind if group is not None else "",
        history=history,
    )
    rows = ((padded, padding),) if padded is not None and padding is not None else ()
    return step, Target(held, writer, rows), found


def _explain(
    memory: Memory,
    held: Sequence[Slot],
    writer: Slot,
    group: TieGroup | None,
    compute: Reader,
) -> tuple[Found, int | None, Slot | None]:
    """Return what a piece of memory holds, and the padding row that the rest does not have."""
    tensor = compute(writer) if writer.computed is not None else writer.tensor
    if tensor is None or shape_problem(tensor):
        return (
            unexplained("no shape yet" if tensor is not None else "it cannot be read"),
            None,
            None,
        )
    tensor = tensor.detach()
    if not memory.knows(tensor) and tensor.numel():
        return unexplained("no operation was seen to write it", tensor), None, None
    values = memory.read(tensor)
    row, padded = _padding(held)
    alike = padded is not None and (group is None or group.same_geometry(padded))
    if alike and row is not None and _zero_row(memory, values, row):
        rest = torch.cat([values[:row], values[row + 1 :]])  # type: ignore[index]
        outside = torch.cat([tensor[:row], tensor[row + 1 :]])
        found = explain(memory, rest, outside)
        if found.distribution is not None and not found.distribution.shape_matters:
            return replace(found, tensor=tensor), row, padded
    return explain(memory, values, tensor), None, None


def _padding(held: Sequence[Slot]) -> tuple[int | None, Slot | None]:
    for slot in held:
        if slot.owner is not None and has_number(slot.owner, "padding_idx"):
            known = slot_info(slot)
            if known is not None and known.padding is not None:
                return known.padding, slot
            row = slot.owner.padding_idx  # of an embedding that torch does not know
            if slot.key == "weight" and isinstance(row, int) and -1 < row < slot.shape[0]:
                return row, slot
    return None, None


def _zero_row(memory: Memory, values: Held, row: int) -> bool:
    """Say whether a row is zero, and not all rows are."""
    if isinstance(values, Expression):
        return False
    return all(e.value == 0 for e in memory.present(values[row]))


def _status(distribution: Distribution | None, shape: Sequence[int]) -> Status:
    if 0 in shape:
        return EMPTY
    return UNEXPLAINED if distribution is None else WRITE


def _history(memory: Memory, writer: Slot, tensor: Tensor | None) -> tuple[Write, ...]:
    seen = tensor if writer.computed is None else writer.tensor
    storage = memory.storage(seen) if seen is not None else None
    if storage is None or seen is None:
        return ()
    whole = storage.size // storage.unit
    return tuple(e.write(seen) for e in storage.events if touches(e, seen, whole))


def _fans(slot: Slot) -> Fans | None:
    known = parameter_info(slot.owner, slot.key, slot.shape) if slot.owner is not None else None
    if known is None or known.layout is None or len(slot.shape) < 2:
        return None
    try:
        return module_fans(slot.shape, known.layout)
    except InitkitError:  # a layout that does not fit the shape
        return None


def _note(found: Found, writer: Slot) -> str:
    parts = [found.note or (found.distribution.note() if found.distribution is not None else "")]
    if writer.computed is not None:
        parts.append(writer.computed.note)
    return "; ".join(part for part in parts if part)
