"""What was drawn before a known value was added to it, or multiplied with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from ..distributions import MOST_HOLES, Distribution, Source, curve
from ..model import chunks

Undo: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
"""From values that were made, and those that are known, to those that were drawn."""
_FAR = 6.0  # deviations, which hardly a value leaves
_IN_DOUBT = 1 / 16  # of a deviation: a value that is known no better is as good as unknown
_FINE = 2e-6  # of a deviation: less than any test of a matrix leaves for rounding


class Behind(NamedTuple):
    """What was drawn for every element, and what nothing tells of it.

    ``values`` are None where too little is told; ``left`` counts elements that are not 0 where all
    would be. ``holes`` says that values are NaN here and there, and each may be off by ``room``.
    """

    values: Tensor | None
    left: int
    holes: bool = False
    room: float = 0.0


def values_behind(
    whole: Tensor,
    rounded: torch.dtype | None,
    drawn: Distribution,
    known: Distribution,
    undo: Undo,
    make: Undo,
    step: float = 0.0,
) -> Behind:
    """Return what was drawn for every element.

    A stored value stands for all that rounds to it, in its dtype or to a multiple of ``step``. Of
    what is drawn one by one any of those that may have been drawn is returned, each as likely as it
    is: so what comes back is a sample as it was before it was rounded, however coarse the dtype
    beside so large a known value. Of what is drawn as one a value that rounding left in doubt is a
    hole.
    """
    generator = torch.Generator(device="cpu").manual_seed(0)  # and so the same each time
    found, left, room, holes = [], 0, 0.0, 0
    dtype = rounded or whole.dtype
    spread = drawn.std or float(whole.double().std())
    for chunk, start in chunks(whole):
        flat = chunk.detach().reshape(-1).cpu()
        beside = torch.empty(flat.numel(), dtype=torch.float64, device="cpu")
        known.write(beside, Source(0, ""), start)  # nothing of it is drawn: any source will do
        values = undo(flat.double(), beside)
        lost = values.isnan() & ~flat.isnan()  # what is NaN already was a hole before
        left += int((flat[lost] != 0).sum())
        if drawn.iid:
            ends = _ends(flat, dtype, step)
            low, high = _before(ends, beside, undo)
            untold = values.isnan()
            values = _likely(drawn, values, low, high, generator)[~untold]
        else:
            doubt = _doubt(drawn, beside, dtype, undo, make)
            # What lies further out than any value would, in whatever doubt, is left for the tests.
            far = (values - (drawn.mean or 0.0)).abs() > 2 * (_FAR * spread + doubt)
            clear = doubt <= _IN_DOUBT * spread
            values[~(clear | far)] = math.nan
            holes += int(values.isnan().sum())
            room = max(room, float(torch.where(clear, doubt, 0.0).max()))
        found.append(values)
    values = torch.cat(found)
    if drawn.iid:  # as exact as float32, whatever went before
        return Behind(values.float(), left)
    coarse = holes > 0 or room > max(_eps(dtype), _FINE) * spread
    if coarse and (not drawn.shows_in_part or holes > MOST_HOLES * values.numel()):
        return Behind(None, left)
    return Behind(values.to(whole.dtype).reshape(whole.shape), left, holes > 0, room)


def _eps(dtype: torch.dtype) -> float:
    """Return the relative distance of values; float64 may hold what float32 computed."""
    return max(float(torch.finfo(dtype).eps), float(torch.finfo(torch.float32).eps))


def _doubt(
    drawn: Distribution, beside: Tensor, dtype: torch.dtype, undo: Undo, make: Undo
) -> Tensor:
    """Return by how much more than by its own rounding a value may be off.

    As what is known tells alone: were it as the values fell, those that are left were no sample.
    """
    mean, std = drawn.moments or (0.0, 1.0)
    worst = torch.zeros_like(beside)
    for end in (mean - _FAR * std, mean + _FAR * std):
        made = make(torch.full_like(beside, end), beside.clone())
        low, high = _before(_ends(made.to(dtype), dtype), beside, undo)
        worst = torch.maximum(worst, (high - low) / 2 - _eps(dtype) * max(abs(end), std) / 2)
    return worst


def _before(ends: tuple[Tensor, Tensor], beside: Tensor, undo: Undo) -> tuple[Tensor, Tensor]:
    """Return between which values lies what was drawn, where what was made lies between ends."""
    one, two = (undo(end, beside) for end in ends)
    return torch.minimum(one, two), torch.maximum(one, two)


def _ends(values: Tensor, dtype: torch.dtype, step: float = 0.0) -> tuple[Tensor, Tensor]:
    """Return between which numbers lies what rounds to each value."""
    if step:
        return values.double() - step / 2, values.double() + step / 2
    # As float64 code in torch that computed in float32 would have it.
    stored = values.to(torch.float32 if dtype == torch.float64 else dtype)
    exact = values.double()
    below, above = (
        torch.nextafter(stored, torch.full_like(stored, end)).double()
        for end in (-math.inf, math.inf)
    )
    return (exact + below) / 2, (exact + above) / 2


def _likely(
    drawn: Distribution, values: Tensor, low: Tensor, high: Tensor, generator: torch.Generator
) -> Tensor:
    """Return for each element a value between two ends, as likely as it was drawn."""
    shares = curve(drawn)
    first, last = shares.share(low), shares.share(high)
    coin = torch.rand(values.shape, dtype=torch.float64, generator=generator, device="cpu")
    value = shares.value(first + coin * (last - first)).clamp(low, high)
    # Where nothing is ever drawn stays what there is, for the tests to tell.
    return torch.where(last > first, value, values)
