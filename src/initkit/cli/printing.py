"""What commands print: JSON for programs, or text that fits the terminal."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..errors import visible
from ..plan import plain_data
from ..rules import Recipe


class Output(NamedTuple):
    """What a command found: data, text that is made where it is wanted, and whether all is well."""

    data: Any
    text: Callable[[], str]
    ok: bool = True


def print_output(output: Output, *, as_json: bool) -> None:
    """Print what a command found."""
    if as_json:
        # JSON has no infinities, and other types (paths, formulas) are shown as their text.
        print(json.dumps(plain_data(output.data), indent=1, default=str))
    else:
        print(output.text())


def recipe_text(recipe: Recipe) -> str:
    """Show a recipe in lines of the terminal's width, long rules on lines of their own."""
    head, rows = str(recipe).splitlines(), [tuple(map(visible, row)) for row in recipe.rows]
    lines = [
        line
        # A recipe's text ends in one line per rule; those are laid out below.
        for text in head[: len(head) - len(rows)]
        for line in textwrap.wrap(text, page_width(), subsequent_indent=" " * 10)
    ]
    for rule, scheme in rows:
        short = f"  {rule}  {scheme}"
        wide = textwrap.wrap(scheme, page_width() - 6) or [""]
        long = [f"  {rule}", *(f"      {line}" for line in wide)]
        lines += [short] if len(short) <= page_width() else long
    return "\n".join(lines)


def page_width() -> int:
    """Return how many columns the terminal has."""
    return shutil.get_terminal_size((80, 24)).columns


def two_columns(rows: Sequence[tuple[str, str]]) -> str:
    """Lay out names and texts, the texts folded beside or, where names are long, below them."""
    left = min(max((len(name) for name, _ in rows), default=0), 24) + 2
    lines = []
    for name, text in rows:
        folded = textwrap.wrap(text, max(page_width() - left, 30)) or [""]
        # At least one space must stand between the two.
        first = folded.pop(0) if len(name) < left - 1 else ""
        lines.append(f"{name:<{left}}{first}".rstrip())
        lines += [" " * left + line for line in folded]
    return "\n".join(lines)


def coloured(text: str, ok: bool) -> str:
    """Colour the first line, on a terminal that wants it."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    first, _, rest = text.partition("\n")
    return f"\x1b[{32 if ok else 31}m{first}\x1b[0m\n{rest}"
