"""Checkpoints that rules name: renames that lead nowhere, and what nothing is called after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from ..errors import FileError, IdleRule, Problem, visible
from ..files import stored_tensors
from ..model import ModelView
from ..rules import Clause
from ..schemes import Pretrained
from ..spelling import did_you_mean

_MOST_NAMED = 5


def idle_renames(clauses: Sequence[Clause], view: ModelView) -> list[Problem]:
    """Return a problem for every entry of a ``rename`` under which the model has nothing."""
    return [
        IdleRule(
            f"rename={{{old!r}: {new!r}}} leads from nothing: the model has no parameter or module "
            f"{old!r}{did_you_mean(old, places)}",
            rule=clause.label,
        )
        for clause, scheme in _checkpoints(clauses)
        if (places := _places(view))
        for old, new in scheme.rename
        if old and old not in places
    ]


def left_in_files(clauses: Sequence[Clause], view: ModelView) -> list[str]:
    """Return a remark for every checkpoint that holds what the model has no name for."""
    names = [name for slot in view.slots for name in (*slot.paths, *slot.canonicals)]
    left: dict[str, set[str]] = {}
    for _, scheme in _checkpoints(clauses):
        try:
            held = {key for key in stored_tensors(scheme.path) if key.startswith(scheme.prefix)}
        except FileError:  # which is a problem of whatever the rule is for
            continue
        here = held.difference(map(scheme.key, names))
        left[scheme.path] = left.get(scheme.path, here) & here
    return [_told(path, sorted(keys)) for path, keys in left.items() if keys]


def _checkpoints(clauses: Sequence[Clause]) -> Iterator[tuple[Clause, Pretrained]]:
    for clause in clauses:
        if isinstance(clause.scheme, Pretrained):
            yield clause, clause.scheme


def _places(view: ModelView) -> set[str]:
    """Return the names of all parameters and buffers, and of the modules that lead to them."""
    names = (name.split(".") for slot in view.slots for name in (*slot.paths, *slot.canonicals))
    return {place for parts in names for place in accumulate(parts, "{}.{}".format)}


def _told(path: str, keys: Sequence[str]) -> str:
    some = ", ".join(map(visible, keys[:_MOST_NAMED])) + ", ..." * (len(keys) > _MOST_NAMED)
    what = "a tensor" if len(keys) == 1 else f"{len(keys)} tensors"
    return f"{visible(path)} holds {what} that nothing in the model is called after: {some}"
