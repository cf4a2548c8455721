"""Find in a model the memory that a step of a plan was written through."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Slot
from ..ties import TieGroup, tie_slots
from .step import Step


class SlotLookup:
    """The slots of a model, found by any of their names, and the groups of those that are tied."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self.slots = slots
        by_name = {name: slot for slot in slots for name in slot.canonicals}
        # What the model itself calls a slot goes before what others are called without wrappers.
        self.by_name = by_name | {name: slot for slot in slots for name in slot.paths}
        # An id stands for a slot here, since the lookup keeps every slot alive.
        self.group_of: dict[int, TieGroup] = {
            id(slot): group for group in tie_slots(slots) for slot in group.slots
        }

    def find(self, step: Step) -> Slot | None:
        """Return the slot of a step; None where the model has none of its names.

        Overlaps of which none holds the others are written as one flat tensor over all of them.
        """
        name = next((name for name in step.names if name in self.by_name), None)
        if name is None:
            return None
        slot = self.by_name[name]
        group = self.group_of.get(id(slot)) if step.tie_kind == "overlap" else None
        writer = group.writer if group is not None else None
        return writer if writer is not None and tuple(writer.shape) == step.shape else slot
