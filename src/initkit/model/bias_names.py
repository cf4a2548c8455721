"""Tell a bias beside a weight by its name and its shape."""

from __future__ import annotations

from ..numbers import Layout


def is_bias_of(
    shape: tuple[int, ...], weight: tuple[int, ...] | None, layout: Layout | None
) -> bool:
    """Whether a shape is that of a weight without its inputs: one number for every output."""
    if weight is None or layout is None or not layout.fits(weight):
        return False
    words = layout.words(len(weight))
    outputs = [n for n, word in zip(weight, words, strict=True) if word not in ("in", "k")]
    return list(shape) == outputs


def bare_name(key: str, word: str, letter: str) -> str | None:
    """Return what is left of a name without the word for what it is; None where it lacks that.

    >>> [bare_name(key, "bias", "b") for key in ("up_bias", "b_up", "b1", "bias", "base")]
    ['up', 'up', '1', '', None]
    """
    if word in key:
        return key.replace(word, "", 1).strip("_")
    rest = key[len(letter) :]
    marked = key.startswith(letter) and (not rest or rest[0] == "_" or rest.isdecimal())
    return rest.strip("_") if marked else None
