"""Truncated normals that 32-bit words would tell too coarsely: exact, in every dtype and shard."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext

import pytest
import torch
from stats import ks_distance
from torch import nn

from initkit import apply_init, check_init, plan_init
from initkit.distributions import Source, TruncatedNormal, tail

BOUNDS = [(5.0, 6.0), (-6.0, -5.0), (8.0, math.inf), (-math.inf, -40.0), (0.0, 1e-6),
          (-1e-7, 1e-7), (4.5, 4.55), (2.0, 2.0 + 1e-7)]  # fmt: skip


def upper_tail(x: Decimal) -> Decimal:
    """Return Q(x) sqrt(2 pi) by a continued fraction long enough for 30 digits."""
    value = x
    for k in range(400, 0, -1):
        value = x + k / value
    return (-x * x / 2).exp() / value


@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_shares_of_quantiles_are_where_they_began(low: float, high: float) -> None:
    assert tail.too_coarse(low, high)
    u = torch.linspace(1e-6, 1 - 1e-6, 1001, dtype=torch.float64)
    z = tail.quantile(u, low, high)
    assert bool((z.diff() > 0).all())
    assert float((tail.share(z, low, high) - u).abs().max()) < 1e-8
    assert low <= float(z[0]) < float(z[-1]) <= high


@pytest.mark.parametrize("u", [0.001, 0.3, 0.9, 0.999])
def test_a_quantile_in_the_tail_is_that_of_forty_digits(u: float) -> None:
    getcontext().prec = 40
    low, high = Decimal(5), Decimal(6)
    z = Decimal(float(tail.quantile(torch.tensor([u], dtype=torch.float64), 5.0, 6.0)))
    whole = upper_tail(low) - upper_tail(high)
    share = (upper_tail(low) - upper_tail(z)) / whole
    assert float(share) == pytest.approx(u, abs=1e-13)


@pytest.mark.parametrize(("low", "high"), [(5.0, 6.0), (-9.0, -8.0), (0.0, 1e-6)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_written_follows_the_distribution(
    low: float, high: float, dtype: torch.dtype
) -> None:
    made = TruncatedNormal(0.0, 1.0, low, high)
    values = torch.empty(20_000, dtype=dtype)
    made.write(values, Source(0, "w"))
    assert float(values.min()) >= low
    assert float(values.max()) <= high
    # The 0.1 % point of Kolmogorov's distribution.
    assert ks_distance(values, made) < 1.95 / math.sqrt(20_000)
    assert made.mean == pytest.approx(float(values.double().mean()), abs=4 * made.std / 141)
    assert made.std == pytest.approx(float(values.double().std()), rel=0.05)
    part = torch.empty(70, dtype=dtype)
    made.write(part, Source(0, "w"), [(3, 20), (900, 50)])
    assert torch.equal(part, torch.cat([values[3:23], values[900:950]]))


@pytest.mark.parametrize("text", ["low=5, high=6", "low=0, high=1e-6", "mean=1, std=0.1, low=1.7"])
def test_rules_start_far_out_and_close_together(text: str) -> None:
    layer = nn.Linear(50, 40)
    rules = {"*": f"trunc_normal({text})"}
    apply_init(layer, rules, seed=1)
    assert check_init(layer, rules).ok
    assert not plan_init(layer, rules).problems


def test_complex_numbers_far_out_have_a_word_for_each_part() -> None:
    made = TruncatedNormal(0.0, 1.0, 5.0, 6.0)
    pairs, reals = torch.empty(5, dtype=torch.complex64), torch.empty(10)
    made.write(pairs, Source(0, "w"))
    made.write(reals, Source(0, "w"))
    assert torch.equal(torch.view_as_real(pairs).flatten(), reals)


@pytest.mark.parametrize("text", ["uniform(-0.1, 0.1)", "uniform(0.7, 0.9)",
                                  "trunc_normal(std=1, low=-0.1, high=0.1)"])  # fmt: skip
def test_float64_never_leaves_the_bounds(text: str) -> None:
    """Bounds that float32 rounds outwards: one value in some thousand would lie beyond."""
    layer = nn.Linear(1000, 3000, bias=False, dtype=torch.float64)
    apply_init(layer, {"weight": text}, seed=0)
    made = plan_init(layer, {"weight": text})["weight"].distribution
    assert made.low <= layer.weight.min().item()
    assert layer.weight.max().item() <= made.high
