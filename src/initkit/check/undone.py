"""What was drawn before a known value was added to it, or multiplied with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from ..distributions import Distribution, Source, curve
from ..model import chunks

Undo: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
"""From values that were made, and those that are known, to those that were drawn."""


def values_behind(
    whole: Tensor,
    rounded: torch.dtype | None,
    drawn: Distribution,
    known: Distribution,
    undo: Undo,
) -> tuple[Tensor | None, int]:
    """Return what was drawn for every element, and how many are not 0 where all would be.

    A stored value stands for all that rounds to it. Of what is drawn one by one any of those that
    may have been drawn is returned, each as likely as it is: so what comes back is a sample as it
    was before it was rounded, however coarse the dtype beside so large a known value.
    """
    generator = torch.Generator(device="cpu").manual_seed(0)  # and so the same each time
    found, left = [], 0
    for chunk, start in chunks(whole):
        flat = chunk.detach().reshape(-1).cpu()
        beside = torch.empty(flat.numel(), dtype=torch.float64, device="cpu")
        known.write(beside, Source(0, ""), start)  # nothing of it is drawn: any source will do
        values = undo(flat.double(), beside)
        lost = values.isnan() & ~flat.isnan()
        left += int((flat[lost] != 0).sum())
        if drawn.iid:
            ends = _ends(flat, rounded or flat.dtype)
            low, high = (undo(end, beside) for end in ends)
            values = _likely(drawn, values, torch.minimum(low, high), torch.maximum(low, high),
                             generator)[~lost]  # fmt: skip
        found.append(values)
    values = torch.cat(found)
    if drawn.iid:  # as exact as float32, whatever went before
        return values.float(), left
    if values.isnan().any():  # no part of what is drawn as one tells what it is
        return None, left
    return values.to(whole.dtype).reshape(whole.shape), left


def _ends(values: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return between which numbers lies what rounds to each value."""
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
