"""Ties whose names differ in numbers alone, in step with each other, become one line."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from .folding import Fold, Gap, Grid, fold_rows, split_name

R = TypeVar("R")
MOST_PLACES = 4  # names of one tie that are told each by itself


@dataclass(frozen=True, slots=True)
class TieFold(Generic[R]):
    """Ties that one line stands for: their places, each of one name or more in every tie.

    ``labels`` say the names of each place in one text, ``names`` them all, tie by tie.

    >>> ties = [[f"enc.{i}.w", f"dec.{i + 1}.w"] for i in range(6)]
    >>> (fold,) = fold_ties(ties, places=one_place_a_name, key=len)
    >>> fold.labels, len(fold.rows)
    (('enc.{0..5}.w', 'dec.{1..6}.w'), 6)
    """

    labels: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    rows: tuple[R, ...]

    @property
    def first(self) -> R:
        """The first tie."""
        return self.rows[0]

    @property
    def told(self) -> str:
        """How many ties of how many names these are, where the labels alone do not say it."""
        ties, each = len(self.rows), sum(map(len, self.names)) // len(self.rows)
        if ties == 1 and each == len(self.labels):
            return ""
        return f"{ties} tie{'s' * (ties > 1)} of {each} names"

    def each(self, place: int) -> int:
        """Return how many names every tie has at a place."""
        return len(self.names[place]) // len(self.rows)


def one_place_a_name(names: Sequence[str]) -> list[Fold[str]]:
    """Return the places of a tie of few names."""
    return [Fold.single(name, name) for name in names]


def places_of_names(names: Sequence[str]) -> list[Fold[str]]:
    """Return the places of a tie; of many names, those that differ in numbers alone are one.

    >>> [fold.label for fold in places_of_names([f"h.{i}.w" for i in range(24)])]
    ['h.{0..23}.w']
    """
    if len(names) <= MOST_PLACES:
        return one_place_a_name(names)
    return fold_rows(names, name=str, key=lambda _: None, ragged=True)


def fold_ties(
    ties: Sequence[R],
    *,
    places: Callable[[R], Sequence[Fold[str]]],
    key: Callable[[R], Hashable],
) -> list[TieFold[R]]:
    """Fold ties of one ``key`` whose names count in step: ``a.0 = b.0`` with ``a.1 = b.1``.

    Those that cross, as ``a.0 = b.1`` and ``a.1 = b.0`` do, stay apart. What ``places`` folds is
    many names of one tie.
    """
    held = {id(tie): list(places(tie)) for tie in ties}
    folds = fold_rows(
        ties,
        name=lambda tie: held[id(tie)][0].label,
        key=lambda tie: (key(tie), *_in_step([fold.label for fold in held[id(tie)]])),
        ragged=True,
    )
    return [_line(fold, [held[id(tie)] for tie in fold.rows]) for fold in folds]


def _in_step(labels: Sequence[str]) -> tuple[Hashable, ...]:
    """Return what labels say but for the numbers in which all of them may count on together."""
    first, *others = ([*map(int, gaps)] for _, gaps in map(split_name, labels))
    return (
        *(texts for texts, _ in map(split_name, labels)),
        *(tuple(_steps(first, other)) for other in others),
        # What is many in one tie is the same in all.
        *(tuple(_MANY.findall(label)) for label in labels),
    )


_MANY = re.compile(r"\{[^}]*\}")


def _steps(first: Sequence[int], other: Sequence[int]) -> list[int]:
    """Return how far numbers are from those of the first name, the last from the last."""
    known = [0] * (len(other) - len(first)) + [*first[max(len(first) - len(other), 0) :]]
    return [mine - number for mine, number in zip(other, known, strict=True)]


def _line(fold: Fold[R], ties: Sequence[Sequence[Fold[str]]]) -> TieFold[R]:
    names = tuple(
        tuple(name for place in column for name in place.names)
        for column in zip(*ties, strict=True)
    )
    return TieFold(tuple(_labels(fold, ties[0])), names, fold.rows)


def _labels(fold: Fold[R], places: Sequence[Fold[str]]) -> list[str]:
    """Return a label a place, whose numbers run as those of the first do."""
    numbers = split_name(places[0].label)[1]
    labels = []
    for place in places:
        texts, mine = split_name(place.label)
        grids = tuple(_moved(grid, numbers, mine) for grid in fold.grids)
        labels.append(replace(fold, texts=texts, grids=grids).label)
    return labels


def _moved(grid: Grid, numbers: Sequence[int], mine: Sequence[int]) -> Grid:
    """Return the gaps of the first place as they are at another, the last for the last.

    ``numbers`` and ``mine`` are those of one tie at the two places.
    """
    ahead = len(mine) - len(numbers)
    moved: list[Gap] = [(number,) for number in mine[: max(ahead, 0)]]
    for i, number in enumerate(mine[len(moved) :], len(moved) - ahead):
        moved.append(tuple(int(n) + number - numbers[i] for n in grid[i]))
    return tuple(moved)
