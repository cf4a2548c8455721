"""Lead from the names of one model to those of another, by a mapping or a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from ..errors import OptionError
from ..model import Slot
from ..rules import paths_above
from ..schemes import renamed
from ..spelling import did_you_mean

Rename: TypeAlias = "Mapping[str, str | None] | Callable[[str], str | None] | None"


def slot_names(slots: Sequence[Slot]) -> set[str]:
    """Return every name of slots."""
    return {n for slot in slots for n in (*slot.paths, *slot.canonicals)}


def read_rename(rename: Rename, names: Iterable[str]) -> Callable[[str], str | None]:
    """Return the function that ``rename`` stands for; its entries must lead from these names."""
    if rename is None:
        return lambda name: name
    if isinstance(rename, Mapping):
        _refuse_idle(rename, set(names))
        return lambda name: renamed(rename, name)
    if callable(rename):
        return rename
    raise OptionError(f"rename takes a mapping or a function, not {rename!r}", option="rename")


def _refuse_idle(table: Mapping[str, str | None], names: set[str]) -> None:
    heads = {"", *names, *(path for name in names for path in paths_above(name))}
    for entry in table:
        if entry not in heads:
            hint = did_you_mean(entry, heads)
            message = f"rename has {entry!r}, which is no name and no module here{hint}"
            raise OptionError(message, option="rename")
