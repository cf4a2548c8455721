"""What to make of the words: an operation and its numbers."""

from __future__ import annotations

from typing import TypeAlias

# The order of the enum in _kernel.c and of the maps in `eager`.
WORDS, UNIFORM, NORMAL, TRUNC_NORMAL, BERNOULLI, CHOICE = range(6)
VALUES = (UNIFORM, NORMAL, TRUNC_NORMAL)
LARGEST_NORMAL = 6.230259895324707  # no word makes a larger standard normal, and one makes minus it

# The operation, then its numbers: (UNIFORM, low, high, threshold), (NORMAL, mean, std),
# (TRUNC_NORMAL, mean, std, low, high, top, span), (BERNOULLI, limit), (CHOICE, m). A bare tuple,
# since one is made for every tensor and both implementations read it.
Spec: TypeAlias = tuple[float, ...]
