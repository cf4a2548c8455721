"""Find a plan's steps again in a model, or in a part of it: by name, never by place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from ..errors import PlanError, Problem, TensorProblem, UnplannedParameter
from ..model import WRAPPERS, ModelView, Slot, shape_problem
from ..numbers import no_collecting
from ..spelling import affordable_hints, did_you_mean
from ..ties import TieGroup, memories
from .conflicts import memory_problem
from .lookup import padded_slots
from .plan import Plan
from .renaming import Rename, read_rename, slot_names
from .step import EMPTY, WRITE, Step, Target


@no_collecting()
def bind_view(plan: Plan, view: ModelView, rename: Rename = None) -> Plan:
    """Return the part of ``plan`` that concerns a model, with its memory.

    Raises :class:`PlanError` with all names that the plan doesn't know, and all shapes that differ.
    """
    plan.check()
    slots = view.slots
    binder = _Binder(plan, read_rename(rename, slot_names(slots)))
    for members, group in memories(slots):
        held = tuple(slot for slot in members if slot.tensor is not None)
        if held:
            binder.add(held, group)
    if binder.problems:
        raise PlanError(binder.problems)
    if plan.steps and not binder.steps:
        first = next((slot.name for slot in slots if slot.tensor is not None), "nothing")
        message = (
            f"no parameter of this model is in the plan, which has {plan.steps[0].name!r} and the "
            f"like; the model has {first!r}"
        )
        raise PlanError([UnplannedParameter(message)])
    # The part answers for the whole: reports of parts that ran on several machines have one digest.
    return plan.replaced(steps=binder.steps, targets=binder.targets, whole=plan.digest())


class _Binder:
    """Gather steps and targets, and what is wrong."""

    def __init__(self, plan: Plan, rename: Callable[[str], str | None]) -> None:
        self.rename = rename
        self.steps: list[Step] = []
        self.targets: list[Target] = []
        self.problems: list[Problem] = []
        self.known: dict[str, Step] = {}
        for step in plan.steps:
            for name in (*step.names, step.seed_name):
                self.known.setdefault(name, step)
        self.hints = affordable_hints(len(self.known))
        # Names as the plan shows them go first: dropping wrappers may make one name of two.
        for name, step in list(self.known.items()):
            self.known.setdefault(_unwrapped(name), step)

    def add(self, held: tuple[Slot, ...], group: TieGroup | None) -> None:
        """Bind one piece of memory."""
        # All names of one piece of memory must lead to one step, or the tie would be written twice.
        asked = {path: self._asked(slot, i) for slot in held for i, path in enumerate(slot.paths)}
        if not any(asked.values()):
            return
        # By id, which tells steps apart for as long as the plan holds them.
        found = {id(s): s for names in asked.values() if (s := self._find(names)) is not None}
        if len(found) == 1:
            self._bind(next(iter(found.values())), held, group)
        elif found:
            self._apart(list(asked), list(found.values()))
        # A plan need not know buffers, nor raw tensors: the weight computed from them has the step.
        elif any(slot.kind != "buffer" and not slot.literal for slot in held):
            self._unknown(list(asked), next(names[0] for names in asked.values() if names))

    def _asked(self, slot: Slot, i: int) -> list[str]:
        """Return the names under which the plan may know this one."""
        names = (self.rename(slot.paths[i]), self.rename(slot.canonicals[i]))
        return [name for name in dict.fromkeys(names) if name is not None]

    def _find(self, names: Sequence[str]) -> Step | None:
        return next((self.known[name] for name in names if name in self.known), None)

    def _bind(self, step: Step, held: tuple[Slot, ...], group: TieGroup | None) -> None:
        names = tuple(path for slot in held for path in slot.paths)
        writer = self._writer(step, held, group)
        text = self._misfit(step, held, writer)
        if not text and step.status in (WRITE, EMPTY) and step.distribution is not None:
            text = memory_problem(writer, step.distribution)
        elif not text and step.status == WRITE:
            text = "the plan says that it is written, and not how"
        if text:
            self.problems.append(TensorProblem(f"{names[0]}: {text}", names=names))
            return
        assert writer.tensor is not None
        frozen = writer.kind == "parameter" and not writer.tensor.requires_grad
        made = replace(step, names=names, dtype=writer.tensor.dtype, frozen=frozen)
        self.steps.append(made)
        self.targets.append(Target(held, writer, _padded(step, held, writer)))

    def _writer(self, step: Step, held: Sequence[Slot], group: TieGroup | None) -> Slot:
        """Return the slot to write through: of a view the one that the plan has first."""
        # Another view has its elements in another order, and the step is for this one.
        if group is not None and step.tie_kind in ("view", "overlap"):
            for slot in held:
                first = any(step.name in self._asked(slot, i) for i in range(len(slot.paths)))
                if first and tuple(slot.shape) == step.shape:
                    return slot
        return (group.writer if group is not None else None) or held[0]

    def _misfit(self, step: Step, held: Sequence[Slot], writer: Slot) -> str:
        """Return why this memory is not what the step was made for, or nothing."""
        assert writer.tensor is not None
        if text := shape_problem(writer.tensor):
            return text
        if step.tie_kind in ("view", "overlap") and step.status == WRITE:
            here = [self._asked(slot, i) for slot in held for i in range(len(slot.paths))]
            if all(step.name not in names for names in here):
                return (
                    f"the plan writes it through {step.name!r}, of which it is a {step.tie_kind}, "
                    "and this part of the model does not have that one"
                )
        if tuple(writer.shape) != step.shape:
            return f"its shape is {list(writer.shape)}, and the plan has {list(step.shape)}"
        # Another precision is welcome: the same words are rounded to it. Complex numbers take two
        # words each, and integers take constants alone.
        if _kind(writer.tensor.dtype) != _kind(step.dtype):
            return f"its dtype is {writer.tensor.dtype}, and the plan has {step.dtype}"
        return ""

    def _apart(self, names: Sequence[str], steps: Sequence[Step]) -> None:
        planned = " and ".join(repr(step.name) for step in steps)
        self.problems.append(
            TensorProblem(
                f"{' and '.join(names[:4])} share memory here, and the plan has {planned} apart; "
                "plan the model with its ties",
                names=names,
            )
        )

    def _unknown(self, names: Sequence[str], asked: str) -> None:
        hint = did_you_mean(asked, self.known) if len(self.problems) < self.hints else ""
        as_asked = "" if asked == names[0] else f" (as {asked!r})"
        message = f"{names[0]}{as_asked} is not in the plan{hint or '; rename= leads to its names'}"
        self.problems.append(UnplannedParameter(message, names=names))


def _kind(dtype: torch.dtype) -> tuple[bool, bool]:
    return dtype.is_floating_point, dtype.is_complex


def _padded(step: Step, held: Sequence[Slot], writer: Slot) -> tuple[tuple[Slot, int], ...]:
    """Return the slots that have padding rows; for a name that lives elsewhere, the writer."""
    found = padded_slots(step, held)
    here = {row for _, row in found}
    return (*found, *((writer, row) for row in step.padding_rows if row not in here))


def _unwrapped(name: str) -> str:
    """Drop the segments of wrappers, wherever they stand."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)
