"""Put together what several rules start of one parameter, each some rows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

from ..distributions import Blocks, Distribution, LikeRows, Rows, Stored, Table
from ..rules import Clause
from ..schemes import Site

Ruled: TypeAlias = "tuple[Clause, Rows]"


def rows_together(ruled: Sequence[tuple[Clause, Distribution]], site: Site) -> Distribution | str:
    """Return what rules for rows that follow on each other start together.

    That is the whole tensor, where they are all of its rows. Where two are for one row, leave some
    between them, or follow from what the others hold, it is a text that says so.
    """
    found = [(clause, rows) for clause, rows in ruled if isinstance(rows, Rows)]
    found.sort(key=lambda each: each[1].start)
    for one, two in pairwise(found):
        if two[1].start < one[1].stop:
            both = _rows(two[1].start, min(one[1].stop, two[1].stop))
            are = "are" if both.startswith("rows") else "is"
            return f"{both} {are} started by {_told(one)} and by {_told(two)}"
        if two[1].start > one[1].stop:
            left = _rows(one[1].stop, two[1].start)
            return (
                f"{_told(one)} and {_told(two)} leave {left} between them; start these by a rule, "
                "too, or the others by a call of their own"
            )
    first, last = found[0][1], found[-1][1]
    parts = [rows.part for _, rows in found]
    # Rows may be like all others where these are known already.
    if len(parts) == 2 and not first.start and last.stop == site.shape[0]:
        above, below = parts
        if isinstance(below, LikeRows) and isinstance(above, Stored | Table):
            parts[1] = replace(below, above=above)
    for one, part in zip(found, parts, strict=True):
        if not (part.known and part.repeatable):
            what = "what the others hold" if part.known else "a function of yours"
            return (
                f"{one[0].scheme} follows from {what}, and other rules start other rows of it; "
                f"start those of {_told(one)} by a call of their own"
            )
    sizes = tuple(rows.stop - rows.start for _, rows in found)
    shape = (sum(sizes), *site.shape[1:])
    blocks = Blocks(tuple(parts), replace(site, shape=shape).numel, shape, 0, sizes)
    return blocks if shape == site.shape else Rows(blocks, first.start, last.stop, site.shape)


def _rows(start: int, stop: int) -> str:
    return f"rows {start} to {stop - 1}" if stop - start > 1 else f"row {start}"


def _told(ruled: Ruled) -> str:
    clause, rows = ruled
    return f"the rule {clause.label!r} ({_rows(rows.start, rows.stop)})"
