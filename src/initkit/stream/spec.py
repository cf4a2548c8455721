"""What to make of the words: an operation and its numbers."""

from __future__ import annotations

from typing import TypeAlias

# The order of the enum in csrc/stream.h and of the maps in `eager`.
WORDS, UNIFORM, NORMAL, TRUNC_NORMAL, BERNOULLI, CHOICE, CONSTANT = range(7)
VALUES = (UNIFORM, NORMAL, TRUNC_NORMAL)
LARGEST_NORMAL = 6.230259895324707  # no word makes a larger standard normal, and one makes minus it

# The operation, then its numbers: low, high, threshold of a uniform; mean, std of a normal; mean,
# std, low, high, top, span of a truncated one; the limit of a Bernoulli draw; m of a choice; the
# value of a constant. A bare tuple, since both implementations read it, the kernel at every tensor.
Spec: TypeAlias = tuple[float, ...]


def bounds_of(spec: Spec) -> tuple[float, float] | None:
    """Return between which numbers the values lie, where there are bounds."""
    if spec[0] == UNIFORM:
        low, high, threshold = spec[1:4]
        # Zeros where the mask is lie beyond bounds that are both on one side.
        return (min(low, 0.0), max(high, 0.0)) if threshold else (low, high)
    return spec[3:5] if spec[0] == TRUNC_NORMAL else None  # type: ignore[return-value]
