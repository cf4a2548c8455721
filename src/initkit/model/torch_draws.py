"""What torch's constructors draw, reckoned from shapes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

from ..numbers import DefaultDistribution, tensor_fans

Shape: TypeAlias = tuple[int, ...]

# What a constructor draws, from the tensor's shape, the sibling weight's, and the row's attribute.
Draw: TypeAlias = Callable[[Shape, Shape | None, float], DefaultDistribution | None]


def _inverse_root(fan: float) -> DefaultDistribution:
    return DefaultDistribution("uniform", 1 / math.sqrt(fan) if fan > 0 else 0.0)


def default_weight(shape: Shape, _sibling: Shape | None, _value: float) -> DefaultDistribution:
    """kaiming_uniform_(a=sqrt(5)), with torch's fans: swapped where the layer is transposed."""
    return _inverse_root(tensor_fans(shape).fan_in)


def default_bias(_shape: Shape, sibling: Shape | None, _value: float) -> DefaultDistribution | None:
    """U(-1/sqrt(fan_in), ...) with the fans of the weight beside it."""
    if sibling is None or len(sibling) < 2:
        return None
    return _inverse_root(tensor_fans(sibling).fan_in)


def bilinear_weight(shape: Shape, _sibling: Shape | None, _value: float) -> DefaultDistribution:
    """U(-1/sqrt(in1), ...)."""
    return _inverse_root(shape[1])


def bilinear_bias(
    _shape: Shape, sibling: Shape | None, _value: float
) -> DefaultDistribution | None:
    """U(-1/sqrt(in1), ...), as the weight."""
    return None if sibling is None else _inverse_root(sibling[1])


def recurrent(_shape: Shape, _sibling: Shape | None, hidden: float) -> DefaultDistribution:
    """U(-1/sqrt(hidden), ...) for all of a recurrent module."""
    return _inverse_root(hidden)


def xavier(
    kind: Literal["uniform", "normal"], shape: Shape, _s: Shape | None, _v: float
) -> DefaultDistribution:
    """xavier_uniform_ or xavier_normal_, with torch's fans."""
    fans = tensor_fans(shape)
    total = fans.fan_in + fans.fan_out
    return DefaultDistribution(
        kind, math.sqrt((6 if kind == "uniform" else 2) / total) if total else 0.0
    )


def normal(std: float, _shape: Shape, _sibling: Shape | None, _value: float) -> DefaultDistribution:
    """N(0, std)."""
    return DefaultDistribution("normal", std)


def the_value(_shape: Shape, _sibling: Shape | None, value: float) -> DefaultDistribution:
    """Return the number of the row's attribute everywhere."""
    return DefaultDistribution("constant", value)


def constant(value: float) -> Draw:
    """Return the draw of one number everywhere."""
    return lambda _shape, _sibling, _value: DefaultDistribution("constant", value)
