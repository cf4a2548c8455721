"""Which rule takes a slot: the first that matches one of its names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..model import ModelView, Slot, adapter_part, holds_adapters, kind_of
from ..rules import Clause, LandmarkIndex, has_wildcard


def to_the_letter(clauses: Sequence[Clause], slots: Sequence[Slot]) -> list[Clause]:
    """Return the clauses with globs that spell a name of the model read as that name alone.

    Few models have a ``[``, ``*`` or ``?`` in a name, but a dict of modules may have it in a key.
    """
    # At one stroke: what is in no segment is in no name, and wrappers add no segment that is odd.
    whole = "\n".join([path for slot in slots for path in slot.paths])
    if not has_wildcard(whole) and "{" not in whole:
        return list(clauses)
    names = {name for slot in slots for name in (*slot.paths, *slot.canonicals)}
    odd = {name for name in names if has_wildcard(name) or "{" in name}
    return [replace(c, matcher=c.matcher.to_the_letter(odd)) for c in clauses]


def adapter_slots(view: ModelView) -> dict[int, str]:
    """Return the slots that an adapter holds beside what it wraps, by id: ``lora_A`` and others."""
    if not any(map(holds_adapters, set(map(type, view.modules)))):  # most models: none of PEFT
        return {}
    return {id(slot): part for slot in view.slots if (part := adapter_part(slot))}


def _beside(clause: Clause, adapters: Mapping[int, str]) -> Callable[[Slot, str], bool]:
    """Return what a clause takes in a model with adapters: of a recipe only those that it names.

    A recipe is about the model that is wrapped, and what it says of every Linear is not meant for
    the factors beside one.
    """
    matches = clause.matcher.matches
    if clause.recipe is None:
        return matches
    text = clause.text

    def takes(slot: Slot, name: str) -> bool:
        part = adapters.get(id(slot))
        return (part is None or part in text) and matches(slot, name)

    return takes


_FEW = 4  # rules by class that are asked as fast as the classes around a parameter are found


class RuleTable:
    """Clauses in order, to be asked which of them takes a slot; asking changes nothing.

    A clause is known by its place, since two may be equal and only the first of them decides.
    ``adapters`` are what :func:`adapter_slots` finds in the model.

    >>> from torch import nn
    >>> from initkit.model import ModelView
    >>> from initkit.rules import read_rules
    >>> table = RuleTable(read_rules({"bias": 0, "*": "normal"}))
    >>> [table.first(slot, slot.name, slot.name) for slot in ModelView(nn.Linear(2, 2)).slots]
    [1, 0]
    """

    def __init__(self, clauses: Sequence[Clause], adapters: Mapping[int, str] = {}) -> None:
        self.clauses = clauses
        self._takers: list[Callable[[Slot, str], bool]] = [
            _beside(clause, adapters) if adapters else clause.matcher.taker() for clause in clauses
        ]
        self._index = LandmarkIndex([clause.matcher.landmark for clause in clauses])
        # Many recipes have several rules for a name, each in modules of a class of its own.
        self._by_class = sum(not clause.matcher.may_take(()) for clause in clauses) > _FEW
        self._able: dict[tuple[type, ...], frozenset[int]] = {}

    def first(self, slot: Slot, name: str, canonical: str) -> int | None:
        """Return the place of the first clause that takes the slot under this name, or None."""
        takers = self._takers
        if canonical is name:  # spelt out, since this is asked of every parameter
            places: Iterable[int] = self._index.few or self._index.candidates(name)
            if self._by_class:
                places = filter(self._able_in(slot).__contains__, places)
            for place in places:
                if takers[place](slot, name):
                    return place
            return None
        return next(self.every(slot, name, canonical), None)

    def _able_in(self, slot: Slot) -> frozenset[int]:
        """Return the places of the clauses that may take something in modules of such classes."""
        around = tuple(map(kind_of, slot.lineage))
        if around not in self._able:
            matchers = enumerate(clause.matcher for clause in self.clauses)
            self._able[around] = frozenset(p for p, m in matchers if m.may_take(around))
        return self._able[around]

    def every(self, slot: Slot, name: str, canonical: str) -> Iterator[int]:
        """Yield the places of all clauses that take the slot under this name, in order."""
        for place in self._candidates(name, canonical):
            if self.takes(place, slot, name, canonical):
                yield place

    def _candidates(self, name: str, canonical: str) -> Iterable[int]:
        # Without wrappers both are one object; where they are merely equal, a look-up is wasted.
        if canonical is name:
            return self._index.candidates(name)
        return self._index.candidates(name, canonical)

    def takes(self, place: int, slot: Slot, name: str, canonical: str) -> bool:
        """Tell whether one clause takes the slot under this name, whatever stands above it."""
        takes = self._takers[place]
        return takes(slot, name) or (canonical is not name and takes(slot, canonical))
