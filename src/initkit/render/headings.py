"""Names of a table below the module that they are in, where whole names are too long for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .text import name_pieces

INDENT = "  "
_SHORT = 8  # letters of a module's name that is not worth a line
Headed = tuple[list[str], dict[int, str]]


def headed(names: Sequence[str], width: int) -> Headed:
    """Return names without the module that several in a row are in, and that above the first.

    A module has no more than ``width`` letters.

    >>> headed(["embed.weight", "encoder.layers.up.weight", "encoder.layers.up.bias", "head"], 80)
    (['embed.weight', '  weight', '  bias', 'head'], {1: 'encoder.layers.up'})
    """
    ways = [list(_modules(name)) for name in names]
    shown, above, at = list(names), dict[int, str](), 0
    while at < len(names):
        able = (module for module in ways[at] if _SHORT < len(module) <= width)
        runs = {module: _run(ways, at, module) for module in able}
        # What a module saves are its letters, once in every name but the one that it costs.
        best = max(runs, key=lambda module: len(module) * (runs[module] - 1), default="")
        count = runs.get(best, 1)
        if count > 1:
            above[at] = best.removesuffix(".")
            for place in range(at, at + count):
                shown[place] = INDENT + names[place][len(best) :]
        at += count if at in above else 1
    return shown, above


def _modules(name: str) -> Iterator[str]:
    """Yield the modules that a name is in, from the outermost, each with its dot."""
    path = ""
    for piece in name_pieces(name)[:-1]:
        path += piece
        if not path.endswith("."):
            return  # what follows is no part of the name
        yield path


def _run(ways: Sequence[Sequence[str]], start: int, module: str) -> int:
    end = start
    while end < len(ways) and module in ways[end]:
        end += 1
    return end - start
