"""Texts that differ in numbers alone become one text with the smallest and the largest."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def template(text: str) -> str:
    """Return a text without its numbers.

    >>> template("N(0, 0.02)"), template("64x3x7x7")
    ('N(#, #)', '#x#x#x#')
    """
    return _NUMBER.sub("#", text)


def numbers_in(text: str) -> list[str]:
    """Return the numbers of a text, as it spells them.

    >>> numbers_in("N(0, 0.02)")
    ['0', '0.02']
    """
    return _NUMBER.findall(text)


def spanned(texts: Sequence[str], digits: int | None = None) -> str:
    """Return what all texts say, with the range of each number in which they differ.

    Of texts that differ in more than numbers, what they begin with. The ends of ranges have as many
    significant ``digits`` as asked for; ends that are then the same are one.

    >>> spanned(["N(0, 0.02)", "N(0, 0.01)", "N(0, 0.05)"])
    'N(0, 0.01..0.05)'
    >>> spanned(["std 0.01999", "std 0.02001"], digits=2)
    'std 0.02'
    >>> spanned(["std=0.02/sqrt(layer) = 0.02", "std=0.02/sqrt(layer) = 0.01", "std=2"])
    'std=…'
    """
    different = list(dict.fromkeys(texts))
    if len(different) == 1:
        return different[0]
    if len({template(text) for text in different}) > 1:
        # No half of a word or number.
        return re.sub(r"[\w.]*$", "", common_start(different)) + "…"
    pieces = _NUMBER.split(different[0])
    numbers = [_range(column, digits) for column in zip(*map(numbers_in, different), strict=True)]
    return "".join(map("".join, zip(pieces, (*numbers, ""), strict=True)))


def brief_ranges(text: str) -> str:
    """Return a text with a ``*`` for each of its ranges of whole numbers, where it has several.

    >>> brief_ranges("64..512x64..256x3x3"), brief_ranges("64..512x3")
    ('*x*x3x3', '64..512x3')
    """
    return _RANGE.sub("*", text) if text.count("..") > 1 else text


_RANGE = re.compile(r"\d+\.\.\d+")


def common_start(texts: Sequence[str]) -> str:
    """Return what all texts begin with.

    >>> common_start(["Conv1d", "Conv2d", "ConvTranspose2d"])
    'Conv'
    """
    first, *others = texts
    length = 0
    while length < len(first) and all(t[length : length + 1] == first[length] for t in others):
        length += 1
    return first[:length]


def _range(numbers: Sequence[str], digits: int | None) -> str:
    low, high = min(numbers, key=float), max(numbers, key=float)
    if float(low) == float(high):
        return low
    ends = [low, high] if digits is None else [f"{float(n):.{digits}g}" for n in (low, high)]
    return "..".join(dict.fromkeys(ends))
