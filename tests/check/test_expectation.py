"""What a distribution says about values of one dtype."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initkit import apply_init, check_init
from initkit.check.expectation import expectation
from initkit.distributions import Normal, Uniform


def test_an_expectation_of_16_bits_is_that_of_the_rounded_distribution() -> None:
    torch.manual_seed(0)
    distribution = Normal(1.0, 0.001)
    mean, std, _ = expectation(distribution, torch.bfloat16).moments
    x = (torch.randn(4_000_000, dtype=torch.float64) * 0.001 + 1).to(torch.bfloat16).double()
    assert float(x.mean()) == pytest.approx(mean, abs=6 * std / 2000)
    assert float(x.std()) == pytest.approx(std, rel=0.01)
    assert std != pytest.approx(distribution.std, rel=0.01)


def test_no_value_of_16_bits_is_0_where_none_near_0_is_drawn() -> None:
    assert expectation(Normal(7e4, 1.0), torch.bfloat16).zero[1] < 1e-6


def test_what_rounds_to_0_in_16_bits_is_expected_as_0() -> None:
    assert expectation(Uniform(1e-9, 1e-8), torch.float16).zero[1] >= 1


@pytest.mark.parametrize("scheme", ["normal(std=1e-9)", "normal(std=3e-8)", "normal(mean=300)"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.complex32, torch.complex64])
@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
def test_what_was_written_is_as_planned_where_few_values_can_be_held(
    scheme: str, dtype: torch.dtype
) -> None:
    model = nn.Module()
    model.weight = nn.Parameter(torch.zeros(60, 60, dtype=dtype))
    apply_init(model, {"weight": scheme}, seed=0)
    assert check_init(model, {"weight": scheme}).ok
