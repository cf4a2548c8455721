"""Statistical tests whose tolerances follow from the sample size."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from initkit.distributions import Distribution

# One test in 10^7 fails by chance; seeds are fixed, so a test that passes keeps on passing.
SIGMAS = 5.5


def ks_distance(sample: Tensor, distribution: Distribution) -> float:
    """Return the Kolmogorov-Smirnov distance of a sample from a distribution, atoms included."""
    values, counts = sample.double().flatten().sort().values.unique_consecutive(return_counts=True)
    upper = counts.cumsum(0).double() / sample.numel()
    lower = torch.cat([upper.new_zeros(1), upper[:-1]])
    at, below = distribution.cdf(values), distribution.cdf(torch.nextafter(values, values - 1))
    return float(torch.maximum((upper - at).abs(), (lower - below).abs()).max())


def assert_drawn_from(sample: Tensor, distribution: Distribution, independent: bool = True) -> None:
    """Fail unless mean, std, bounds and CDF of a sample are those of the distribution."""
    x = sample.detach().double().flatten()
    n = x.numel()
    mean, std = distribution.moments
    slack = 1e-6 * max(abs(mean), std, 1e-30)
    assert abs(float(x.mean()) - mean) <= SIGMAS * std / math.sqrt(n) + slack
    fourth = float(((x - mean) ** 4).mean())
    spread = math.sqrt(max(fourth - std**4, 0.0)) if std else 0.0
    assert (
        abs(float(((x - mean) ** 2).mean()) - std**2) <= SIGMAS * spread / math.sqrt(n) + slack**2
    )
    eps = 1e-6 * max(abs(distribution.low) if math.isfinite(distribution.low) else 1.0, 1e-30)
    assert float(x.min()) >= distribution.low - eps
    assert float(x.max()) <= distribution.high + eps
    if std and independent:  # P(D > c/sqrt(n)) <= 2 exp(-2 c^2): 10^-7 at c = 2.9
        assert ks_distance(x, distribution) <= 2.9 / math.sqrt(n)
