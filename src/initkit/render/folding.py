"""Rows whose names differ in numbers alone fold into one line, and unfold into all of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeAlias, TypeVar

R = TypeVar("R")
Numbers: TypeAlias = tuple[int, ...]

# A number as it is counted: of "007" nothing, since 7 would not bring it back.
_NUMBER = re.compile(r"(?<![0-9])(0|[1-9][0-9]*)(?![0-9])")


@dataclass(frozen=True, eq=False)
class Fold(Generic[R]):
    """Rows that one line stands for.

    ``texts`` are the pieces of their names between numbers, ``numbers`` what stands in each gap;
    the names are all combinations, and ``rows`` are in their order.

    >>> fold = fold_rows(["h.0.w", "h.1.w", "h.2.w"], name=str, key=len)[0]
    >>> fold.label, fold.names
    ('h.{0..2}.w', ['h.0.w', 'h.1.w', 'h.2.w'])
    """

    texts: tuple[str, ...]
    numbers: tuple[Numbers, ...]
    rows: tuple[R, ...]

    @cached_property
    def label(self) -> str:
        """The names in one text, such as ``h.{0..47}.attn.{1,3}.weight``."""
        return self._joined(tuple(map(_span, self.numbers)))

    @property
    def names(self) -> list[str]:
        """The names of the rows, made anew from the pieces."""
        return [self._joined(tuple(map(str, n))) for n in itertools.product(*self.numbers)]

    @property
    def first(self) -> R:
        """The first row; what all have in common may be read off it."""
        return self.rows[0]

    def __len__(self) -> int:
        return len(self.rows)

    def _joined(self, between: tuple[str, ...]) -> str:
        return "".join(map("".join, zip(self.texts, (*between, ""), strict=True)))


def fold_rows(
    rows: Sequence[R], *, name: Callable[[R], str], key: Callable[[R], Hashable]
) -> list[Fold[R]]:
    """Fold rows that have one ``key``, and whose names differ in numbers alone.

    Each row is in exactly one fold, and folds come in the order of their first rows. Where the
    numbers form no grid (three blocks in one stage, four in another), several folds cover them.

    >>> names = ["a.0.w", "a.0.b", "a.1.w", "a.1.b", "head"]
    >>> [fold.label for fold in fold_rows(names, name=str, key=lambda _: None)]
    ['a.{0,1}.w', 'a.{0,1}.b', 'head']
    """
    groups: dict[Hashable, dict[Numbers, tuple[int, R]]] = {}
    for place, row in enumerate(rows):
        texts, numbers = split_name(name(row))
        group = groups.setdefault((texts, key(row)), {})
        if numbers in group:  # a second row of this name is a group by itself
            group = groups.setdefault((texts, key(row), place), {})
        group[numbers] = place, row
    folds: list[tuple[int, Fold[R]]] = []
    for (texts, *_), group in groups.items():  # type: ignore[misc]
        for box in _boxes(list(group)):
            inside = [group[numbers] for numbers in itertools.product(*box)]
            fold = Fold(texts, box, tuple(row for _, row in inside))
            folds.append((min(place for place, _ in inside), fold))
    return [fold for _, fold in sorted(folds, key=lambda entry: entry[0])]


def split_name(name: str) -> tuple[tuple[str, ...], Numbers]:
    """Return the texts of a name between its numbers, and the numbers.

    >>> split_name("h.10.conv1.weight")
    (('h.', '.conv', '.weight'), (10, 1))
    """
    pieces = _NUMBER.split(name)
    return tuple(pieces[::2]), tuple(map(int, pieces[1::2]))


def _boxes(points: Sequence[Numbers]) -> Iterator[tuple[Numbers, ...]]:
    """Yield grids of numbers that cover the points, each once."""
    # What all have in common goes first, so that the depth below grows with their number alone.
    common = next(
        (i for i, numbers in enumerate(zip(*points, strict=True)) if len(set(numbers)) > 1),
        len(points[0]),
    )
    head = tuple((number,) for number in points[0][:common])
    if common:
        points = [numbers[common:] for numbers in points]
    for box in _apart(points):
        yield (*head, *box)


def _apart(points: Sequence[Numbers]) -> Iterator[tuple[Numbers, ...]]:
    """Yield grids that cover points whose first numbers differ."""
    if len(points[0]) < 2:  # nothing, or one row of numbers, is a grid as it is
        yield tuple(tuple(sorted(numbers)) for numbers in zip(*points, strict=True))
        return
    # First numbers behind which the same points follow make one grid, or several, together.
    tails: dict[int, list[Numbers]] = {}
    for first, *rest in points:
        tails.setdefault(first, []).append(tuple(rest))
    alike: dict[frozenset[Numbers], list[int]] = {}
    for first, rests in tails.items():
        alike.setdefault(frozenset(rests), []).append(first)
    for rest_set, firsts in alike.items():
        for box in _boxes(sorted(rest_set)):
            yield (tuple(sorted(firsts)), *box)


def _span(numbers: Numbers) -> str:
    """Return numbers as a label shows them: ``7``, ``{0,2}``, ``{0..3,5}``."""
    if len(numbers) == 1:
        return str(numbers[0])
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    shown = (f"{run[0]}..{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs)
    return "{" + ",".join(shown) + "}"
