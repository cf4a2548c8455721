"""Which parameters are written at all: ``only`` and ``protect``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from ..errors import IdleSelection, OptionError, Problem, affordable_hints, did_you_mean, shown
from ..model import Slot
from ..rules import Listing, paths_above
from .options import Selection
from .step import LEFT_OUT, PROTECTED, Step, Target


def read_selection(option: str, value: Selection) -> list[str] | None:
    """Return the checked entries of an option; None selects nothing in particular."""
    if value is None:
        return None
    takes = f"{option} takes names, globs and module paths"
    if not isinstance(value, Iterable):
        raise OptionError(f"{takes}, not {shown(value)}", option=option)
    entries: list[Any] = [value] if isinstance(value, str) else list(value)
    for entry in entries:
        if not isinstance(entry, str):
            what = f"a {type(entry).__name__}" if isinstance(entry, Tensor) else shown(entry)
            raise OptionError(f"{takes}, not {what}", option=option)
    return entries


def select(
    steps: Sequence[Step],
    targets: Sequence[Target],
    slots: Sequence[Slot],
    wanted: Sequence[str] | None,
    guarded: Sequence[str] | None,
) -> tuple[list[Step], list[Problem]]:
    """Leave out what ``only`` does not list wholly, and what ``protect`` touches."""
    problems = _idle_entries("only", wanted, slots) + _idle_entries("protect", guarded, slots)
    if wanted is None and guarded is None:
        return list(steps), problems
    inside, outside = Listing(wanted or ()), Listing(guarded or ())
    found = []
    for step, target in zip(steps, targets, strict=True):
        # One protected name protects the memory; to be written, all of its names must be wanted.
        if guarded and any(_listed(outside, names) for names in _all_names(target)):
            step = replace(step, status=PROTECTED)
        elif wanted is not None and not all(_listed(inside, n) for n in _all_names(target)):
            step = replace(step, status=LEFT_OUT)
        found.append(step)
    return found, problems


def listed_buffers(slots: Sequence[Slot], only: Sequence[str] | None) -> list[str]:
    """Return a line on the buffers that ``only`` lists by name, which rules do not start."""
    listed = set(only or ())
    held = [slot for slot in slots if slot.kind == "buffer"] if listed else []
    names = [slot.name for slot in held if not listed.isdisjoint((*slot.paths, *slot.canonicals))]
    if not names:
        return []
    why = "buffers keep their values (buffers=True lets rules start them)"
    return [f"listed in only, and left: {', '.join(names)}; {why}"]


def _all_names(target: Target) -> Iterator[tuple[str, str]]:
    """Yield every name of a target as the model shows it, with its canonical form."""
    for slot in target.slots:
        yield from zip(slot.paths, slot.canonicals, strict=True)


def _listed(listing: Listing, names: Iterable[str]) -> bool:
    return any(map(listing.matches, names))


def _idle_entries(
    option: str, entries: Sequence[str] | None, slots: Sequence[Slot]
) -> list[Problem]:
    if not entries:
        return []
    names = dict.fromkeys(n for slot in slots for n in (*slot.paths, *slot.canonicals))
    known = names | dict.fromkeys(path for name in names for path in paths_above(name))
    hints = affordable_hints(len(known))
    return [
        IdleSelection(
            f"{option} has {entry!r}, which matches no parameter, buffer or module"
            f"{did_you_mean(entry, known) if place < hints else ''}",
            rule=entry,
        )
        for place, entry in enumerate(
            e for e in Listing(entries).unmatched(names) if e not in known
        )
    ]
