"""One pass over a tensor gives its moments."""

from __future__ import annotations

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
