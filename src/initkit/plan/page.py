"""What a page of HTML has of a plan beyond its text: what opens, filters, and rules to copy."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from ..distributions import Joint
from ..render import Fold, Grid, Mark, split_name
from .folding import variants
from .step import UNCOVERED, UNEXPLAINED, WRITE, Step

_MOST_LETTERS = 2_500_000  # of names on a page that stays below five megabytes
_MOST_SEARCHED = 300  # lines whose globs are compared with all names


def opener(folds: Sequence[Fold[Step]]) -> Callable[[Fold[Step]], Sequence[str]]:
    """Return what a line of a page opens to: its names, under what they differ in.

    Where all names would be too many for a page, the labels that hold them.
    """
    letters = sum(len(step.name) for fold in folds for step in fold.rows)
    each = letters <= _MOST_LETTERS

    def inside(fold: Fold[Step]) -> list[str]:
        lines = []
        for said, alike in variants(fold) if len(fold) > 1 else ():
            lines += [said] if said else []
            names = [name for one in alike for name in (one.names if each else one.labels)]
            lines += sorted(names, key=lambda name: split_name(name)[1]) if each else names
        return lines

    return inside


def mark(folds: Sequence[Fold[Step]], kinds: Mapping[str, str]) -> Callable[[Fold[Step]], Mark]:
    """Return what tells of each line its filters and the rule that it copies as."""
    names = "\n".join(name for f in folds for step in f.rows for name in step.names)
    # Each glob is looked for in all names; of very many lines the exact pattern is written.
    searched = names if len(folds) <= _MOST_SEARCHED else None

    def told(fold: Fold[Step]) -> Mark:
        step = fold.first
        states = {
            "uncovered": step.status in (UNCOVERED, UNEXPLAINED),
            "frozen": step.frozen,
            "tied": len(step.names) > 1,
        }
        return Mark(
            kinds.get(step.name) or step.name.rpartition(".")[2],
            [state for state, holds in states.items() if holds],
            *_copied(fold, searched),
        )

    return told


def _copied(fold: Fold[Step], names: str | None) -> tuple[str, str]:
    """Return the value of the rule that starts what a line of a page stands for, and its key.

    The key is "" where it is the name in quotes; both are where no rule can.
    """
    step = fold.first
    if isinstance(step.distribution, Joint):
        # A rule over several starts all of them, or none.
        return ("", "") if ": " in step.rule else (_value(step), repr(step.rule))
    key = repr(key_of(fold, names))
    return _value(step), "" if key == f"'{fold.label}'" else key


def key_of(fold: Fold[Step], names: str | None) -> str:
    """Return the key of a rule that matches what a line stands for, and nothing else.

    ``names`` are all names, one a line: a glob will do where it finds no other.
    """
    glob = "*".join(fold.texts) if len(fold) > 1 else fold.first.name
    if len(fold) == 1:
        return glob
    pattern = ".*".join(map(re.escape, fold.texts))
    if names is not None and len(re.findall(f"^{pattern}$", names, re.MULTILINE)) == len(fold):
        return glob
    return "re:" + "|".join(_pattern(fold.texts, grid) for grid in fold.grids)


def _pattern(texts: Sequence[str], grid: Grid) -> str:
    choices = ([re.escape(str(part)) for part in gap] for gap in grid)
    gaps = [each[0] if len(each) == 1 else f"({'|'.join(each)})" for each in choices]
    return "".join(map("".join, zip(map(re.escape, texts), (*gaps, ""), strict=True)))


def _value(step: Step) -> str:
    """Return the scheme as a rule table has it: a number, or a text."""
    scheme = step.scheme if step.status == WRITE else "keep"
    try:
        float(scheme)
    except ValueError:
        return repr(scheme)
    return scheme
