"""Increasing functions that a distribution's values go through, and their inverses."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

import torch
from torch import Tensor

from ..numbers import exact_math
from .digits import short

Map: TypeAlias = "tuple[str, float]"
"""An increasing function and its number: ``("log", 0)``, ``("times", k)``, ``("at least", v)``.

``("plus", k)`` adds, ``("rounded", step)`` takes the nearest multiple, of two the even one.

Only ``times`` a negative number decreases.
"""

_Function: TypeAlias = Callable[[Tensor, float], Tensor]

# Each function in float64, and its inverse.
_MAPS: dict[str, tuple[_Function, _Function]] = {
    "log": (lambda x, _: exact_math.log(x), lambda y, _: exact_math.exp(y)),
    "exp": (lambda x, _: exact_math.exp(x), lambda y, _: exact_math.log(y.clamp(min=0))),
    "inverse softplus": (
        lambda x, _: exact_math.inverse_softplus(x),
        lambda y, _: exact_math.log1p_exp(y),
    ),
    "times": (lambda x, k: x * k, lambda y, k: y / k),
    "plus": (lambda x, k: x + k, lambda y, k: y - k),
    "at least": (
        lambda x, low: x.clamp(min=low),
        lambda y, low: torch.where(y >= low, y, -math.inf),
    ),
    # What is rounded to y or less lies below the middle between y and the next multiple.
    "rounded": (
        lambda x, step: (x / step).round() * step,
        lambda y, step: ((y / step).floor() + 0.5) * step,
    ),
}
STEPS = ("at least", "rounded")
"""The maps that bring many values onto one."""


def through(x: Tensor, maps: Iterable[Map]) -> Tensor:
    """Return the values that ``x`` is mapped to, in float64."""
    x = x.double()
    for name, number in maps:
        x = _MAPS[name][0](x, number)
    return x


def falling(maps: Iterable[Map]) -> bool:
    """Say whether the maps together decrease."""
    return sum(name == "times" and number < 0 for name, number in maps) % 2 == 1


def backward(y: Tensor, maps: tuple[Map, ...]) -> Tensor:
    """Return the values that map to ``y``, in float64; the largest where there are several."""
    for name, number in reversed(maps):
        y = _MAPS[name][1](y.double(), number)
    return y


def describe_maps(text: str, maps: Iterable[Map]) -> str:
    """Return the text of a distribution with its maps before it."""
    for name, number in maps:
        text = bracketed(text, (" | ", ", ") if name == "plus" else (" + ", " - ", " | ", ", "))
        if name == "times":
            text = f"{short(number)} x {text}"
        elif name == "plus":
            text = f"{text} {'-' if number < 0 else '+'} {short(abs(number))}"
        elif name == "rounded":
            text += " rounded" if number == 1 else f" rounded to multiples of {short(number)}"
        else:
            text = f"{name} {short(number)} of {text}" if number else f"{name} of {text}"
    return text


def bracketed(text: str, signs: Iterable[str]) -> str:
    """Return a text in brackets where it has one of these signs outside any.

    >>> bracketed("U(0, 1) + U(0, 1)", "+|"), bracketed("U(0, 1)", ",")
    ('(U(0, 1) + U(0, 1))', 'U(0, 1)')
    """
    outside = text
    while outside != (outside := re.sub(r"\([^()]*\)", "", outside)):
        pass
    return f"({text})" if any(sign in outside for sign in signs) else text
