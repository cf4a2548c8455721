"""Checked tensors -> histograms: the density that was planned, and the values that were seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import isnan

from ..render import Density, Picture, densities
from .checked import Checked

_MOST = 6  # histograms on a page: they are looked at, not searched
_FINEST = 150  # cells in the width of a picture, at most
_SPIKE = 0.02  # of all values
_ROOM = 2.0  # how far values beyond the planned ones are drawn, in widths of the plan


def histograms(failed: Sequence[Checked], passed: Sequence[Checked]) -> list[Picture]:
    """Return the picture of what failed; where nothing did, of the largest of each distribution."""
    wrong = [each for c in failed if (each := _density(c)) is not None]
    chosen = wrong[:_MOST] or list(_largest(passed))[:_MOST]
    if not chosen:
        return []
    more = f" of the first {_MOST}" if len(wrong) > _MOST else ""
    of = f"What failed{more}" if wrong else "The largest of each distribution"
    return [Picture(densities(chosen), f"{of}: planned density and measured values")]


def _largest(checked: Iterable[Checked]) -> Iterator[Density]:
    told = set()
    for c in sorted(checked, key=lambda c: -c.measured.n if c.measured is not None else 0):
        if c.planned not in told and (density := _density(c)) is not None:
            told.add(c.planned)
            yield density


def _density(checked: Checked) -> Density | None:
    """Return what was planned and seen between thresholds; None where nothing counts by them."""
    seen, chances = checked.measured, checked.chances
    if seen is None or not seen.sampled or len(seen.below) != len(chances):
        return None
    counted = zip(chances, seen.below, strict=True)
    rows = [(edge, chance, n / seen.sampled) for (edge, chance), n in counted if not isnan(chance)]
    if len(rows) < 2:
        return None
    wide = rows[-1][0] - rows[0][0]
    low = max(min(seen.low, rows[0][0]), rows[0][0] - _ROOM * wide)
    high = min(max(seen.high, rows[-1][0]), rows[-1][0] + _ROOM * wide)
    finest = (high - low) / _FINEST
    cells = [(low, 0.0, 0.0)]
    for edge, chance, share in rows:
        left, *before = cells[-1]
        # Between neighbouring floats lie many equal values, which are drawn as a spike, or nothing.
        spike = max(chance - before[0], share - before[1]) > _SPIKE
        if high - edge >= finest and (spike or edge - left >= finest):
            cells.append((max(edge, left + finest), chance, share))
    cells.append((high, 1.0, 1.0))
    return Density(
        f"{checked.name}: {checked.planned}",
        [edge for edge, _, _ in cells],
        [after - before for (_, before, _), (_, after, _) in pairwise(cells)],
        [after - before for (_, _, before), (_, _, after) in pairwise(cells)],
    )
