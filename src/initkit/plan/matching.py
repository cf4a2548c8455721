"""Which rule takes a slot: the first that matches one of its names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ..model import Slot
from ..rules import Clause, LandmarkIndex, has_wildcard


def to_the_letter(clauses: Sequence[Clause], slots: Sequence[Slot]) -> list[Clause]:
    """Return the clauses with globs that spell a name of the model read as that name alone.

    Few models have a ``[``, ``*`` or ``?`` in a name, but a dict of modules may have it in a key.
    """
    odd = {n for slot in slots for n in {*slot.paths, *slot.canonicals} if has_wildcard(n)}
    if not odd:
        return list(clauses)
    return [replace(c, matcher=c.matcher.to_the_letter(odd)) for c in clauses]


class RuleTable:
    """Clauses in order, to be asked which of them takes a slot; asking changes nothing.

    A clause is known by its place, since two may be equal and only the first of them decides.

    >>> from torch import nn
    >>> from initkit.model import ModelView
    >>> from initkit.rules import read_rules
    >>> table = RuleTable(read_rules({"bias": 0, "*": "normal"}))
    >>> [table.first(slot, slot.name, slot.name) for slot in ModelView(nn.Linear(2, 2)).slots]
    [1, 0]
    """

    def __init__(self, clauses: Sequence[Clause]) -> None:
        self.clauses = clauses
        self._takers = [clause.matcher.matches for clause in clauses]
        self._index = LandmarkIndex([clause.matcher.landmark for clause in clauses])

    def first(self, slot: Slot, name: str, canonical: str) -> int | None:
        """Return the place of the first clause that takes the slot under this name, or None."""
        for place in self._candidates(name, canonical):
            if self.takes(place, slot, name, canonical):
                return place
        return None

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
