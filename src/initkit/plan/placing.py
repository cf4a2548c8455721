"""Where a mended rule may stand, so that it decides and leaves every other rule something."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal, TypeAlias

from ..model import Slot
from .matching import RuleTable

Standing: TypeAlias = Literal["here", "in front", ""]


def standing(
    table: RuleTable, place: int, names: Collection[str], slots: Sequence[Slot]
) -> Standing:
    """Return where a rule that takes ``names`` decides something, and no other rule nothing.

    In the place of the clause that it mends, or in front of all; "" where neither will do.
    """
    rivals = [
        (slot.name in names, list(table.every(slot, name, canonical)))
        for slot in slots
        for name, canonical in zip(slot.paths, slot.canonicals, strict=True)
    ]
    unmended = [(False, places) for _, places in rivals]
    before = set(_deciding(table, unmended, place))
    tried: tuple[tuple[Standing, int], ...] = (("here", place), ("in front", -1))
    for where, at in tried:
        after = set(_deciding(table, rivals, at))
        if at in after and before <= after:
            return where
    return ""


def _deciding(
    table: RuleTable, rivals: Sequence[tuple[bool, Sequence[int]]], at: int
) -> Iterator[int]:
    """Yield the rules that decide where one more stands at a place: the first of each name's.

    Of a recipe one rule must, and stands for it; what may match nothing may lose all, too.
    """
    for taken, places in rivals:
        first = min((*places[:1], *([at] if taken else ())), default=None)
        if first is None or first == at:
            yield from () if first is None else (at,)
            continue
        clause = table.clauses[first]
        if clause.mention is not None:
            yield len(table.clauses) + id(clause.mention)
        elif not clause.optional:
            yield first
