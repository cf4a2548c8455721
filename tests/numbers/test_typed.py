"""Fields of dataclasses from files hold what they are declared to hold, and nothing like it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from initkit.errors import ReadError
from initkit.numbers import Fans, check_fields


@dataclass
class Row:
    number: float = 0.0
    count: int = 0
    flag: bool = False
    word: Literal["a", "b"] = "a"
    shape: tuple[int, ...] = ()
    pair: tuple[str, float] = ("", 0.0)
    fans: Fans | None = None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", 3),
        ("number", float("inf")),
        ("word", "b"),
        ("shape", (1, 2, 3)),
        ("pair", ("x", 1)),
        ("fans", Fans(1, 2)),
    ],
)
def test_what_is_declared_is_accepted(field: str, value: Any) -> None:
    check_fields(Row(**{field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", True),
        ("number", "1"),
        ("number", 2**53 + 1),
        ("count", 1.0),
        ("count", True),
        ("flag", 1),
        ("word", "c"),
        ("word", []),
        ("shape", [1]),
        ("shape", (1, "2")),
        ("pair", ("x",)),
        ("pair", (1.0, "x")),
        ("fans", (1, 2)),
    ],
)
def test_what_is_not_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ReadError, match=f"{field} of Row cannot be "):
        check_fields(Row(**{field: value}))
