"""The p-values of a sample: bounds found, and never too small."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initkit import check_init
from initkit.check.expectation import expectation
from initkit.check.norms import norm_tests
from initkit.check.sample import TensorSample
from initkit.distributions import Distribution, Normal, Test, TruncatedNormal, Uniform


def test_a_bound_that_is_slightly_off_is_found() -> None:
    model = nn.Linear(100, 100, bias=False)
    nn.init.uniform_(model.weight, -0.1, 0.1)
    assert check_init(model, {"weight": "uniform(-0.1, 0.1)"}).ok
    assert check_init(model, {"weight": "uniform(-0.101, 0.101)"}).failures[0].kind == "bounds"
    assert check_init(model, {"weight": "uniform(-0.0999, 0.0999)"}).failures[0].kind == "bounds"


@pytest.mark.parametrize(
    "distribution",
    [Normal(0.0, 1.0), Uniform(-1.0, 2.0), TruncatedNormal(0.0, 1.0, -1.0, 3.0)],
    ids=str,
)
@pytest.mark.parametrize("n", [1, 3, 20, 200])
def test_p_values_are_never_too_small(distribution, n: int) -> None:
    torch.manual_seed(n)
    draws = 2000
    grid = torch.linspace(
        distribution.mean - 7 * distribution.std, distribution.mean + 7 * distribution.std, 20001
    ).double()
    values = grid[
        torch.searchsorted(distribution.cdf(grid), torch.rand(draws, n).double()).clamp(max=20000)
    ]
    low: dict[str, int] = {}
    ends = ("bounds", "extremes")
    for row in values.clamp(distribution.low, distribution.high).float():
        for test in TensorSample(distribution, [row]).tests():
            low[test.kind] = low.get(test.kind, 0) + (test.p < 0.01)
    # 20 are expected at most (both ends count as one kind: 40); 2,000 draws vary by 5 sigma = 32
    assert all(count <= 20 + 25 for kind, count in low.items() if kind not in ends), low
    assert all(low.get(kind, 0) <= 40 + 32 for kind in ends)


@pytest.mark.parametrize(
    "distribution",
    [Normal(0.0, 1.0), Uniform(-1.0, 2.0), TruncatedNormal(0.0, 1.0, -1.0, 3.0)],
    ids=str,
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_what_is_remembered_of_other_tensors_changes_no_test(distribution, dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    shares = torch.rand(60, 8, 8, generator=generator, dtype=torch.float64)
    grid = torch.linspace(-6, 6, 20_001).double()
    made = grid[torch.searchsorted(distribution.cdf(grid), shares).clamp(max=20_000)]
    made = made.clamp(distribution.low, distribution.high)
    made[::5] *= 1.4  # of those some are odd
    samples = [one.to(dtype) for one in made]
    apart = []
    for x in samples:
        expectation.cache_clear()
        apart.append(_tests(distribution, x))
    expectation.cache_clear()
    assert [_tests(distribution, x) for x in samples] == apart
    assert min(test.p for tests in apart for test in tests) < 1e-3


def _tests(distribution: Distribution, x: torch.Tensor) -> list[Test]:
    tests = list(TensorSample(distribution, [x]).tests())
    return tests + list(norm_tests(x, distribution, x.dtype))
