"""How many digits of a number are told: few, and as many as tell two apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar

_FEW, _ALL = 4, 17  # of 17 digits no two numbers have the same
_digits = ContextVar("digits", default=_FEW)


def short(x: float) -> str:
    """Return a number as plans print it: four digits, no needless zeros."""
    return format(x, f".{_digits.get()}g") if x else "0"


def shorts(*numbers: float) -> Sequence[str]:
    """Return numbers as :func:`short` does, in as many digits as make different ones differ.

    >>> shorts(0.1, 0.1, 0.1000001), shorts(0.1, 0.1)
    (['0.1', '0.1', '0.1000001'], ['0.1', '0.1'])
    """
    different = list(dict.fromkeys(numbers))
    texts = dict(zip(different, told_apart(lambda: list(map(short, different))), strict=True))
    return [texts[number] for number in numbers]


def told_apart(tell: Callable[[], Sequence[str]]) -> Sequence[str]:
    """Return texts in which :func:`short` tells as many digits as make them differ.

    Texts that differ in nothing but digits behind the last are returned as they are.

    >>> told_apart(lambda: [short(0.02), short(0.02000001)])
    ['0.02', '0.02000001']
    """
    texts = first = tell()
    for digits in range(_FEW + 1, _ALL + 1):
        if len(set(texts)) == len(texts):
            return texts
        token = _digits.set(digits)
        try:
            texts = tell()
        finally:
            _digits.reset(token)
    return texts if len(set(texts)) > len(set(first)) else first
