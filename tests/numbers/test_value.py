"""Frozen values: equal where class and compared fields are, and printed as they are made."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, field

import pytest

from initkit.numbers import Value, frozen


@frozen
class Point(Value):
    x: float
    y: float = 0.0
    label: str = field(default="", compare=False, repr=False)


@frozen(kw_only=True)
class Pixel(Value):
    x: float


class Corner(Point):
    """Nothing but another class."""


def test_equal_fields_of_one_class_are_equal_and_hash_alike() -> None:
    assert Point(1, 2) == Point(1, 2) != Point(1, 3)
    assert len({Point(1), Point(1.0), Point(1, 0, "named")}) == 1
    assert Pixel(x=1) == Pixel(x=1) != Pixel(x=2)


def test_classes_tell_values_apart() -> None:
    assert Point(1) != Corner(1)
    assert Point(1) != (1, 0.0)


def test_a_value_prints_the_fields_that_it_shows() -> None:
    assert repr(Point(1, label="hidden")) == "Point(x=1, y=0.0)"


def test_a_value_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        Point(1).x = 2  # type: ignore[misc]
