"""Schemes without fans: truncated normals keep what they promise, no spread is a constant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from initkit import apply_init, check_init, distributions, plan_init, schemes
from initkit.errors import OptionError
from initkit.numbers import Layout
from initkit.schemes import Site, read_scheme

LINEAR = Site((300, 200), layout=Layout.parse("out in"))


def test_bare_trunc_normal_has_the_bounds_of_torch_and_says_that_they_cut_nothing() -> None:
    step = plan_init(nn.Linear(3, 3), {"*": "trunc_normal(std=0.02)"})["weight"]
    assert step.distribution == distributions.TruncatedNormal(0.0, 0.02, -2.0, 2.0)
    assert step.note == "the bounds cut nothing"


@given(std=st.floats(0.01, 5), cutoff=st.floats(0.5, 5), mean=st.floats(-3, 3))
def test_preserve_std_keeps_the_std_with_bounds_in_sigmas(
    std: float, cutoff: float, mean: float
) -> None:
    scheme = schemes.TruncNormal(mean=mean, std=std, cutoff=cutoff, preserve_std=True)
    got = scheme.resolve(LINEAR)
    assert got.std == pytest.approx(std, rel=1e-6)
    assert got.mean == pytest.approx(mean, abs=1e-9)


@given(std=st.floats(0.01, 0.5), low=st.floats(-2, -1), high=st.floats(1, 2))
def test_preserve_std_keeps_the_std_with_absolute_bounds(
    std: float, low: float, high: float
) -> None:
    got = schemes.TruncNormal(std=std, low=low, high=high, preserve_std=True).resolve(LINEAR)
    assert got.std == pytest.approx(std, rel=1e-6)
    assert (got.low, got.high) == (low, high)


def test_a_std_that_bounds_cannot_have_is_refused() -> None:
    scheme = schemes.TruncNormal(std=1, low=-1, high=1, preserve_std=True)
    with pytest.raises(OptionError, match=r"std of 1 cannot be preserved between -1 and 1"):
        scheme.resolve(LINEAR)


def test_zero_spread_is_a_constant() -> None:
    for text in ("normal(std=0)", "trunc_normal(std=0)", "xavier_normal(gain=0)", "uniform(0, 0)"):
        assert read_scheme(text).resolve(LINEAR) == distributions.Constant(0.0)


@pytest.mark.parametrize("std", [0, "1e-300", "1e-320"])
@pytest.mark.parametrize(("low", "high", "nearest"), [(5, 6, 5.0), (-6, -5, -5.0), (-1, 6, 0.0)])
def test_a_truncated_normal_without_a_spread_is_at_its_mean_or_at_the_nearest_bound(
    std: object, low: int, high: int, nearest: float
) -> None:
    layer = nn.Linear(3, 3)
    rule = f"trunc_normal(std={std}, low={low}, high={high})"
    apply_init(layer, {"weight": rule, "bias": 0}, seed=0)
    assert layer.weight.unique().tolist() == [nearest]
    assert check_init(layer, {"weight": rule, "bias": 0})
