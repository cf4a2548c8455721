"""Where a value came from: the writes of one parameter, each with the code that caused it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

from ..numbers import Value, frozen


@frozen
class Write(Value):
    """One write of a parameter, as its own code carried it out.

    ``call`` is what was called, ``start`` how the memory started afterwards, ``function`` the
    method or function that called it; ``file`` and ``line`` are in the nearest code that is neither
    torch's nor initkit's, and ``part`` says which elements, where not all were written.

    >>> print(Write("normal_(std=0.02)", "N(0, 0.02)", "Net._init_weights", "src/net.py", 12))
    normal_(std=0.02): N(0, 0.02), in Net._init_weights (net.py:12)
    """

    call: str
    start: str
    function: str
    file: str
    line: int
    part: str = ""

    @property
    def place(self) -> str:
        """Function, file and line."""
        return f"{self.function} ({PurePath(self.file).name}:{self.line})"

    def __str__(self) -> str:
        part = f" in {self.part}" if self.part else ""
        return f"{self.call}: {self.start}{part}, in {self.place}"

    def to_dict(self) -> dict[str, Any]:
        """Return the write as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Write:
        """Return the write that :meth:`to_dict` wrote."""
        return cls(**data)
