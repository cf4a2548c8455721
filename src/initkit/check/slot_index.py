"""The slots of a model by name, and which of them share memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ..distributions import Test
from ..model import Slot
from ..plan import Plan, SlotLookup, Step
from .values import is_floating


class SlotIndex(SlotLookup):
    """The slots of a model by their names, compared with the ties of a plan."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        super().__init__(slots)
        self._claimed: dict[int, str] = {}  # memory, and the step that was first compared with it

    def memory(self, name: str) -> int:
        """Return what is equal for names that share memory: the id of the group, or of the slot."""
        slot = self.by_name[name]
        # An id tells them apart while the lookup holds both slots and groups.
        return id(self.group_of.get(id(slot), slot))

    def unplanned(self, plan: Plan) -> tuple[list[Slot], list[Slot]]:
        """Return the parameters that the plan doesn't know, and those it knows what is behind."""
        known = {name for step in plan.steps for name in step.names}
        unknown = [s for s in self._unknown(known) if s.kind == "parameter" and not s.literal]
        # Rules for `weight_g` start the weight that is computed from it, which has no step then.
        started = {id(s.tensor) for s in self.slots if s.literal and not self._is_new(s, known)}
        behind = [
            slot
            for slot in unknown
            if slot.computed is not None and not started.isdisjoint(map(id, slot.computed.raw))
        ]
        return [slot for slot in unknown if slot not in behind], behind

    def unplanned_buffers(self, plan: Plan) -> list[Slot]:
        """Return the buffers that the plan doesn't know and that may hold NaN."""
        known = {name for step in plan.steps for name in step.names}
        buffers = [slot for slot in self._unknown(known) if slot.kind == "buffer"]
        return [slot for slot in buffers if slot.computed is None and is_floating(slot)]

    def _unknown(self, known: Collection[str]) -> Iterator[Slot]:
        return (s for s in self.slots if s.tensor is not None and self._is_new(s, known))

    def _is_new(self, slot: Slot, known: Collection[str]) -> bool:
        return not any(name in known for name in (*slot.paths, *slot.canonicals))

    def tie_tests(self, step: Step) -> Iterator[Test]:
        """Yield where the names of a step share memory otherwise than planned."""
        present = [name for name in step.names if name in self.by_name]
        missing = [name for name in step.names if name not in self.by_name]
        if missing and present:
            text = f"{', '.join(missing)} should share its memory and is not in the model"
            yield Test("tie", 0.0, f"tied to {', '.join(missing)}", "not there", text)
        untied = [name for name in present if self.memory(name) != self.memory(present[0])]
        if untied:
            text = f"it should share memory with {', '.join(untied)} and does not (not tied)"
            yield Test("tie", 0.0, f"tied to {', '.join(untied)}", "not tied", text)
        # The first step that comes claims the memory; a second one means a tie that no plan has.
        other = self._claimed.setdefault(self.memory(present[0]), step.name)
        if other != step.name:
            text = f"it shares memory with {other}, and the plan has them apart"
            yield Test("tie", 0.0, f"not tied to {other}", "tied", text)
