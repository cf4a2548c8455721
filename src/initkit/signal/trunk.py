"""The trunk of a model: the outputs of its repeated block, or of its most used layer, by depth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ..errors import OptionError
from ..numbers import Value, frozen
from ..rules import Listing
from ..spelling import did_you_mean
from .laws import Law, fit_law
from .operations import LOOKUPS
from .points import Point

_CONTAINERS = frozenset(("Sequential", "ModuleList", "ModuleDict"))
_LOOKUPS = LOOKUPS | {"Embedding", "EmbeddingBag"}


@frozen
class Trunk(Value):
    """The trunk: its points in order of depth, and the laws that signal and gradient follow.

    ``backward`` follows the gradient from the last point to the first; None where a point has none.
    """

    names: tuple[str, ...]
    signal: tuple[float, ...]
    gradient: tuple[float | None, ...]
    forward: Law | None
    backward: Law | None


def find_trunk(points: Sequence[Point], chosen: str | Iterable[str] | None = None) -> list[Point]:
    """Return the points of the trunk, in order of execution.

    ``chosen`` are names, globs or paths. Raises :class:`OptionError` where they match no point.
    """
    if chosen is not None:
        entries = [chosen] if isinstance(chosen, str) else list(chosen)
        found = [p for p in points if any(_matches(entry, p.name) for entry in entries)]
        if not found:
            hint = did_you_mean(entries[0], {p.name for p in points}) if entries else ""
            raise OptionError(f"trunk={chosen!r} matches no point{hint}", option="trunk")
        return found
    return _blocks(points) or _layers(points)


def read_trunk(points: Sequence[Point]) -> Trunk:
    """Return signal and gradient along some points, and their laws."""
    signal = tuple(p.rms if not p.nonfinite else float("inf") for p in points)
    gradient = tuple(p.gradient for p in points)
    held = [g for g in reversed(gradient) if g is not None]
    backward = fit_law(held) if len(held) == len(points) else None
    return Trunk(tuple(p.name for p in points), signal, gradient, fit_law(signal), backward)


def _matches(entry: str, name: str) -> bool:
    # The whole name: a module's path stands for its own output, and not for those inside it.
    return Listing([entry]).matches(name) and (entry == name or "*" in entry or "[" in entry)


def _blocks(points: Sequence[Point]) -> list[Point]:
    """Return the class of modules most of which were given the output of one of their own."""
    inner = [p for p in points if not p.leaf and p.name]
    # A container is a block where no class of its own is: a sequence of sequences.
    return _chained([p for p in inner if p.kind not in _CONTAINERS]) or _chained(inner)


def _chained(points: Sequence[Point]) -> list[Point]:
    groups: dict[str, list[Point]] = defaultdict(list)
    for p in points:
        groups[p.kind].append(p)
    best: list[Point] = []
    for group in groups.values():
        chained = sum(p.chained for p in group)
        if 2 * chained >= max(len(group) - 1, 1) and chained > sum(p.chained for p in best):
            best = group
    return best


def _layers(points: Sequence[Point]) -> list[Point]:
    """Return the kind of layer with weights that was used most."""
    groups: dict[str, list[Point]] = defaultdict(list)
    for p in points:
        if p.parameters and p.leaf and p.kind not in _LOOKUPS:
            groups[p.kind].append(p)
    return max(groups.values(), key=len, default=[])
