"""Which words a truncated normal draws from: exact integers from the upper tail of the normal."""

from __future__ import annotations

import math
from functools import lru_cache

from ..errors import OptionError

WORDS = 1 << 32
LEAST = 4096  # words: about a millionth of all
_DIGITS = 60  # the contract in docs/stream.md asks for 40


@lru_cache(maxsize=4096)
def trunc_bounds(mean: float, std: float, low: float, high: float) -> tuple[int, int]:
    """Return ``(P, span)``: the words ``P .. P + span`` are those between ``low`` and ``high``.

    The bounds are absolute. Raises :class:`~initkit.errors.OptionError` for numbers that make no
    sense, and where fewer than 4096 words are left: so far out in the tail the stream has too few
    values to draw from.

    >>> trunc_bounds(0.0, 0.02, -0.04, 0.04)
    (97711073, 4099545150)
    """
    if not (std > 0 and math.isfinite(std) and math.isfinite(mean) and low < high):
        raise OptionError(
            f"a truncated normal needs finite mean, std > 0 and low < high; "
            f"got mean={mean:g}, std={std:g}, low={low:g}, high={high:g}"
        )
    # In the upper tail the higher bound has the fewer words. The span is even, so that int64 can
    # multiply a word by it (see `eager`), and stays below 2^32.
    top = tail_words((high - mean) / std)
    span = min((tail_words((low - mean) / std) - top) & ~1, WORDS - 2)
    if span < LEAST:
        raise OptionError(
            f"between low={low:g} and high={high:g} lies less than a millionth of the normal with "
            f"mean {mean:g} and std {std:g}; that is too far in the tail to draw from"
        )
    return top, span


@lru_cache(maxsize=4096)
def tail_words(x: float) -> int:
    """Return ``2^32 Q(x)``, rounded to the nearest integer, ties to even; Q is the upper tail.

    Computed to 60 digits, so the rounding is the exact one.

    >>> tail_words(0.0) == 2**31
    True
    """
    if abs(x) > 7:  # 2^32 Q(7) is 0.0055
        return 0 if x > 0 else WORDS
    from decimal import Decimal, localcontext  # here: only truncated normals pay for the import

    with localcontext() as context:  # of this thread, and put back
        context.prec = _DIGITS
        t = Decimal(x)
        term = total = t
        # All terms have the sign of x, so nothing cancels; for |x| <= 7 they soon shrink.
        k, least = 1, abs(t).scaleb(-_DIGITS)
        while abs(term) > least:  # the mass between 0 and x: phi(x) (x + x^3/3 + x^5/(3 5) + ...)
            k += 2
            term *= t * t / k
            total += term
        centre = total * (-t * t / 2).exp() / (2 * Decimal(_PI)).sqrt()
        return round(WORDS * (Decimal("0.5") - centre))


_PI = "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899863"
