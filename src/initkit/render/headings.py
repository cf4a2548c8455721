"""Names of a table below the module that they are in, where whole names are too long for it."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .text import lines_of_name, name_pieces

INDENT = "  "
_SHORT = 8  # letters of a module's name that is not worth a line
Headed = tuple[list[str], dict[int, str]]


def headed(names: Sequence[str], width: int, room: int = 0) -> Headed:
    """Return names without the module that several in a row are in, and that above the first.

    A module has no more than ``width`` letters. Names and modules take the fewest lines that they
    can, with names of ``room`` letters in a line; of ways that take as many the one with the fewest
    broken names, then that which saves most letters.

    >>> headed(["embed.weight", "encoder.layers.up.weight", "encoder.layers.up.bias", "head"], 80)
    (['embed.weight', '  weight', '  bias', 'head'], {1: 'encoder.layers.up'})
    """
    ways = [list(_modules(name)) for name in names]
    # From the last name on: what the best way costs from each, its module, and where that ends.
    best: list[tuple[_Cost, str, int]] = [(_Cost(), "", len(names))]
    for at in reversed(range(len(names))):
        able = (module for module in ways[at] if _SHORT < len(module) <= width)
        runs = {module: end for module in able if (end := _run(ways, at, module)) > at + 1}
        best.append(
            min(
                (_cost(names[at:end], module, room) + best[len(names) - end][0], module, end)
                for module, end in {"": at + 1, **runs}.items()
            )
        )
    shown, above, at = list(names), dict[int, str](), 0
    while at < len(names):
        _, module, end = best[len(names) - at]
        if module:
            above[at] = module.removesuffix(".")
            shown[at:end] = [INDENT + name[len(module) :] for name in names[at:end]]
        at = end
    return shown, above


class _Cost(NamedTuple):
    lines: int = 0
    broken: int = 0
    letters: int = 0

    def __add__(self, other: tuple[int, ...]) -> _Cost:  # type: ignore[override]
        return _Cost(*map(operator.add, self, other))


def _cost(names: Sequence[str], module: str, room: int) -> _Cost:
    """Return what names below a module cost, or without one by themselves."""
    shown = [INDENT + name[len(module) :] if module else name for name in names]
    lines = [lines_of_name(name, room) for name in shown]
    letters = len(module) + sum(map(len, shown))
    return _Cost(bool(module) + sum(lines), sum(n > 1 for n in lines), letters)


def _modules(name: str) -> Iterator[str]:
    """Yield the modules that a name is in, from the outermost, each with its dot."""
    path = ""
    for piece in name_pieces(name)[:-1]:
        path += piece
        if not path.endswith("."):
            return  # what follows is no part of the name
        yield path


def _run(ways: Sequence[Sequence[str]], start: int, module: str) -> int:
    """Return where the run of names that are in a module ends."""
    end = start
    while end < len(ways) and module in ways[end]:
        end += 1
    return end
