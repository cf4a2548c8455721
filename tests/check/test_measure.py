"""One pass over a tensor gives its moments."""

from __future__ import annotations

import math

import pytest
import torch

from initkit.check.measure import measure


def test_moments_are_exact_on_awkward_numbers() -> None:
    torch.manual_seed(0)
    x = torch.randn(1_000_003) * 1e-3 + 100
    seen = measure([x], centre=100.0)
    exact = x.double()
    assert seen.mean == pytest.approx(float(exact.mean()), rel=1e-9)
    assert seen.std == pytest.approx(float(exact.std(correction=0)), rel=1e-4)


@pytest.mark.parametrize("first", [1.0, 0.0, torch.nan, torch.inf])
def test_what_is_shown_several_times_is_measured_once(first: float) -> None:
    held = torch.tensor([[first], [2.0], [1e-35]])
    shown = held[:, None, :].expand(3, 4, 5)
    assert 0 in shown.stride()
    seen, expected = measure([shown]), measure([shown.contiguous()])
    assert (seen.n, seen.nans, seen.infinities) == (60, expected.nans, expected.infinities)
    assert (seen.zeros, seen.tiny) == (expected.zeros, expected.tiny)
    if math.isfinite(first):
        assert (seen.low, seen.high) == (expected.low, expected.high)
        assert (seen.mean, seen.std) == pytest.approx((expected.mean, expected.std))


def test_a_number_shown_without_end_costs_no_more_than_one() -> None:
    seen = measure([torch.ones(()).expand(1 << 20, 1 << 20, 1 << 10)])
    assert (seen.n, seen.mean, seen.std, seen.zeros) == (1 << 50, 1.0, 0.0, 0)
