"""The line of a user's own rule, as its author wrote it, for errors to show."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from ..errors import Problem
from ..rules import Clause
from ..wording import Entry, python_text, worth_showing

P = TypeVar("P", bound=Problem)


class InFront(NamedTuple):
    """A line of a table that goes before all others."""

    entry: Entry

    def __str__(self) -> str:
        return f"[{python_text(self.entry.table)}, ...]"


IN_FRONT = "  in front of your other rules"
"""What stands behind such a line."""


def own_line(clause: Clause) -> Entry | None:
    """Return the line of a rule of the user's; None for a recipe's, and for what is very long.

    A file without a name is a table of the user's.
    """
    own = clause.recipe is None or not clause.recipe.general
    return clause.entry if own and worth_showing(clause.entry) else None


def as_in_file(problem: P, clause: Clause) -> P:
    """Return the problem of a rule, spelt as the file that it was read from spells rules."""
    if clause.recipe is None or not (path := clause.recipe.file):
        return problem
    from ..rules.recipe_files import file_text  # late: most programs read no file

    return problem.respelled(lambda line: file_text(line, path))
