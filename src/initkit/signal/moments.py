"""What is measured of one tensor, within its dtype's range and beyond it."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from ..model import untraced
from ..numbers import Value, frozen

# Squares of float32 numbers between these neither overflow nor underflow.
_SMALLEST, _LARGEST = 1e-15, 1e15


@frozen
class Moments(Value):
    """Mean, standard deviation, root mean square and peak of a tensor's elements, and more.

    ``channel_square`` is the mean over channels of the square of a channel's mean: beside ``rms``
    squared it says how much of the signal is the same for every sample and position. ``alike`` is
    the mean cosine between two samples, None for fewer than two. ``nonfinite`` is the share of NaN
    and infinity; the other numbers are those of the rest.
    """

    mean: float
    std: float
    rms: float
    peak: float
    channel_square: float
    alike: float | None
    nonfinite: float


NOTHING = Moments(0.0, 0.0, 0.0, 0.0, 0.0, None, 0.0)
"""Those of a tensor of zeros."""


@untraced
def measure(tensor: Tensor, channels: int) -> Moments:
    """Return the moments of a floating-point tensor whose dimension ``channels`` holds channels.

    >>> f"{measure(torch.full((2, 3), 1e-35), 1).rms:.3g}"
    '1e-35'
    """
    x, peak, nonfinite = _finite(tensor)
    if x.numel() == 0 or peak == 0:
        return replace(NOTHING, nonfinite=nonfinite)
    x = _widened(x, peak)
    rows = x.flatten(1) if x.dim() > 1 else x.view(-1, 1)
    lengths = torch.linalg.vector_norm(rows, dim=1).double()
    square = float(lengths.square().sum()) / x.numel()
    others = [d for d in range(x.dim()) if d != channels % max(x.dim(), 1)]
    means = (x.mean(others) if others else x).double()
    mean = float(means.mean())
    return Moments(
        mean,
        math.sqrt(max(square - mean * mean, 0.0)),
        math.sqrt(square),
        peak,
        float(means.square().mean()),
        _alike(rows, lengths),
        nonfinite,
    )


@untraced
def rms(tensor: Tensor) -> float:
    """Return the root mean square of a tensor's elements; NaN where one is not finite.

    >>> f"{rms(torch.full((2, 3), 3e38)):.3g}"
    '3e+38'
    """
    x = _floating(tensor)
    if x.numel() == 0:
        return 0.0
    found = float(torch.linalg.vector_norm(x).double()) / math.sqrt(x.numel())
    if x.dtype is torch.float64 or _SMALLEST < found < _LARGEST:
        return found
    x, peak, nonfinite = _finite(tensor)
    if nonfinite or peak == 0:
        return math.nan if nonfinite else 0.0
    return float(torch.linalg.vector_norm(_widened(x, peak))) / math.sqrt(x.numel())


def channel_dim(tensor: Tensor, convolutional: bool = False) -> int:
    """Return the dimension that holds channels: the second of images, else the last."""
    return 1 if tensor.dim() > 3 or (convolutional and tensor.dim() == 3) else tensor.dim() - 1


def _floating(tensor: Tensor) -> Tensor:
    x = tensor.detach()
    if x.is_complex():
        x = torch.view_as_real(x)
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def _finite(tensor: Tensor) -> tuple[Tensor, float, float]:
    """Return a tensor without what is not finite, its peak, and the share of what is not."""
    x = _floating(tensor)
    if x.numel() == 0:
        return x, 0.0, 0.0
    low, high = map(float, torch.aminmax(x))
    if math.isfinite(low) and math.isfinite(high):
        return x, max(abs(low), abs(high)), 0.0
    finite = x.isfinite()
    share = 1 - float(finite.double().mean())
    x = torch.where(finite, x, 0.0)
    return x, float(x.abs().max()), share


def _widened(x: Tensor, peak: float) -> Tensor:
    """Return a tensor whose squares can be added up."""
    return x if _SMALLEST < peak < _LARGEST else x.double()


def _alike(rows: Tensor, lengths: Tensor) -> float | None:
    """Return the mean cosine between two rows, of those that are not zero."""
    held = lengths > 0
    n = int(held.sum())
    if n < 2:
        return None
    # The squared length of a sum of unit vectors: their number, and all the cosines twice.
    weights = torch.where(held, 1 / lengths, 0.0).to(rows.dtype)
    total = torch.linalg.vector_norm((weights @ rows).double())
    return (float(total.square()) - n) / (n * (n - 1))
