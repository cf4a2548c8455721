"""The line of a user's own rule, as its author wrote it, for errors to show."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from ..errors import Correction, Problem
from ..python_text import python_text
from ..rules import Clause, read_rules
from ..schemes import is_scheme_table
from ..wording import Entry, mended, worth_showing

P = TypeVar("P", bound=Problem)


class InFront(NamedTuple):
    """A line of a table that goes before all others."""

    entry: Entry

    def __str__(self) -> str:
        return f"[{python_text(self.entry.table)}, rules]"


IN_FRONT = "  with your rules as they are"
"""What stands behind such a line where it says something new."""
MOVED = "  and drop the old line"
"""What stands behind one that takes another's place, which would decide nothing where it is."""


def own_line(clause: Clause) -> Entry | None:
    """Return the line of a rule of the user's; None for a recipe's, and for what is very long.

    A file without a name is a table of the user's.
    """
    own = clause.recipe is None or not clause.recipe.general
    return clause.entry if own and worth_showing(clause.entry) else None


def without_lines(rules: Any, keys: Collection[tuple[Any, ...]]) -> Any:
    """Return rules without the lines under some keys, each from the outermost in.

    >>> without_lines([{"a": {"b": 0, "c": 1}}, "resnet"], [("a", "b")])
    [{'a': {'c': 1}}, 'resnet']
    """
    return _left(rules, keys, ())


def _left(part: Any, keys: Collection[tuple[Any, ...]], above: tuple[Any, ...]) -> Any:
    if isinstance(part, Mapping) and not is_scheme_table(part):
        lines = ((key, (*above, key), value) for key, value in part.items())
        return {key: _left(value, keys, at) for key, at, value in lines if at not in keys}
    return [_left(one, keys, above) for one in part] if type(part) is list else part


def as_in_file(problem: P, clause: Clause) -> P:
    """Return the problem of a rule, spelt as the file that it was read from spells rules."""
    if clause.recipe is None or not (path := clause.recipe.file):
        return problem
    from ..rules.recipe_files import file_text  # late: most programs read no file

    if problem.shown is not None and isinstance(problem.shown.mended, InFront):
        first = "  as the first of " + ("[rules]" if path.endswith(".toml") else '"rules"')
        moved = "; drop the old line" if problem.shown.behind == MOVED else ""
        problem.shown = replace(problem.shown, behind=f"{first}{moved}")
    return problem.respelled(lambda line: file_text(line, path))


def with_own_lines(problems: Iterable[P], clauses: Sequence[Clause]) -> list[P]:
    """Return problems, each with the line of the rule that it names, where it shows none yet.

    Two rules of one label are none: nobody knows which of them it names.
    """
    found = list(problems)
    by_label: dict[str, list[Clause]] = {}
    for clause in clauses if found else ():
        by_label.setdefault(clause.label, []).append(clause)
    for problem in found:
        named = by_label.get(problem.rule, ())
        if problem.shown is None and len(named) == 1 and (entry := own_line(named[0])) is not None:
            form = mended(entry, problem, lambda form: read_rules(form.table))
            problem.shown = Correction(entry, form)
            as_in_file(problem, named[0])
    return found
