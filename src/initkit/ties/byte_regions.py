"""Sets of bytes as arithmetic: whether they meet, are equal, hold one another, and how many.

A set is ``start + Σ index · stride`` over a few counted strides, so all is decided on a handful of
integers, however large the set; what that leaves open is read off the sets' intervals, in order.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import NamedTuple, TypeAlias

Dims: TypeAlias = tuple[tuple[int, int], ...]
Interval: TypeAlias = tuple[int, int]


class Region(NamedTuple):
    """A set of bytes: ``start`` plus, for each of ``dims`` (count, stride), a multiple of stride.

    ``dims`` are in ascending order of stride and as few as possible; an interval of n bytes has
    the one dimension ``(n, 1)``. ``stop`` is the byte after the last. Regions of different
    ``space`` have nothing in common.
    """

    space: Hashable
    start: int
    stop: int
    dims: Dims

    @property
    def is_interval(self) -> bool:
        """Say whether the region has no gaps."""
        return len(self.dims) == 1 and self.dims[0][1] == 1


def region_at(space: Hashable, start: int, dims: Dims) -> Region:
    """Make a region from its place and its simplest dimensions."""
    return Region(space, start, start + _extent(dims), dims)


def simplest(dims: Iterable[tuple[int, int]]) -> Dims:
    """Merge what merges: repeated strides, and a stride that continues a shorter one.

    >>> simplest([(3, 8), (2, 4), (4, 1)])
    ((24, 1),)
    """
    left = sorted((stride, count) for count, stride in dims if count > 1 and stride)
    fewest: list[tuple[int, int]] = []
    for stride, count in left:
        if fewest:
            last_count, last = fewest[-1]
            # Steps of a multiple that is within reach leave no gap: one longer row of short steps.
            times, rest = divmod(stride, last)
            if not rest and times <= last_count:
                fewest[-1] = (last_count + times * (count - 1), last)
                continue
        fewest.append((count, stride))
    return tuple(fewest) or ((1, 1),)


def _extent(dims: Dims) -> int:
    return 1 + sum((count - 1) * stride for count, stride in dims)


def _nested(dims: Dims) -> bool:
    """Say whether each stride steps over all that lies within: then no two indices meet.

    Sufficient, not necessary: three steps of 2 and two of 3 interlock without meeting.
    """
    return all(_extent(dims[:i]) <= dims[i][1] for i in range(1, len(dims)))


def intersect(a: Region, b: Region) -> bool:
    """Say whether two regions share a byte.

    >>> even, odd = region_at("", 0, ((4, 1), (10, 8))), region_at("", 4, ((4, 1), (10, 8)))
    >>> intersect(even, odd), intersect(even, region_at("", 3, ((9, 1),)))
    (False, True)
    """
    if a.space != b.space or a.stop <= b.start or b.stop <= a.start:
        return False
    if a.is_interval and b.is_interval:
        return True
    # Σ x·stride over a = (b.start - a.start) + Σ y·stride over b; turn every y around, and all
    # signs are positive. In units of what divides everything, which is mostly an element, the
    # innermost dimension falls away, and two strided vectors are decided without a search.
    gap = b.start - a.start
    unit, left = _in_units(gap, a.dims, b.dims)
    total = gap // unit + sum((count - 1) * stride for count, stride in left[1])
    return _reachable(total, simplest([*left[0], *left[1]]))


def _in_units(gap: int, *sides: Dims) -> tuple[int, list[Dims]]:
    """Divide innermost counts and strides by the largest unit that divides all of them."""
    numbers = [gap]
    for dims in sides:
        numbers += [count if stride == 1 else stride for count, stride in dims]
        if dims[0][1] != 1:
            return 1, list(sides)
    unit = math.gcd(*numbers)
    if unit <= 1:
        return 1, list(sides)
    return unit, [
        tuple((c // unit, 1) if s == 1 else (c, s // unit) for c, s in dims) for dims in sides
    ]


def _reachable(total: int, dims: Dims) -> bool:
    """Say whether ``total`` is a sum of multiples of the strides, each less than its count."""
    # The largest stride's index must leave what the smaller ones can sum up to: 0 to room.
    *rest, (count, stride) = dims
    room = sum((c - 1) * s for c, s in rest)
    low, high = max(0, -((room - total) // stride)), min(count - 1, total // stride)
    if low > high:
        return False
    if not rest:
        return total % stride == 0
    # And what is left must be a multiple of their divisor: k stride = total modulo step, which has
    # a solution where the common divisor divides total, and then one in every step / shared.
    step = math.gcd(*(s for _, s in rest))
    shared = math.gcd(stride, step)
    if total % shared:
        return False
    every = step // shared
    first = (total // shared) * pow(stride // shared, -1, every) % every if every > 1 else 0
    low += (first - low) % every
    # Of the counts from low to high, every ``every``-th leaves what the other strides divide.
    if len(rest) == 1:  # of one stride any multiple within room will do
        return low <= high
    return any(_reachable(total - k * stride, tuple(rest)) for k in range(low, high + 1, every))


def indices_collide(sides: Sequence[tuple[int, int]]) -> bool:
    """Say whether two indices reach one place: a stride of 0, or one that steps too short.

    ``sides`` are (count, stride) of each dimension.

    >>> [indices_collide(sides) for sides in ([(3, 0)], [(3, 4), (4, 1)], [(3, 3), (4, 1)])]
    [True, False, True]
    """
    long = [(count, stride) for count, stride in sides if count > 1]
    if any(stride == 0 for _, stride in long):
        return True
    dims = tuple(sorted(long, key=lambda side: side[1]))
    return not _nested(dims) and any(_collides_along_last(dims[: i + 1]) for i in range(len(dims)))


def _collides_along_last(dims: Dims) -> bool:
    """Say whether indices that differ in the last dimension, at least, reach one element.

    That is whether a difference of 1 to count - 1 there is made up for by differences of either
    sign in the others; moved by their middle, all are counted from 0.
    """
    *rest, (count, stride) = dims
    both_ways = tuple((2 * c - 1, s) for c, s in rest)
    middle = sum((c - 1) * s for c, s in rest)
    terms = simplest([*both_ways, (count - 1, stride)])
    return bool(rest) and _reachable(middle + (count - 1) * stride, terms)


# ---- intervals in order: what arithmetic alone does not decide


def intervals(which: Region) -> Iterator[Interval]:
    """Yield the intervals of a region in order, as large as they are."""
    return merged(_intervals(which.start, which.dims))


def merged(in_order: Iterable[Interval]) -> Iterator[Interval]:
    """Join intervals, sorted by their starts, that touch or overlap.

    What comes out is the one shortest list for a set, so that equal sets give equal lists.
    """
    current: Interval | None = None
    for start, stop in in_order:
        if current is None:
            current = start, stop
        elif start <= current[1]:
            current = current[0], max(current[1], stop)
        else:
            yield current
            current = start, stop
    if current is not None:
        yield current


def _intervals(start: int, dims: Dims) -> Iterator[Interval]:
    if not dims:
        yield start, start + 1
        return
    *inner, (count, stride) = dims
    below = tuple(inner)
    if not below and stride == 1:  # the usual innermost dimension, of bytes one after another
        yield start, start + count
    else:
        copies = (_intervals(start + k * stride, below) for k in range(count))
        # Copies that reach into one another must be merged; only odd strides make such.
        yield from chain.from_iterable(copies) if _extent(below) <= stride else heapq.merge(*copies)


def bounding_intervals(which: Sequence[Region]) -> frozenset[tuple[Hashable, int, int]]:
    """Return from where to where several regions reach in each of their spaces."""
    ends: dict[Hashable, tuple[int, int]] = {}
    for region in which:
        start, stop = ends.get(region.space, (region.start, region.stop))
        ends[region.space] = min(start, region.start), max(stop, region.stop)
    return frozenset((space, start, stop) for space, (start, stop) in ends.items())


def same_bytes(a: Sequence[Region], b: Sequence[Region]) -> bool:
    """Say whether several regions are together the same set of bytes as several others.

    >>> left, right, whole = (region_at("", *at) for at in ((0, ((4, 1),)), (4, ((4, 1),)),
    ...                                                    (0, ((8, 1),))))
    >>> same_bytes([left, right], [whole]), same_bytes([left], [whole])
    (True, False)
    """
    if len(a) == len(b) == 1:
        return _same_region(a[0], b[0])
    return bounding_intervals(a) == bounding_intervals(b) and all(
        x == y
        for space in {region.space for region in a}
        for x, y in zip_longest(_intervals_in(space, a), _intervals_in(space, b))
    )


def _intervals_in(space: Hashable, which: Sequence[Region]) -> Iterator[Interval]:
    return merged(heapq.merge(*(intervals(region) for region in which if region.space == space)))


def _same_region(a: Region, b: Region) -> bool:
    if (a.space, a.start, a.stop) != (b.space, b.start, b.stop):
        return False
    # Outer copies that both repeat alike, without touching, are equal where one of them is.
    left, right = a.dims, b.dims
    while left and right and left[-1] == right[-1] and _copies_apart(left) and _copies_apart(right):
        left, right = left[:-1], right[:-1]
    if left == right:
        return True
    pairs = zip_longest(merged(_intervals(0, left)), merged(_intervals(0, right)))
    return all(x == y for x, y in pairs)


def _copies_apart(dims: Dims) -> bool:
    return _extent(dims[:-1]) < dims[-1][1]


def contains(a: Region, b: Region) -> bool:
    """Say whether region ``a`` has all bytes of region ``b``."""
    if a.space != b.space or b.start < a.start or a.stop < b.stop:
        return False
    if a.is_interval or a == b:
        return True
    wide = intervals(a)  # its last interval ends behind all of b, so it does not run out
    start, stop = next(wide)
    for low, high in intervals(b):
        while stop <= low:
            start, stop = next(wide)
        if low < start or stop < high:
            return False
    return True


def size(which: Region) -> int:
    """Return how many bytes a region has."""
    if _nested(which.dims):
        return math.prod(count for count, _ in which.dims)
    return sum(stop - start for start, stop in intervals(which))


def count_bytes(regions: Iterable[Region]) -> int:
    """Return how many bytes several regions have together, each counted once."""
    return sum(map(_count_cluster, clusters(sorted(set(regions), key=_order))))


def _order(which: Region) -> tuple[str, int]:
    return str(which.space), which.start


def clusters(ordered: Sequence[Region]) -> Iterator[list[Region]]:
    """Split regions, sorted by place, where bounding intervals leave a gap."""
    current: list[Region] = []
    stop = 0
    for each in ordered:
        if current and (each.space != current[0].space or each.start >= stop):
            yield current
            current = []
        stop = max(stop, each.stop) if current else each.stop
        current.append(each)
    if current:
        yield current


def _count_cluster(cluster: Sequence[Region]) -> int:
    """Count the bytes of regions whose bounding intervals touch one another."""
    # Regions with gaps count only where no interval covers them; the rest is walked through.
    solid = list(merged((r.start, r.stop) for r in cluster if r.is_interval))
    loose = [r for r in cluster if not r.is_interval and not _inside(r, solid)]
    if not loose:
        return sum(stop - start for start, stop in solid)
    if len(loose) == 1 and not solid:
        return size(loose[0])
    in_order = heapq.merge(solid, *(intervals(r) for r in loose))
    return sum(stop - start for start, stop in merged(in_order))


def _inside(which: Region, solid: Sequence[Interval]) -> bool:
    return any(start <= which.start and which.stop <= stop for start, stop in solid)
