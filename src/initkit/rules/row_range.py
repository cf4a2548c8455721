"""Which rows of a tensor a rule is for, as users write them."""

from __future__ import annotations

import re

from ..errors import RuleError
from ..numbers import Value, frozen

_SLICE = re.compile(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*")


@frozen
class RowRange(Value):
    """Hold the ends of rows of dimension 0 as Python's slices have them, without a step."""

    start: int | None
    stop: int | None

    @classmethod
    def of(cls, value: object) -> RowRange:
        """Read ``"50257:"``, ``":10"``, ``"-2:"``, one row as a number, or a slice.

        Raises :class:`~initkit.errors.RuleError` for anything else.

        >>> str(RowRange.of("50257:")), str(RowRange.of(0)), str(RowRange.of(slice(-2, None)))
        ('50257:', '0:1', '-2:')
        """
        if isinstance(value, RowRange):
            return value
        if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return cls(value, value + 1 or None)  # -1 is the last row, which nothing comes after
        if isinstance(value, slice) and value.step in (None, 1):
            value = ":".join("" if end is None else str(end) for end in (value.start, value.stop))
        found = _SLICE.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise RuleError(f"rows are written like '50257:', ':10' or '-2:', not {value!r}")
        return cls(*(int(end) if end else None for end in found.groups()))

    def within(self, count: int) -> tuple[int, int]:
        """Return the first row and the one behind the last, of a tensor with ``count`` rows.

        Both are 0 where these are not rows of the tensor, or none at all.
        """
        start, stop = (
            default if end is None else end + count if end < 0 else end
            for end, default in ((self.start, 0), (self.stop, count))
        )
        return (start, stop) if 0 <= start < stop <= count else (0, 0)

    def __str__(self) -> str:
        return ":".join("" if end is None else str(end) for end in (self.start, self.stop))
