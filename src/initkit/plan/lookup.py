"""Find in a model the memory that a step of a plan was written through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from ..model import Slot
from ..ties import TieGroup, tie_slots
from .resolve import slot_info
from .step import Step


def padding_mask(slot: Slot, padded: Sequence[tuple[Slot, int]]) -> Tensor | None:
    """Return which elements of a slot's tensor lie in rows of the slots that have the padding.

    None where they do not read one strided memory in one dtype, so that nobody can tell.
    """
    masks = [_row_mask(slot, other, row) for other, row in padded]
    known = [mask for mask in masks if mask is not None]
    if not masks or len(known) < len(masks):
        return None
    return torch.stack(known).any(0)


def _row_mask(slot: Slot, padded: Slot, row: int) -> Tensor | None:
    tensor, other = slot.tensor, padded.tensor
    if tensor is None or other is None or tensor.dtype != other.dtype:
        return None
    if not tensor.layout is other.layout is torch.strided or slot.computed or padded.computed:
        return None
    if tensor.untyped_storage().data_ptr() != other.untyped_storage().data_ptr():
        return None
    size = tensor.untyped_storage().nbytes() // tensor.element_size()
    memory = torch.zeros(size, dtype=torch.bool, device="cpu")  # an entry for each element
    memory.as_strided(other.shape, other.stride(), other.storage_offset())[row] = True
    return memory.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())


def padded_slots(step: Step, slots: Iterable[Slot]) -> tuple[tuple[Slot, int], ...]:
    """Return which of the slots have one of a step's padding rows, and which."""
    rows = step.padding_rows
    known = [(slot, slot_info(slot)) for slot in slots if rows]
    return tuple((s, i.padding) for s, i in known if i is not None and i.padding in rows)


class SlotLookup:
    """The slots of a model, found by any of their names, and the groups of those that are tied."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self.slots = slots
        by_name = {name: slot for slot in slots for name in slot.canonicals}
        # What the model itself calls a slot goes before what others are called without wrappers.
        self.by_name = by_name | {name: slot for slot in slots for name in slot.paths}

    @cached_property
    def group_of(self) -> dict[int, TieGroup]:
        """The group of each tied slot; an id stands for a slot, since all are kept alive here."""
        return {id(slot): group for group in tie_slots(self.slots) for slot in group.slots}

    def _first(self, step: Step) -> Slot | None:
        return next((self.by_name[name] for name in step.names if name in self.by_name), None)

    def padding(self, step: Step) -> tuple[tuple[Slot, int], ...]:
        """Return each slot with a padding row of a step, and the row; none where no module tells.

        Where all names read one geometry, a row is one of any of them.
        """
        slot = self._first(step)
        if slot is None:
            return ()
        if step.tie_kind not in ("view", "overlap"):
            return tuple((slot, row) for row in step.padding_rows)
        group = self.group_of.get(id(slot))
        found = padded_slots(step, group.slots if group is not None else (slot,))
        # A row that no module claims here lies nobody knows where.
        return found if {row for _, row in found} == set(step.padding_rows) else ()

    def find(self, step: Step) -> Slot | None:
        """Return the slot of a step; None where the model has none of its names.

        Overlaps of which none holds the others are written as one flat tensor over all of them.
        """
        slot = self._first(step)
        if slot is None or step.tie_kind != "overlap":
            return slot
        group = self.group_of.get(id(slot))
        writer = group.writer if group is not None else None
        return writer if writer is not None and tuple(writer.shape) == step.shape else slot
