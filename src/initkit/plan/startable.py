"""What would start what the scheme of a rule cannot: the rule's own line with that in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any, NamedTuple, TypeAlias

from ..errors import InitkitError, ReadError
from ..model import Slot, kind_of
from ..rules import Clause, Role, read_rules, scheme_recipe
from ..schemes import Scheme, needs_of, read_scheme
from ..wording import Entry, forms_of
from .matching import RuleTable

WhyNot: TypeAlias = Callable[[Scheme, Slot], Exception | None]
"""Return why a scheme cannot start a slot, or None where it can."""


class Startable(NamedTuple):
    """A line that starts what another cannot, and the names of what it starts so."""

    line: Entry
    names: frozenset[str]


def startable(
    entry: Entry,
    place: int,
    table: RuleTable,
    slots: Sequence[Slot],
    taken: Sequence[Slot],
    why_not: WhyNot,
) -> Startable | None:
    """Return the line of a rule that starts what it has ``taken``, or None where none clearly does.

    Where the scheme starts nothing that the rule takes, another one stands in its place; where it
    starts some, the others get keys of their own before it, which take nothing else.
    """
    if not entry.keys or not isinstance(entry.value, str | Scheme):
        return None
    clause = table.clauses[place]
    failing = {slot: why for slot in taken if (why := why_not(clause.scheme, slot)) is not None}
    instead = _instead(clause, failing, why_not)
    started = frozenset(slot.name for members in instead.values() for slot in members)
    if not instead:
        return None
    if len(instead) == 1 and len(started) == len(taken):
        return Startable(Entry(entry.keys, scheme_value(*instead)), started)
    below = [slot for slot in slots if _is_below(slot, place, table)]
    *around, key = entry.keys
    used = _keys_beside(entry, table)
    lines: dict[Any, Any] = {}
    rest: object = entry.value
    if len(started) == len(taken):  # or the line itself would have nothing left
        first = next(iter(instead))
        rest = scheme_value(first)
        del instead[first]
    for scheme, members in instead.items():
        found = _lines(entry, scheme_value(scheme), members, below)
        # Of two lines with one key in a table, the second alone would count.
        if found is None or not used.isdisjoint(found):
            return None
        lines |= found
    return Startable(Entry(tuple(around), {**lines, key: rest}), started)


def _keys_beside(entry: Entry, table: RuleTable) -> set[Any]:
    """Return the keys of the lines that stand in one table with a line, its own included."""
    depth, around = len(entry.keys), entry.keys[:-1]
    lines = (clause.entry.keys for clause in table.clauses if clause.entry is not None)
    return {keys[depth - 1] for keys in lines if len(keys) >= depth and keys[: depth - 1] == around}


def taken_by(place: int, table: RuleTable, slots: Sequence[Slot]) -> list[Slot]:
    """Return the tensors about which the clause at a place decides."""
    return [
        slot
        for slot in slots
        if slot.tensor is not None and slot.kind != "buffer" and _first(slot, table) == place
    ]


def _first(slot: Slot, table: RuleTable) -> int | None:
    return table.first(slot, slot.name, slot.canonicals[0])


def _is_below(slot: Slot, place: int, table: RuleTable) -> bool:
    """Whether a rule in this place would take a slot: no rule above it does."""
    first = _first(slot, table) if slot.kind != "buffer" else -1
    return first is None or first >= place


def _instead(
    clause: Clause, failing: Mapping[Slot, Exception], why_not: WhyNot
) -> dict[Scheme, list[Slot]]:
    """Return what would start the slots that a clause's scheme cannot start; not all need any.

    It is the scheme's counterpart for other shapes, or, where it is one of matrices, what its name
    alone, as the rules of a model, gives what is none.
    """
    by_axes = needs_of(clause.scheme).reads == "axes"
    alone = RuleTable(read_rules(scheme_recipe(clause.scheme)) if by_axes else [])
    found: dict[Scheme, list[Slot]] = {}
    for slot, why in failing.items():
        default = _first(slot, alone)
        others = [*_counterparts(clause.scheme, why)]
        others += [alone.clauses[default].scheme] if default is not None else []
        scheme = next((other for other in others if why_not(other, slot) is None), None)
        if scheme is not None:
            found.setdefault(scheme, []).append(slot)
    return found


def _counterparts(scheme: Scheme, why: Exception) -> Iterator[Scheme]:
    for mend in why.mends if isinstance(why, InitkitError) else ():
        for text in forms_of(str(scheme), mend):
            with suppress(ReadError):
                yield read_scheme(text)


def _lines(
    entry: Entry, value: object, members: Sequence[Slot], below: Sequence[Slot]
) -> dict[Any, Any] | None:
    """Return the lines that start some slots, and nothing else, where a rule of this entry stands.

    One line where there is a key for all of them, else one for each role.
    """
    for line in _keys(members, value):
        if _takes(Entry(entry.keys[:-1], line), below) == {*members}:
            return line
    roles: dict[Any, Any] = {}
    for role in dict.fromkeys(map(_role, members)):
        part = [slot for slot in members if _role(slot) == role]
        if role is None or _takes(Entry(entry.keys[:-1], {role: value}), below) != {*part}:
            return None
        roles[role] = value
    return roles


def _keys(members: Sequence[Slot], value: object) -> Iterator[dict[Any, Any]]:
    """Yield lines that may take these slots alone, the plainest first."""
    first = members[0]
    if len(members) == 1:
        yield {first.name: value}
    yield {first.key: value}
    yield {f"*.{first.key}": value}
    yield {_common([slot.name.split(".") for slot in members]): value}
    if (role := _role(first)) is not None:
        yield {role: value}
    if first.owner is not None:
        yield {f"type:{kind_of(first.owner).__name__}": {first.key: value}}
    if 1 < len(members) <= _FEW:
        yield {f"{{{','.join(slot.name for slot in members)}}}": value}


_FEW = 4  # names that a key lists


def _common(names: Sequence[Sequence[str]]) -> str:
    """Return the glob of names by the words that they begin and end with.

    >>> _common(["h.0.norm.weight".split("."), "h.1.norm.weight".split(".")])
    'h.*.norm.weight'
    """
    start = _same(names)
    end = _same([name[len(start) :][::-1] for name in names])[::-1]
    return ".".join([*start, "*", *end])


def _same(names: Sequence[Sequence[str]]) -> list[str]:
    """Return the words with which all of these begin."""
    columns = zip(*names, strict=False)
    return [words[0] for words in takewhile(lambda words: len({*words}) == 1, columns)]


_ROLES = ("bias", "norm weight", "norm bias", "slope", "weight")


def _role(slot: Slot) -> str | None:
    roles = (Role(role) for role in _ROLES)
    return next((role.spell() for role in roles if role.matches(slot, slot.name)), None)


def _takes(entry: Entry, slots: Sequence[Slot]) -> set[Slot]:
    try:
        table = RuleTable(read_rules(entry.table))
    except ReadError:  # a key need not be one in every scope
        return set()
    return {slot for slot in slots if _first(slot, table) is not None}


def scheme_value(scheme: Scheme) -> object:
    """Return a scheme as it stands in a table: a text, or a number."""
    text = scheme.spell()
    return int(text) if re.fullmatch(r"-?\d+", text) else text
