"""Decide about each piece of memory: which rule speaks for it, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import Parameter

from ..errors import Problem, TensorProblem, TieConflict
from ..model import Slot, kind_of, layout_row, shape_problem
from ..ties import TieGroup, memories, plainly_untied
from .conflicts import (
    memory_problem,
    memory_problems,
    overruled,
    place_problem,
    show_settled,
    winner,
    writer_for,
)
from .options import InitOptions
from .outcome import kept_step, unshaped_step, written_step
from .resolve import Choice, Resolver, slot_info
from .step import KEEP, UNCOVERED, WRITE, Status, Step, Target

Decision: TypeAlias = tuple[Step, Target]
_Kind: TypeAlias = "tuple[int | None, type | None, str, torch.Size, torch.dtype, bool]"
"""The place of a rule or None, and what tensors of one kind share: class, key, shape, dtype."""


_ORDINARY = (Tensor, Parameter)  # by identity: a subclass may be sharded, or anything


@dataclass(frozen=True)
class Decided:
    """One step per piece of memory, in registration order, with its memory.

    ``problems`` are what is wrong, and ``used`` the places of the rules that decided about a name;
    ``absent`` has of those that decided about no tensor the names, which are registered as None.
    """

    steps: list[Step]
    targets: list[Target]
    problems: list[Problem]
    used: Collection[int]
    absent: Mapping[int, Sequence[str]]


def decide(resolver: Resolver, slots: Sequence[Slot], settings: InitOptions) -> Decided:
    """Decide about every piece of memory of a model."""
    decider = _Decider(resolver, slots, settings)
    pairs = decider.decide()
    steps, targets = [step for step, _ in pairs], [target for _, target in pairs]
    used = decider.used
    absent = {place: names for place, names in decider.absent.items() if place not in used}
    return Decided(steps, targets, decider.problems, used.union(absent), absent)


class _Decider:
    """Make one step per piece of memory, and gather what is wrong on the way."""

    def __init__(self, resolver: Resolver, slots: Sequence[Slot], settings: InitOptions) -> None:
        self.resolver, self.table, self.slots = resolver, resolver.table, slots
        self.first_wins = settings["on_tie_conflict"] == "first"
        self.buffers = settings["buffers"]
        self.untied = plainly_untied(slots)
        self.problems: list[Problem] = []
        self.used: set[int] = set()
        self.absent: dict[int, list[str]] = {}
        self._by_kind: dict[_Kind, Step] = {}
        self._alike: dict[tuple[object, ...], tuple[Step, object]] = {}

    def decide(self) -> list[Decision]:
        """Return a step for each piece of memory, in registration order."""
        single = zip(zip(self.slots, strict=True), repeat(None), strict=False)
        pairs = list(self._decisions(single if self.untied else memories(self.slots)))
        self.problems += _same_names([step for step, _ in pairs])
        if any(slot.literal for slot in self.slots):
            pairs = list(self._without_written_twice(pairs))
        return pairs

    def _first(self, slot: Slot) -> int | None:
        """Return the place of the rule that decides about a slot by its first name."""
        place = self.table.first(slot, slot.name, slot.canonicals[0])
        if place is not None and slot.tensor is None:
            self.absent.setdefault(place, []).append(slot.name)
        elif place is not None:
            self.used.add(place)
        return place

    def _decisions(
        self, pieces: Iterable[tuple[tuple[Slot, ...], TieGroup | None]]
    ) -> Iterator[Decision]:
        """Yield the step of each piece of memory; nearly all have one name, and are alike."""
        first, by_kind, used, untied = self.table.first, self._by_kind, self.used, self.untied
        for slots, group in pieces:
            slot = slots[0]
            tensor, owner = slot.tensor, slot.owner
            found: Decision | None = None
            one = group is None and slot.kind != "buffer" and not slot.literal
            if tensor is not None and one and (untied or not shape_problem(tensor)):
                place = first(slot, slot.name, slot.canonicals[0])
                if place is not None:
                    used.add(place)
                kind = kind_of(owner) if owner is not None else None
                key = place, kind, slot.key, tensor.shape, tensor.dtype, tensor.requires_grad
                step = by_kind.get(key) if slot.computed is None else None
                if step is not None:
                    found = self._renamed(step, slots)
                else:
                    found = self._like_another(slots, place, key)
            if found is None:
                found = self._together(slots, group)
            if found is not None:
                yield found

    # ---- one name, one memory

    def _renamed(self, step: Step, slots: tuple[Slot, ...]) -> Decision:
        """Return a step that takes all but its names from another."""
        (slot,) = slots
        step = step.renamed(slot.paths, slot.canonicals[0])
        # All but the place is alike; what `plainly_untied` let pass is contiguous, if ordinary.
        fine = step.distribution is None or (self.untied and type(slot.tensor) in _ORDINARY)
        if not fine and (text := place_problem(slot)):
            self._refuse(step, text)
        if step.padding is None:
            return step, Target(slots, slot)
        return step, Target(slots, slot, tuple((slot, row) for row in step.padding_rows))

    def _like_another(
        self, slots: tuple[Slot, ...], place: int | None, kind: _Kind
    ) -> Decision | None:
        """Return a step by what its module and formulas say, and note which others are alike.

        None where the rule could not be resolved: the long way says why.
        """
        (slot,), resolver, known = slots, self.resolver, None
        if place is None or self.table.clauses[place].keeps:
            chosen = None if place is None else resolver.choice(slot, slot.name, place)
            step, target = kept_step(slots, slot, chosen, None)
            if slot.computed is None:
                self._by_kind[kind] = step
            return step, target
        row, by_shape = layout_row(slot.owner, slot.key)
        asked = not resolver.same_everywhere[place] or (len(slot.shape) > 1 and not by_shape)
        if asked:  # some is known from the module or its parents alone, and not from the row
            known = slot_info(slot)
        by_kind = not asked or (by_shape and not resolver.drawn_anew)
        # By the row, and by all that a note says of the key: parameters of a list have keys of
        # their own, and are alike.
        _, owner, name, *about = kind
        told = id(row), id(known), "bias" in name, resolver.values(place, slot, slot.name)
        key = place, owner, *about, *told
        alike = self._alike.get(key) if slot.computed is None else None
        if alike is not None:
            return self._renamed(alike[0], slots)
        chosen = resolver.choice(slot, slot.name, place)
        self.used.update(chosen.places)
        if chosen.distribution is None:
            return None
        step, target = written_step(slots, slot, chosen, None)
        if text := memory_problem(slot, chosen.distribution):
            self._refuse(step, text)
        elif resolver.same_by_kind(place) and slot.computed is None:
            # What is known lives on beside the step, so no other object can have its id.
            self._alike[key] = step, known
            if by_kind and not resolver.names(place):
                self._by_kind[kind] = step
        return step, target

    def _refuse(self, step: Step, text: str) -> None:
        text = f"{step.name}: {text} (rule {step.rule!r})"
        self.problems.append(TensorProblem(text, names=step.names, rule=step.rule))

    # ---- several names, or something about the memory

    def _together(self, slots: tuple[Slot, ...], group: TieGroup | None) -> Decision | None:
        """Return the step of one piece of memory; None where nothing is there to start."""
        started = [slot for slot in slots if slot.kind != "buffer" or self.buffers]
        live = [slot for slot in started if slot.tensor is not None]
        if not live:
            for slot in started:  # registered as None: rules may match it, and are not idle then
                self._first(slot)
            return None
        held = tuple(slot for slot in slots if slot.tensor is not None)
        shapeless = (why for s in live if s.tensor is not None and (why := shape_problem(s.tensor)))
        if why := next(shapeless, ""):
            return self._unshaped(held, live, why)
        choices = [choice for slot in live for choice in self.resolver.choices(slot)]
        # A rule that loses to another name of this memory has matched, and is not idle.
        self.used.update(place for choice in choices for place in choice.places)
        if not choices and all(slot.literal for slot in live):
            return None  # it stands behind a computed weight, which has a step of its own
        return self._settled(held, live, group, choices)

    def _settled(
        self,
        held: tuple[Slot, ...],
        live: Sequence[Slot],
        group: TieGroup | None,
        choices: Sequence[Choice],
    ) -> Decision:
        """Return the step that the names' choices come to, and note where they contradict."""
        chosen, conflict = winner(choices, live, group, self.first_wins)
        if conflict is not None:
            show_settled(conflict, choices, self.table, self.slots)
        writer, misplaced = writer_for(chosen, group) if chosen is not None else (None, None)
        # The first that is wrong explains the others; the user mends it and plans again.
        wrong = conflict or (chosen.error if chosen is not None else None) or misplaced
        if wrong is not None:
            self.problems.append(wrong)
        lost = overruled(chosen, choices) if wrong is None else ""
        if chosen is None or chosen.keeps:
            step, target = kept_step(held, live[0], chosen, group)
            return (replace(step, note=lost) if lost else step), target
        step, target = written_step(held, writer or live[0], chosen, group)
        if lost:
            step = replace(step, note="; ".join(filter(None, (step.note, lost))))
        self.problems += memory_problems(step.names, live, group, chosen, choices)
        return step, target

    def _unshaped(self, held: tuple[Slot, ...], live: Sequence[Slot], why: str) -> Decision:
        """Return the step of a tensor without its shape: only keeping it is no problem."""
        places = [place for slot in live if (place := self._first(slot)) is not None]
        rules = [self.table.clauses[place] for place in places]
        status: Status = UNCOVERED if not rules else KEEP if rules[0].keeps else WRITE
        step, target = unshaped_step(held, live[0], status)
        if status == WRITE:
            text = f"{step.name}: {why} (rule {rules[0].label!r})"
            self.problems.append(TensorProblem(text, names=step.names, rule=rules[0].label))
        return step, target

    def _without_written_twice(self, pairs: Sequence[Decision]) -> Iterator[Decision]:
        """Leave out computed weights whose raw tensors (weight_orig) have rules of their own.

        Those can only be named literally, so they speak, unless the weight is named so, too.
        """
        # By identity: the slots keep the tensors alive, and a raw tensor is one object.
        raw = {id(t.writer.tensor): step for step, t in pairs if t.writer.literal}
        for step, target in pairs:
            # Written twice, the weight would be what the second write left.
            behind = target.writer.raw if target.writer.computed is not None else ()
            own = next((raw[id(tensor)] for tensor in behind if id(tensor) in raw), None)
            if own is None:
                yield step, target
            elif step.rule in step.names:
                text = (
                    f"{step.name} is computed from {own.name}, and rules name both: "
                    f"{step.name}: {step.start}, {own.name}: {own.start}; keep one of them"
                )
                self.problems.append(TieConflict(text, names=[step.name, own.name]))


def _same_names(steps: Sequence[Step]) -> list[Problem]:
    """Return a problem for each pair of targets that would get the same numbers."""
    # Dropping wrapper segments can make one name of two, and numbers follow from names alone.
    seen: dict[str, Step] = {}
    return [
        TensorProblem(
            f"{other.name!r} and {step.name!r} have one canonical name, {step.seed_name!r}, and "
            "would get the same numbers; rename one of the modules",
            names=[other.name, step.name],
        )
        for step in steps
        if (other := seen.setdefault(step.seed_name, step)) is not step
        and step.status == WRITE == other.status
    ]
