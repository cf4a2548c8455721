"""A CDF as a curve, and its inverse."""

from __future__ import annotations

import pytest
import torch

from initkit.distributions import (
    Distribution,
    MaskedUniform,
    Normal,
    Source,
    TruncatedNormal,
    curve,
)

EACH = [
    Normal(1.0, 2.0),
    TruncatedNormal(0.0, 1.0, 2.0, 3.0),
    Normal(0.0, 3.0).mapped("exp"),  # of which nearly all lies in a thousandth of its reach
    MaskedUniform(-1.0, 1.0, 0.5),
]


@pytest.mark.parametrize("made", EACH, ids=str)
def test_the_curve_is_the_cdf(made: Distribution) -> None:
    x = made.draw_all(Source(0, "w"), torch.empty(5_000)).double()
    # Between two points, 2e-4 apart at most, a curve is off by less than half of it.
    assert torch.allclose(curve(made).share(x), made.cdf(x), atol=1e-4)


@pytest.mark.parametrize("made", EACH, ids=str)
def test_the_inverse_gives_back_the_share(made: Distribution) -> None:
    share = torch.linspace(0.001, 0.999, 999).double()
    value = curve(made).value(share)
    jump = value.abs() < 1e-12 if made.atoms else torch.zeros_like(value, dtype=torch.bool)
    assert torch.allclose(made.cdf(value)[~jump], share[~jump], atol=1e-4)
    assert bool(jump.any()) == bool(made.atoms)
