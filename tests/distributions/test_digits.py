"""Numbers are short, unless that would make two different ones the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initkit.distributions import Normal, short, shorts, told_apart

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(NUMBERS, min_size=1, max_size=4))
def test_different_numbers_have_different_texts(numbers: list[float]) -> None:
    texts = shorts(*numbers)
    assert len(set(texts)) == len(set(numbers))
    # The fewest digits that do.
    assert any(len(text) > len(short(x)) for text, x in zip(texts, numbers, strict=True)) is (
        len(set(map(short, numbers))) < len(set(numbers))
    )


def test_texts_that_no_digit_tells_apart_stay_short() -> None:
    third = Normal(0.0, 1 / 3)
    assert told_apart(lambda: [third.describe(), third.describe()]) == ["N(0, 0.3333)"] * 2


def test_what_fails_leaves_four_digits() -> None:
    def tell() -> list[str]:
        told = short(1 / 3)
        if len(told) > 6:
            raise ValueError(told)
        return [told, told]

    with pytest.raises(ValueError, match=r"0\.33333"):
        told_apart(tell)
    assert short(1 / 3) == "0.3333"
