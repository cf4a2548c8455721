"""What a distribution says about values of one dtype."""

from __future__ import annotations

import pytest
import torch

from initkit.check.expectation import expectation
from initkit.distributions import Normal


def test_an_expectation_of_16_bits_is_that_of_the_rounded_distribution() -> None:
    torch.manual_seed(0)
    distribution = Normal(1.0, 0.001)
    mean, std, _ = expectation(distribution, torch.bfloat16).moments
    x = (torch.randn(4_000_000, dtype=torch.float64) * 0.001 + 1).to(torch.bfloat16).double()
    assert float(x.mean()) == pytest.approx(mean, abs=6 * std / 2000)
    assert float(x.std()) == pytest.approx(std, rel=0.01)
    assert std != pytest.approx(distribution.std, rel=0.01)
