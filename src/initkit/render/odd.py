"""Which rows of one family are odd among the others, and have a line of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

V = TypeVar("V", bound=Hashable)

_FEW = 2  # other variants, or other values of a number, that have a line each
_RARE = 8  # one row in so many is odd, whatever it says


def lines_apart(counts: Mapping[V, int], numbers: Mapping[V, Sequence[Hashable]]) -> dict[V, V]:
    """Return for each variant one that stands for its line: the first of those that share it.

    ``counts`` says how many rows each variant has, ``numbers`` what stands in the places in which
    variants may differ. Where most rows are of one variant it has a line, and so has each of few
    others; more of them share one. A number that most rows have makes those odd that have another.

    >>> pyramid = {width: (width, 3) for width in (8, 16, 32, 64)}
    >>> lines_apart(dict.fromkeys(pyramid, 2), pyramid)
    {8: 8, 16: 8, 32: 8, 64: 8}
    >>> lines_apart({8: 2, 16: 2, 32: 1, 64: 2}, pyramid | {32: (32, 7)})
    {8: 8, 16: 8, 32: 32, 64: 8}
    """
    usual = _usual(Counter(counts))
    if len(counts) <= _FEW or (usual is not None and len(counts) <= _FEW + 1):
        return {variant: variant for variant in counts}
    odd: dict[V, list[Hashable]] = {variant: [variant == usual] for variant in counts}
    for column in zip(*(numbers[variant] for variant in counts), strict=True):
        for variant, value in zip(counts, _odd_values(column, counts.values()), strict=True):
            odd[variant].append(value)
    first: dict[Hashable, V] = {}
    return {variant: first.setdefault(tuple(said), variant) for variant, said in odd.items()}


Place = tuple[int, int]
"""Which stage a row is in, and where in that."""


def out_of_step(variants: Mapping[Place, Hashable]) -> set[Place]:
    """Return the places of rows that are not what most of their own stage are.

    A stage is what has one first number. What half of the stages begin or end with otherwise is no
    part of any: the first block of each may change the width. Nothing is odd that half of the
    others have at the same place, nor where that is not rare.

    >>> stages = {(stage, block): 64 << stage for stage in range(4) for block in range(4)}
    >>> out_of_step(stages | {(1, 2): 32})
    {(1, 2)}
    >>> out_of_step({(stage, block): (stage, block == 0) for stage, block in stages})
    set()
    """
    by_first: dict[int, list[Place]] = {}
    for place in sorted(variants):
        by_first.setdefault(place[0], []).append(place)
    stages = list(by_first.values())
    for end in (slice(0, 1), slice(-1, None)):
        # Only a stage of which most rows are alike can tell.
        told = [odd for odd in (_unlike_most(p, variants) for p in stages) if odd is not None]
        ends = {place for places in stages for place in places[end]}
        if 2 * sum(bool(odd & ends) for odd in told) >= len(told):
            stages = [[place for place in places if place not in ends] for places in stages]
    inside = [_unlike_most(places, variants) or set() for places in stages]
    often = Counter(at for places in inside for _, at in places)
    found = {p for places in inside for p in places if 2 * often[p[1]] < max(len(stages), 3)}
    return found if _RARE * len(found) <= len(variants) else set()


def _unlike_most(places: Sequence[Place], variants: Mapping[Place, Hashable]) -> set[Place] | None:
    """Return the places of what more than half of some are not; None where nothing is."""
    usual = _usual(Counter(variants[place] for place in places)) if places else None
    return None if usual is None else {p for p in places if variants[p] != usual}


def _usual(counts: Counter[V]) -> V | None:
    """Return what more than half of all are."""
    (variant, most), *_ = counts.most_common(1)
    return variant if 2 * most > counts.total() else None


def _odd_values(column: Sequence[Hashable], rows: Iterable[int]) -> list[Hashable]:
    """Return what is odd about each value of a column; None of most, or of all where many are."""
    counts: Counter[Hashable] = Counter()
    for value, count in zip(column, rows, strict=True):
        counts[value] += count
    usual = _usual(counts)
    if usual is None:
        return [None] * len(column)
    if len(counts) <= _FEW + 1:
        return [None if value == usual else (value,) for value in column]
    rare = _RARE * (counts.total() - counts[usual]) <= counts.total()
    return [rare and value != usual for value in column]
