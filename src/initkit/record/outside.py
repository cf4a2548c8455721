"""Values that come from outside torch: whether Python's or numpy's randomness may be in them."""

from __future__ import annotations

import random
import sys
from typing import Any

from .expression import OUTSIDE, Expression, draw


class Outside:
    """Tell whether the global generators of Python and numpy were used since the recording began.

    A generator that code makes for itself goes unseen.
    """

    def __init__(self) -> None:
        self._python = random.getstate()
        self._numpy = _numpy_state()
        self._suspicious: Expression | None = None

    def value(self) -> Expression:
        """Return the expression of a value from outside torch that is met now."""
        if self._suspicious is None and (used := self._used()):
            self._suspicious = draw(None, f"values from outside torch, after {used} was used")
        return self._suspicious or OUTSIDE

    def _used(self) -> str:
        if random.getstate() != self._python:
            return "Python's random"
        state = _numpy_state()
        return "numpy.random" if state is not None and state != self._numpy else ""


def _numpy_state() -> tuple[Any, ...] | None:
    numpy: Any = sys.modules.get("numpy")
    if numpy is None:
        return None
    kind, keys, *rest = numpy.random.get_state()
    return (kind, keys.tobytes(), *rest)
