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
