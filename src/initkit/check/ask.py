"""Ask a model's values about many plans: each tensor is compared with each distribution once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from ..distributions import Test, short
from ..model import ModelView, Slot, values_problem
from ..plan import KEEP, WRITE, Plan, Step
from .checked import Checked
from .diagnosis import looks_trained
from .duplicates import duplicates
from .failures import Failure, failed_tests, make_failure
from .independence import is_drawn
from .measure import Measured, measure
from .planned import check_step, first_rows
from .slot_index import SlotIndex

_MOST = 1 << 15  # elements of a tensor, which tell a std from another that is 3 % off
_ALIKE = 4  # tensors of a kind that are looked at: layers of a stack differ by their numbers alone
_ENOUGH = 1000  # elements whose std is within a fifth of the planned one, but for a miracle
_NEXT_TO_NONE = 0.1  # of the parameters: some constructors leave one on the CPU
_LEVEL = 1e-6


@dataclass(frozen=True)
class Answer:
    """What the values of a model say of one plan.

    ``agreeing`` are all names of the tensors that agree, ``share`` is their share of those of the
    plan that hold values, ``failures`` are those that don't, and ``trained`` says whether they look
    as if training had moved them.
    """

    agreeing: frozenset[str]
    share: float
    failures: tuple[Failure, ...]
    trained: bool


class Witness:
    """The values of a model, to be asked about plans of it.

    >>> from torch import nn
    >>> from initkit import plan_init
    >>> model = nn.Linear(64, 64)
    >>> witness = Witness(ModelView(model))
    >>> plan = plan_init(model, {"weight": "normal", "*": "torch_default"})
    >>> sorted(witness.answer(plan).agreeing)
    ['bias']
    """

    def __init__(self, view: ModelView) -> None:
        self.view = view
        self._index = SlotIndex(view.slots)
        self._seen: dict[object, Checked] = {}
        self._moments: dict[str, Measured | None] = {}
        self._kinds: dict[str, object] = {}
        self._problems = {
            slot.name: values_problem(slot.tensor)
            for slot in view.slots
            if slot.kind != "buffer" and slot.tensor is not None
        }
        self.mute = frozenset(name for name, problem in self._problems.items() if problem)
        """Parameters that hold no values."""
        self._looked_at = self._choose()

    @property
    def silent(self) -> str:
        """Why no values can be asked: there are none, or next to none; "" where some can."""
        held = len(self._problems) - len(self.mute)
        enough = held > _NEXT_TO_NONE * len(self._problems)
        return "" if enough else next(filter(None, self._problems.values()), "")

    def _choose(self) -> set[str]:
        """Return the names of some tensors of every kind: of many the first, middle and last."""
        kinds: dict[object, list[Slot]] = {}
        for slot in self.view.slots:
            if slot.tensor is None or slot.kind == "buffer" or slot.name in self.mute:
                continue
            classes = tuple(type(module) for module in slot.lineage)
            kind = (re.sub(r"\d+", "#", slot.name), classes)
            self._kinds[slot.name] = kind
            kinds.setdefault(kind, []).append(slot)
        return {slot.name for members in kinds.values() for slot in _some(members)}

    def answer(self, plan: Plan) -> Answer:
        """Compare a plan of this model with what it holds."""
        wrong = {name for problem in plan.problems for name in problem.names}
        able = [step for step in plan.steps if self.mute.isdisjoint(step.names)]
        asked = [step for step in able if step.status == WRITE and not wrong & {*step.names}]
        checked = self._told_apart([self._check(s) for s in asked if self._is_looked_at(s)])
        failed = failed_tests(checked, _LEVEL)
        failures = tuple(make_failure(c, failed[id(c)]) for c in checked if id(c) in failed)
        # One that disagrees speaks for those of its kind that nobody looked at.
        doubtful = {self._kinds.get(failure.name) for failure in failures}
        names = {failure.name for failure in failures}
        agreeing = [
            step
            for step in asked
            if step.name not in names
            and (self._is_looked_at(step) or self._kinds.get(step.name) not in doubtful)
        ]
        agreeing += [step for step in able if step.status == KEEP]
        return Answer(
            frozenset(name for step in agreeing for name in step.names),
            len(agreeing) / max(len(able), 1),
            failures,
            looks_trained(checked, names),
        )

    def _told_apart(self, checked: Sequence[Checked]) -> list[Checked]:
        """Return tensors with a failed test for each that repeats another: draws never do.

        ``copy.deepcopy`` of a layer leaves such, and each by itself looks as it was planned.
        """
        drawn = {c.name for c in checked if is_drawn(c)}
        return [
            replace(c, tests=[*c.tests, self._repeats[c.name][1]])
            if c.name in drawn and self._repeats.get(c.name, ("",))[0] in drawn
            else c
            for c in checked
        ]

    @cached_property
    def _repeats(self) -> dict[str, tuple[str, Test]]:
        """Tensor -> the earlier one whose values it holds, and what says so."""
        varying = [
            (name, tensor.detach())
            for name in sorted(self._looked_at)
            if (m := self._measured(name)) is not None and m.low < m.high
            if (tensor := self._index.by_name[name].tensor) is not None
        ]
        found = {}
        for one in duplicates([tensor for _, tensor in varying]):
            if one.first != one.second:
                first, second = varying[one.first][0], varying[one.second][0]
                seen = f"{one.text} {first}"
                test = Test("clone", one.p, "values of its own", seen, f"it {seen}")
                found[second] = (first, test)
        return found

    def _is_looked_at(self, step: Step) -> bool:
        return step.name in self._looked_at or step.name not in self._kinds

    def _check(self, step: Step) -> Checked:
        key = (step.names, step.distribution, step.padding)
        if key not in self._seen:
            self._seen[key] = self._far_off(step) or check_step(step, self._index, _MOST)
        return self._seen[key]

    def _far_off(self, step: Step) -> Checked | None:
        """Return what is plain without a test: a spread that is another by a fifth or more."""
        measured, planned = self._measured(step.name), step.distribution
        if measured is None or planned is None or not planned.std or measured.n < _ENOUGH:
            return None
        ratio = measured.std / planned.std
        if step.padding_rows or (0.8 < ratio < 1.25 and measured.low < measured.high):
            return None
        seen = f"std {short(measured.std)}" if ratio else f"all {short(measured.low)}"
        test = Test("std", 0.0, f"std {short(planned.std)}", seen, f"{seen} for {step.start}")
        found = Checked(step.name, step.shape, step, self._index.find(step), measured, [test])
        found.compared = True
        return found

    def _measured(self, name: str) -> Measured | None:
        """Return the moments of some elements; None of what is no plain tensor."""
        if name not in self._moments:
            slot = self._index.by_name[name]
            tensor = slot.tensor
            plain = slot.computed is None and tensor is not None and tensor.is_floating_point()
            some = first_rows(tensor.detach(), _MOST) if plain and tensor is not None else None
            usable = some is not None and some.layout is torch.strided and some.numel() > 0
            self._moments[name] = measure([some]) if usable and some is not None else None
        return self._moments[name]


def _some(members: Sequence[Slot]) -> list[Slot]:
    if len(members) <= _ALIKE:
        return list(members)
    return [members[0], members[1], members[len(members) // 2], members[-1]]
