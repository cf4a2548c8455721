"""Checkpoints that rules name: renames that lead nowhere, and what nothing is called after."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from ..errors import FileError, IdleRule, Problem, first_few, visible
from ..files import stored_tensors
from ..model import ModelView
from ..rules import Clause
from ..schemes import Pretrained
from ..spelling import did_you_mean

_MOST_NAMED = 5


class Beside(NamedTuple):
    """What is wrong with the checkpoints that rules name, and what they hold beside the model."""

    problems: Sequence[Problem] = ()
    notes: Sequence[str] = ()


def beside_the_model(clauses: Sequence[Clause], view: ModelView) -> Beside:
    """Return a problem for every idle entry of a ``rename``, and a remark for every file.

    An entry is idle under which the model has nothing; told is what the model has no name for.
    """
    found = [
        (clause, scheme)
        for clause in clauses
        for scheme in clause.scheme.walk()
        if isinstance(scheme, Pretrained)
    ]
    if not found:
        return Beside()
    names = {name for slot in view.slots for name in (*slot.paths, *slot.canonicals)}
    places = {place for name in names for place in accumulate(name.split("."), "{}.{}".format)}
    problems = [
        IdleRule(
            f"rename={{{old!r}: {new!r}}} leads from nothing: the model has no parameter or module "
            f"{old!r}{did_you_mean(old, places)}",
            rule=clause.label,
        )
        for clause, scheme in found
        for old, new in scheme.rename
        if old and old not in places
    ]
    left: dict[str, set[str]] = {}
    for _, scheme in found:
        try:
            held = {key for key in stored_tensors(scheme.path) if key.startswith(scheme.prefix)}
        except FileError:  # which is a problem of whatever the rule is for
            continue
        here = held.difference(map(scheme.key, names))
        left[scheme.path] = left.get(scheme.path, here) & here
    return Beside(problems, [_told(path, sorted(keys)) for path, keys in left.items() if keys])


def _told(path: str, keys: Sequence[str]) -> str:
    what = "a tensor" if len(keys) == 1 else f"{len(keys)} tensors"
    some = first_few(keys, _MOST_NAMED)
    return visible(f"{path} holds {what} that nothing in the model is called after: {some}")
