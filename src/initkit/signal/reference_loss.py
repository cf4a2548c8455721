"""A loss beside the value of knowing nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from .operations import argument
from .points import LossValue, Point
from .tracer import Arguments, Options


def loss_value(
    kind: str, result: Tensor, args: Arguments, kwargs: Options, points: Sequence[Point]
) -> LossValue | None:
    """Return a loss a sample, the value of knowing nothing, and the layer that it judges.

    That is ln C for C classes, ln 2 for yes or no, the variance of the targets for squares.
    """
    given, target = argument(args, kwargs, 0, "input"), argument(args, kwargs, 1, "target")
    if not isinstance(given, Tensor) or not isinstance(target, Tensor) or not target.numel():
        return None
    classes = 0
    if kind in ("cross_entropy", "nll_loss"):
        classes = given.shape[1] if given.dim() > 1 else given.shape[0]
        nothing = math.log(classes)
    elif kind == "mse_loss":
        nothing = float(target.detach().double().var(correction=0))
    else:
        nothing = math.log(2)
    total = float(result.detach().double().sum())
    summed = kwargs.get("reduction") == "sum"
    count = _counted(target, kwargs) if summed or result.dim() else 1
    return LossValue(_head(points, given), kind, total / max(count, 1), nothing, classes)


def _counted(target: Tensor, kwargs: Options) -> int:
    """Return how many targets count."""
    if target.is_floating_point():
        return target.numel()
    return int((target != kwargs.get("ignore_index", -100)).sum())


def _head(points: Sequence[Point], given: Tensor) -> str:
    """Return the last layer with weights, of as many outputs as the loss is given, if any is."""
    layers = [p for p in points if p.parameters]
    width = given.shape[1] if given.dim() > 1 else given.shape[-1]
    fitting = [p for p in layers if width in (p.shape[-1], p.shape[min(1, len(p.shape) - 1)])]
    last = [*points, *layers, *fitting][-1:]
    return last[0].name if last else ""
