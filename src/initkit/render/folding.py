"""Rows whose names differ in numbers, or in a word, fold into one line and unfold into all."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from .odd import lines_apart, out_of_step
from .ranges import common_start, numbers_in, template

R = TypeVar("R")
Numbers: TypeAlias = tuple[int, ...]
Gap: TypeAlias = tuple[int, ...] | tuple[str, ...]
Grid: TypeAlias = tuple[Gap, ...]
"""Which numbers, or which words, stand in each gap of a name, in every combination."""
Word: TypeAlias = tuple[str, ...]
"""What stands between two dots of a name, cut at its gaps: ``("conv", "")`` for ``conv{1,2}``."""

# A number as it is counted: of "007" nothing, since 7 would not bring it back.
# Nor of one that is longer than any count is.
_NUMBER = re.compile(r"(?<![0-9])(0|[1-9][0-9]{0,17})(?![0-9])")


@dataclass(frozen=True, eq=False)
class Fold(Generic[R]):
    """Rows that one line stands for.

    ``texts`` are the pieces of their names between gaps, each of ``grids`` what stands in the gaps;
    the names are all combinations, grid by grid, and ``rows`` are in their order.

    >>> fold = fold_rows(["h.0.w", "h.1.w", "h.2.w"], name=str, key=len)[0]
    >>> fold.label, fold.names
    ('h.{0..2}.w', ['h.0.w', 'h.1.w', 'h.2.w'])
    """

    texts: tuple[str, ...]
    grids: tuple[Grid, ...]
    rows: tuple[R, ...]

    @classmethod
    def single(cls, name: str, row: R) -> Fold[R]:
        """Return the fold of one row."""
        return cls((name,), ((),), (row,))

    @cached_property
    def label(self) -> str:
        """The names in one text, such as ``h.{0..47}.attn.{1,3}.weight``; of many words a few.

        Of several grids the numbers of the first gap that differs; those behind it depend on it,
        and are ``*``.
        """
        gaps = [dict.fromkeys(gap) for gap in zip(*self.grids, strict=True)]
        first = next((i for i, gap in enumerate(gaps) if len(gap) > 1), len(gaps))
        return self._joined(
            [
                "*" if len(gap) > 1 and i > first else _span(_union(gap), _MOST_TOLD)
                for i, gap in enumerate(gaps)
            ]
        )

    @property
    def labels(self) -> list[str]:
        """The names in one text a grid; together they are the names, and no others."""
        return [self._joined([_span(numbers) for numbers in grid]) for grid in self.grids]

    @property
    def names(self) -> list[str]:
        """The names of the rows, made anew from the pieces."""
        found = (parts for grid in self.grids for parts in itertools.product(*grid))
        return [self._joined([str(part) for part in parts]) for parts in found]

    @property
    def counted(self) -> list[str]:
        """The names as one counts: by their numbers, not grid by grid."""
        return sorted(self.names, key=lambda name: split_name(name)[1])

    @property
    def first(self) -> R:
        """The first row; what all have in common may be read off it."""
        return self.rows[0]

    def __len__(self) -> int:
        return len(self.rows)

    def _joined(self, between: Sequence[str]) -> str:
        return "".join(map("".join, zip(self.texts, (*between, ""), strict=True)))


def fold_rows(
    rows: Sequence[R],
    *,
    name: Callable[[R], str],
    key: Callable[[R], Hashable],
    ragged: bool = False,
) -> list[Fold[R]]:
    """Fold rows that have one ``key``, and whose names differ in numbers alone.

    Each row is in exactly one fold, and folds come in the order of their first rows. Where the
    numbers form no grid (three blocks in one stage, four in another), several folds cover them, or
    with ``ragged`` one fold of several grids.

    >>> names = ["a.0.w", "a.0.b", "a.1.w", "a.1.b", "head"]
    >>> [fold.label for fold in fold_rows(names, name=str, key=lambda _: None)]
    ['a.{0,1}.w', 'a.{0,1}.b', 'head']
    """
    split = [split_name(name(row)) for row in rows]
    return _folded(rows, split, [key(row) for row in rows], ragged)


class Traits(NamedTuple):
    """What a line says of a row besides its name.

    Rows of one line have all that is ``shared``, the rank of a shape, and texts that are the same
    but for numbers.
    """

    shared: Hashable
    shape: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[Hashable, ...]:
        """The numbers in which it may differ from other rows of its line."""
        return (*self.shape, *(number for text in self.texts for number in numbers_in(text)))


def fold_alike(
    rows: Sequence[R], *, name: Callable[[R], str], traits: Callable[[R], Traits]
) -> list[Fold[R]]:
    """Fold rows that differ in numbers alone, unless most are alike: then what is odd stands apart.

    In forty-seven layers of one width and one of another, the one has a line by itself. In a
    pyramid, where every stage has a width of its own, no row is odd by its width, and one line
    holds them all; but a kernel of 7x7 among those of 3x3 is.
    Modules whose names differ in one word, and all of whose lines are alike, have lines together.

    >>> rows = [("h.0", 8), ("h.1", 8), ("h.2", 8), ("h.3", 9), *((f"s.{i}", i) for i in range(4))]
    >>> pairs = fold_alike(rows, name=lambda r: r[0], traits=lambda r: Traits("", (r[1],)))
    >>> [fold.label for fold in pairs]
    ['h.{0..2}', 'h.3', 's.{0..3}']
    >>> names = [f"h.{i}.{part}_proj.weight" for i in range(12) for part in "qkv"]
    >>> [fold.label for fold in fold_alike(names, name=str, traits=lambda _: Traits(""))]
    ['h.{0..11}.{q,k,v}_proj.weight']
    """
    names = [name(row) for row in rows]
    said = [traits(row) for row in rows]
    split = [split_name(one) for one in names]
    # Numbers in place of what is compared: it is long, and there may be a hundred thousand rows.
    families = _numbered(
        (texts, _kin(one, about)) for (texts, _), one, about in zip(split, names, said, strict=True)
    )
    variants = _numbered(said)
    counts: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for family, variant in zip(families, variants, strict=True):
        counts[family][variant] += 1
    # Of one variant nothing is odd, and its numbers are not asked for.
    several = {v for found in counts.values() if len(found) > 1 for v in found}
    differing = {v: a.numbers for v, a in zip(variants, said, strict=True) if v in several}
    lines = {
        family: lines_apart(found, differing) if len(found) > 1 else dict.fromkeys(found, 0)
        for family, found in counts.items()
    }
    apart = _apart_from_stage(families, variants, [numbers for _, numbers in split], lines)
    keys = [
        (f, lines[f][v], apart.get(place, -1))
        for place, (f, v) in enumerate(zip(families, variants, strict=True))
    ]
    numbers = dict(zip(map(id, rows), variants, strict=True))
    return _join_siblings(_folded(rows, split, keys, ragged=True), lambda row: numbers[id(row)])


def _apart_from_stage(
    families: Sequence[int],
    variants: Sequence[int],
    numbers: Sequence[Numbers],
    lines: Mapping[int, Mapping[int, int]],
) -> dict[int, int]:
    """Return the rows that share a line with others of their family, and are odd in their stage.

    By their places in the sequence, each with its variant: those that are odd alike go together.
    """
    shared = {f for f, found in lines.items() if len(set(found.values())) < len(found)}
    places: dict[int, list[int]] = {}
    for place, family in enumerate(families):
        if family in shared:
            places.setdefault(family, []).append(place)
    found: dict[int, int] = {}
    for rows in places.values():
        columns = zip(*(numbers[place] for place in rows), strict=True)
        stage, block, *_ = [i for i, c in enumerate(columns) if len(set(c)) > 1] + [-1, -1]
        # What is counted within a block, as norms are, is compared with the same of other blocks.
        within: dict[Numbers, dict[tuple[int, int], int]] = {}
        for place in rows if block >= 0 else ():
            one = numbers[place]
            others = tuple(n for i, n in enumerate(one) if i not in (stage, block))
            within.setdefault(others, {})[one[stage], one[block]] = place
        for at in within.values():
            odd = out_of_step({where: variants[place] for where, place in at.items()})
            found |= {at[where]: variants[at[where]] for where in odd}
    return found


def _kin(name: str, traits: Traits) -> Hashable:
    rank = len(traits.shape)
    return (traits.shared, rank, *map(_template, traits.texts), _layer_word(name, rank))


_template = lru_cache(maxsize=4096)(template)  # of few texts, asked for by each of many rows


def _numbered(values: Iterable[Hashable]) -> list[int]:
    known: dict[Hashable, int] = {}
    return [known.setdefault(value, len(known)) for value in values]


def _folded(
    rows: Sequence[R],
    split: Sequence[tuple[tuple[str, ...], Numbers]],
    keys: Sequence[Hashable],
    ragged: bool,
) -> list[Fold[R]]:
    """Fold rows whose names are split, by their keys."""
    groups: dict[Hashable, dict[Numbers, tuple[int, R]]] = {}
    for place, (row, (texts, numbers), key) in enumerate(zip(rows, split, keys, strict=True)):
        group = groups.setdefault((texts, key), {})
        if numbers in group:  # a second row of this name is a group by itself
            group = groups.setdefault((texts, key, place), {})
        group[numbers] = place, row
    folds: list[tuple[int, Fold[R]]] = []
    for (texts, *_), group in groups.items():  # type: ignore[misc]
        if len(group) == 1:  # most, where names are irregular
            ((numbers, (place, row)),) = group.items()
            folds.append((place, Fold(texts, (tuple((number,) for number in numbers),), (row,))))
            continue
        grids = tuple(_grids(list(group)))
        for one in [grids] if ragged else [(grid,) for grid in grids]:
            inside = [group[numbers] for grid in one for numbers in itertools.product(*grid)]
            fold = Fold(texts, one, tuple(row for _, row in inside))
            folds.append((min(place for place, _ in inside), fold))
    return [fold for _, fold in sorted(folds, key=lambda entry: entry[0])]


def _join_siblings(folds: Sequence[Fold[R]], variant: Callable[[R], Hashable]) -> list[Fold[R]]:
    """Join what modules hold whose names differ in one word, where all in them is alike.

    Line by line and row by row: a convolution and its norm have biases alike, and no weights. What
    is inside comes together first. The last word of a name is no module's.
    """
    found = dict(enumerate(map(_with_open_gaps, folds)))
    words = {place: _words(fold.texts) for place, fold in found.items()}
    said = {place: tuple(map(variant, fold.rows)) for place, fold in found.items()}
    for depth in range(max(map(len, words.values()), default=0) - 2, -1, -1):
        modules: dict[tuple[Word, ...], dict[Hashable, int]] = {}
        for place, cut in words.items():
            if depth < len(cut) - 1 and len(cut[depth]) == 1:
                held = cut[depth + 1 :], found[place].grids, said[place]
                modules.setdefault(cut[: depth + 1], {})[held] = place
        alike: dict[Hashable, list[dict[Hashable, int]]] = {}
        for path, lines in modules.items():
            alike.setdefault((path[:-1], frozenset(lines)), []).append(lines)
        for first, *others in alike.values():
            for line, place in first.items() if others else ():
                gone = [lines[line] for lines in others]
                cut = words[place]
                gap = (cut[depth][0], *(words.pop(p)[depth][0] for p in gone))
                words[place] = (*cut[:depth], ("", ""), *cut[depth + 1 :])
                same = [found[place], *map(found.pop, gone)]
                found[place] = _joined_at(words[place], depth, gap, same)
                said[place] = tuple(map(variant, found[place].rows))
    return [found[place] for place in sorted(found)]


def _joined_at(words: tuple[Word, ...], depth: int, gap: Gap, folds: Sequence[Fold[R]]) -> Fold[R]:
    """Return one fold of several whose words are these, but for a gap at a depth."""
    at = sum(len(word) - 1 for word in words[:depth])
    grids = tuple((*grid[:at], gap, *grid[at:]) for grid in folds[0].grids)
    rows = {name: row for fold in folds for name, row in zip(fold.names, fold.rows, strict=True)}
    joined: Fold[R] = Fold(_texts(words), grids, ())
    return replace(joined, rows=tuple(rows[name] for name in joined.names))


def _with_open_gaps(fold: Fold[R]) -> Fold[R]:
    """Return a fold without the gaps in which one number stands in all its names."""
    texts, kept = [fold.texts[0]], []
    for i, gap in enumerate(zip(*fold.grids, strict=True)):
        if len(gap[0]) == 1 and len(set(gap)) == 1:
            texts[-1] += f"{gap[0][0]}{fold.texts[i + 1]}"
        else:
            kept.append(i)
            texts.append(fold.texts[i + 1])
    grids = tuple(tuple(grid[i] for i in kept) for grid in fold.grids)
    return Fold(tuple(texts), grids, fold.rows)


def _words(texts: Sequence[str]) -> tuple[Word, ...]:
    words: list[Word] = [()]
    for text in texts:
        first, *others = text.split(".")
        words[-1] += (first,)
        words += [(other,) for other in others]
    return tuple(words)


def _texts(words: Sequence[Word]) -> tuple[str, ...]:
    texts: list[str] = []
    for first, *others in words:
        texts[-1:] = [f"{texts[-1]}.{first}" if texts else first, *others]
    return tuple(texts)


def _layer_word(name: str, rank: int) -> str:
    """Return what a matrix's module is called in the one that holds it, unless it is counted there.

    Numbers of containers count likes; conv1 and conv2 of one block are not alike by their names,
    and their weights no kin. Their vectors are.

    >>> _layer_word("h.0.conv1.weight", 4), _layer_word("h.0.weight", 2), _layer_word("a1.bias", 1)
    ('conv1', '', '')
    """
    word = name.split(".")[-2] if rank > 1 and "." in name else ""
    return "" if word.isdigit() else word


def split_name(name: str) -> tuple[tuple[str, ...], Numbers]:
    """Return the texts of a name between its numbers, and the numbers.

    >>> split_name("h.10.conv1.weight")
    (('h.', '.conv', '.weight'), (10, 1))
    """
    pieces = _NUMBER.split(name)
    return tuple(pieces[::2]), tuple(map(int, pieces[1::2]))


def _grids(points: Sequence[Numbers]) -> Iterator[tuple[Numbers, ...]]:
    """Yield grids of numbers that cover the points, each once."""
    # What all have in common goes first, so that the depth below grows with their number alone.
    common = next(
        (i for i, numbers in enumerate(zip(*points, strict=True)) if len(set(numbers)) > 1),
        len(points[0]),
    )
    head = tuple((number,) for number in points[0][:common])
    if common:
        points = [numbers[common:] for numbers in points]
    for grid in _apart(points):
        yield (*head, *grid)


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
        for grid in _grids(sorted(rest_set)):
            yield (tuple(sorted(firsts)), *grid)


def _union(gaps: Iterable[Gap]) -> Gap:
    parts = dict.fromkeys(itertools.chain.from_iterable(gaps))
    numbers = [part for part in parts if isinstance(part, int)]
    return tuple(sorted(numbers)) if numbers else tuple(str(part) for part in parts)


_MOST_TOLD = 16  # words, or runs of numbers, between the braces of a label


def _span(gap: Gap, most: int | None = None) -> str:
    """Return what stands in a gap as a label shows it: ``7``, ``{0..3,5}``, ``{q,k}_proj``.

    >>> _span((0, 2, 4, 6, 7, 8), 3), _span(("ant", "bee", "cat"), 2)
    ('{0,2,4,\u2026}', '{ant,bee,\u2026}')
    """
    if len(gap) == 1:
        return str(gap[0])
    numbers = [part for part in gap if isinstance(part, int)]
    if not numbers:
        return _any_word([str(part) for part in gap], most)
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    shown = (f"{run[0]}..{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs)
    return _braced(list(shown), most)


def _braced(words: Sequence[str], most: int | None) -> str:
    few = words if most is None or len(words) <= most else [*words[:most], "\u2026"]
    return "{" + ",".join(few) + "}"


def _any_word(words: Sequence[str], most: int | None) -> str:
    """Return words as one, with what all begin and end with outside of the braces."""
    pieces = [_PIECES.findall(word) for word in words]
    start = _same(pieces)
    end = _same([piece[start:][::-1] for piece in pieces])
    if any(len(piece) == start + end for piece in pieces):  # nothing would be left of a word
        start = end = 0
    between = ["".join(piece[start : len(piece) - end]) for piece in pieces]
    before, behind = pieces[0][:start], pieces[0][len(pieces[0]) - end :]
    return "".join([*before, _braced(between, most), *behind])


_PIECES = re.compile(r"[0-9]+|_+|[^_0-9]+")


def _same(rows: Sequence[Sequence[str]]) -> int:
    """Return how many entries all rows begin with."""
    columns = enumerate(zip(*rows, strict=False))
    fewest = min(map(len, rows))
    return next((i for i, column in columns if len(set(column)) > 1), fewest)


def brief_names(folds: Sequence[Fold[R]]) -> tuple[str, Sequence[str]]:
    """Return the header and the names of lines, without the module that all are in."""
    names = [fold.label for fold in folds]
    around = common_start(names).rpartition(".")[0]
    if not around or "{" in around:
        return "name", names
    return f"name in {around}", [name[len(around) + 1 :] for name in names]
