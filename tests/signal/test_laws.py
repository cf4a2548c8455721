"""The law that made some values is the law that is found."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initkit.signal.laws import fit_law

DEPTHS = range(1, 41)


@given(st.floats(0.3, 3.0).filter(lambda f: abs(f - 1) > 0.02), st.floats(1e-30, 1e30))
def test_a_factor_a_layer_is_exponential(factor: float, start: float) -> None:
    law = fit_law([start * factor**i for i in DEPTHS])
    assert law.kind == "exponential" and law.rate == pytest.approx(factor, rel=1e-6)
    assert law.ratio == pytest.approx(law.fitted_ratio, rel=1e-6)


@given(st.floats(-2.0, 2.0).filter(lambda p: min(abs(p), abs(p - 0.5)) > 0.05))
def test_a_power_of_the_depth_is_a_power(exponent: float) -> None:
    law = fit_law([i**exponent for i in DEPTHS])
    assert law.kind == "power" and law.rate == pytest.approx(exponent, abs=1e-6)


@given(st.floats(0.2, 5.0), st.floats(1e-3, 1e3))
def test_squares_that_grow_by_an_amount_are_additive(rate: float, start: float) -> None:
    law = fit_law([start * math.sqrt(1 + rate * (i - 1)) for i in DEPTHS])
    # With a rate of 1 the square is the depth itself: the same numbers, by two names.
    assert law.kind == "additive" or (abs(rate - 1) < 1e-3 and law.kind == "power")
    assert law.kind == "power" or law.rate == pytest.approx(rate, rel=1e-4)


def test_what_is_measured_and_what_is_fitted_may_differ() -> None:
    values = [1.0] * 20 + [1e4]
    law = fit_law(values)
    assert law.ratio == 1e4 and law.fitted_ratio < 100


def test_zeros_and_infinities_are_left_out_of_the_fit() -> None:
    law = fit_law([0.0, 1.0, 2.0, math.inf, 8.0, 16.0])
    assert law.first == 0.0 and math.isnan(law.ratio)
    assert fit_law([1.0, 0.0]).ratio == 0.0
    assert fit_law([0.0, 0.0]).kind == "exponential"
    assert fit_law([1.0]) is None and fit_law([]) is None


def test_a_law_says_itself() -> None:
    assert str(fit_law([2.0**-i for i in DEPTHS])) == "0.5 -> 9.09e-13, a factor of 0.5 a layer"
    assert str(fit_law([i**0.25 for i in DEPTHS])).endswith("as depth to the power 0.25")
    assert str(fit_law([math.sqrt(2 + i) for i in DEPTHS])) == (
        "1.73 -> 6.48, squares grow by 0.33 of the first a layer"
    )
