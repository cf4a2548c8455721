"""What commands print: JSON for programs, or text that fits the terminal."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..errors import visible
from ..plan import PLAN_FORMAT, Plan, plain_data
from ..render import Line, lines_of, show, terminal_width
from ..rules import Recipe
from ..wording import Argument, Entry


class Output(NamedTuple):
    """What a command found: data, text that is made where it is wanted, and whether all is well."""

    data: Any
    text: Callable[[], str | Sequence[Line]]
    ok: bool = True


def print_output(output: Output, *, as_json: bool) -> None:
    """Print what a command found."""
    if as_json:
        # JSON has no infinities, and other types (paths, formulas) are shown as their text.
        print(json.dumps(plain_data(output.data), indent=1, default=str))
    else:
        text = output.text()
        show(lines_of(text) if isinstance(text, str) else text)


def plan_data(plan: Plan) -> dict[str, Any]:
    """Return a plan as data from which ``initkit diff`` reads it again."""
    lists = {"rules": list(plan.rules), "idle": list(plan.idle)}
    problems = [str(problem) for problem in plan.problems]
    head = {"format": PLAN_FORMAT, "digest": plan.digest(), **lists}
    return head | plan.to_dict() | {"problems": problems}


def shell_text(written: object) -> object:
    """Return what was written as one writes it on the command line.

    >>> print(shell_text(Argument("only", ["head.weight", "*.bias"])))
    --only head.weight --only '*.bias'
    """
    match written:
        case Argument(name=name, value=str() | list() as value):
            values = value if isinstance(value, list) else [value]
            return " ".join(f"--{name} {shlex.quote(str(one))}" for one in values)
        case Entry(keys=(), value=str() as text):
            return f"--rules {shlex.quote(text)}"
    return written


def recipe_text(recipe: Recipe) -> str:
    """Show a recipe in lines of the terminal's width, long rules on lines of their own."""
    head, rows = str(recipe).splitlines(), [tuple(map(visible, row)) for row in recipe.rows]
    lines = [
        line
        # A recipe's text ends in one line per rule; those are laid out below.
        for text in head[: len(head) - len(rows)]
        for line in textwrap.wrap(text, terminal_width(), subsequent_indent=" " * 10)
    ]
    for rule, scheme in rows:
        short = f"  {rule}  {scheme}"
        wide = textwrap.wrap(scheme, terminal_width() - 6) or [""]
        long = [f"  {rule}", *(f"      {line}" for line in wide)]
        lines += [short] if len(short) <= terminal_width() else long
    return "\n".join(lines)


def two_columns(rows: Sequence[tuple[str, str]]) -> str:
    """Lay out names and texts, the texts folded beside or, where names are long, below them."""
    left = min(max((len(name) for name, _ in rows), default=0), 24) + 2
    lines = []
    for name, text in rows:
        folded = textwrap.wrap(text, max(terminal_width() - left, 30)) or [""]
        # At least one space must stand between the two.
        first = folded.pop(0) if len(name) < left - 1 else ""
        lines.append(f"{name:<{left}}{first}".rstrip())
        lines += [" " * left + line for line in folded]
    return "\n".join(lines)


def judged(text: str, ok: bool) -> list[Line]:
    """Return the lines of a text, the first in the colour of its verdict."""
    first, _, rest = text.partition("\n")
    return [Line(first, "good" if ok else "error"), *lines_of(rest)]
