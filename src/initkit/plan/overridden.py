"""Remarks where a generic rule takes what a recipe below it would have started in another way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..model import Slot
from ..rules import Clause, First, Inside, Last, Scope
from .matching import RuleTable
from .resolve import Choice, Resolver
from .step import KEEP, WRITE, Step, Target


def remark_overridden(
    resolver: Resolver, steps: Sequence[Step], targets: Sequence[Target], slots: Sequence[Slot]
) -> list[Step]:
    """Return the steps, with a remark where a rule won that may have been meant for others.

    A recipe's own rules may match nothing, so that no idle rule tells of such a loss. A rule that
    names modules is an exception by intent, and so is one for as much as the recipe's rule is for;
    one that goes by type alone, above a recipe for some modules, hardly is.
    """
    finder = _Finder(resolver, slots)
    if not finder.generic:
        return list(steps)
    return [
        replace(step, note="; ".join(filter(None, (step.note, note))))
        if step.status in (WRITE, KEEP) and (note := finder.note(step, target))
        else step
        for step, target in zip(steps, targets, strict=True)
    ]


class _Finder:
    def __init__(self, resolver: Resolver, slots: Sequence[Slot]) -> None:
        self.resolver, self.slots = resolver, slots
        self.table: RuleTable = resolver.table
        clauses = self.table.clauses
        last = max((place for place, c in enumerate(clauses) if c.recipe is not None), default=-1)
        # Only these are asked about: most tables have none, and cost no more than this look.
        self.generic = {
            clause.label: place
            for place, clause in reversed(list(enumerate(clauses[: max(last, 0)])))
            if clause.matcher.generic and any(_may_lose(clause, c) for c in clauses[place + 1 :])
        }
        self._sizes: dict[int, int] = {}

    def note(self, step: Step, target: Target) -> str:
        """Return what a recipe below would have made of a step; "" where nothing is lost."""
        if step.rule not in self.generic:
            return ""
        for slot in target.slots:
            for name, canonical in zip(slot.paths, slot.canonicals, strict=True):
                place = self.table.first(slot, name, canonical)
                if place is None or self.table.clauses[place].label != step.rule:
                    continue
                below = next(self._below(place, slot, name, canonical), None)
                if below is not None and self._lost(place, below):
                    return self._text(step, self.resolver.choice(slot, name, below))
        return ""

    def _below(self, place: int, slot: Slot, name: str, canonical: str) -> Iterator[int]:
        for other in range(place + 1, len(self.table.clauses)):
            if self.table.takes(other, slot, name, canonical):
                yield other

    def _lost(self, place: int, below: int) -> bool:
        """Whether a clause is generic where one below it is particular."""
        upper, lower = self.table.clauses[place], self.table.clauses[below]
        if not _may_lose(upper, lower):
            return False
        return _is_scoped(lower) or self._size(below) < self._size(place)

    def _size(self, place: int) -> int:
        """Return how many parameters a clause matches, whatever stands above it."""
        if place not in self._sizes:
            takes = self.table.takes
            self._sizes[place] = sum(takes(place, s, s.name, s.canonicals[0]) for s in self.slots)
        return self._sizes[place]

    def _text(self, step: Step, lost: Choice) -> str:
        recipe = lost.clause.recipe
        assert recipe is not None
        if lost.keeps:
            return "" if step.status == KEEP else f"instead of {recipe.label}'s keep"
        meant = lost.distribution
        if meant is None or (step.status == WRITE and meant == step.distribution):
            return ""
        return f"instead of {recipe.label}'s {meant.describe()}"


def _may_lose(upper: Clause, lower: Clause) -> bool:
    """Whether a loss to ``upper`` is worth a remark: to a user's rule, or of a scope to another."""
    if lower.recipe is None or lower.mention is None or lower.mention is upper.mention:
        return False
    return upper.recipe is None or _is_scoped(lower)


def _is_scoped(clause: Clause) -> bool:
    return isinstance(clause.matcher, First | Inside | Last | Scope)
