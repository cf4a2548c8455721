"""What no starting value should be, each said in its own words."""

from __future__ import annotations

import math

import pytest
import torch

from initkit.check.measure import measure
from initkit.check.sanity import sanity_tests

DENORMAL = "are below 1e-30 without being 0; this memory was probably never written"


def texts(values: torch.Tensor) -> list[str]:
    return [t.text for t in sanity_tests(measure([values]), values.dtype, tuple(values.shape))]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([[1.0, math.nan], [0.5, math.nan]], ["2 of 4 elements are NaN"]),
        ([[1.0, -math.inf], [0.5, 0.1]], ["1 of 4 elements are infinite"]),
        (
            [[math.nan, math.inf]],
            ["1 of 2 elements are NaN", "1 of 2 elements are infinite"],
        ),
        ([[1.0, -1e35]], ["values reach 1e+35; memory that was never written holds such"]),
        (
            [[1.0, 1e-38]],
            [f"50 % of the elements {DENORMAL}"],
        ),
        ([[0.0, 0.0], [0.0, 0.0]], ["all 4 elements are 0"]),
        ([[0.0, 0.0]], []),  # a row, as a bias may be
        ([[0.0, 1.0], [0.0, 0.0]], []),
    ],
)  # fmt: skip
def test_garbage_is_named_and_nothing_else_is(values: list[list[float]], found: list[str]) -> None:
    assert texts(torch.tensor(values)) == found


def test_small_numbers_of_16_bits_are_their_own_denormals() -> None:
    assert not texts(torch.tensor([[1.0, 1e-38]]).bfloat16())
