"""Elementary functions from sums and products alone agree with the library's."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from initkit.numbers import exact_math


@settings(deadline=None)
@given(st.floats(1e-6, 1e6))
def test_log_is_the_logarithm(x: float) -> None:
    got = float(exact_math.log(torch.tensor(x, dtype=torch.float64)))
    assert got == pytest.approx(math.log(x), rel=1e-14, abs=1e-15)


@settings(deadline=None)
@given(st.floats(-100, 100))
def test_exp_sin_and_cos_are_themselves(x: float) -> None:
    at = torch.tensor(x, dtype=torch.float64)
    assert float(exact_math.exp(at)) == pytest.approx(math.exp(x), rel=1e-14)
    assert float(exact_math.sin(at)) == pytest.approx(math.sin(x), abs=1e-14)
    assert float(exact_math.cos(at)) == pytest.approx(math.cos(x), abs=1e-14)


@settings(deadline=None)
@given(st.floats(1e-4, 50))
def test_inverse_softplus_is_undone_by_softplus(y: float) -> None:
    x = exact_math.inverse_softplus(torch.tensor(y, dtype=torch.float64))
    assert float(exact_math.log1p_exp(x)) == pytest.approx(y, rel=1e-11)


def test_a_sine_is_exact_however_large_the_angle() -> None:
    angles = [1e7, -1e15, 1e22, 1e300, 1.7e308]
    found = exact_math.sin(torch.tensor(angles, dtype=torch.float64)).tolist()
    assert found == pytest.approx([math.sin(angle) for angle in angles], rel=4e-16)
    assert exact_math.sin(torch.tensor([math.inf, math.nan])).isnan().all()


def test_the_angle_that_is_nearest_to_a_multiple_of_a_quarter_keeps_its_digits() -> None:
    """Of all float64 it is this one (Muller, Elementary Functions), with this cosine."""
    angle = torch.tensor([6381956970095103.0 * 2.0**797], dtype=torch.float64)
    (rest,) = exact_math.cos(angle).tolist()
    assert rest == pytest.approx(-4.687165924254624e-19, rel=1e-15)
