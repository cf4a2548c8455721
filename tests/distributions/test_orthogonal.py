"""Orthogonal distributions: every block is, and a coordinate has the known CDF."""

from __future__ import annotations

import math

import torch

from initkit import distributions
from initkit.distributions import Source

SOURCE = Source(0, "fc.weight")


def test_every_block_of_an_orthogonal_distribution_is_orthogonal() -> None:
    q = distributions.Orthogonal((4 * 40, 60), 1.0, (4, 40, 60)).draw(SOURCE).view(4, 40, 60)
    assert torch.allclose(q @ q.mT, torch.eye(40, dtype=q.dtype).expand(4, -1, -1), atol=1e-12)
    assert not torch.equal(q[0], q[1])


def test_a_delta_orthogonal_convolution_is_orthogonal_in_the_middle_and_zero_elsewhere() -> None:
    w = distributions.DeltaOrthogonal((8, 5, 3, 4), 1.0).draw(SOURCE)
    middle = w[:, :, 1, 2].clone()
    assert torch.allclose(middle.T @ middle, torch.eye(5, dtype=w.dtype), atol=1e-12)
    w[:, :, 1, 2] = 0
    assert not w.any()


def test_a_coordinate_on_the_sphere_has_the_known_cdf() -> None:
    """Known: arcsine for 2 dimensions, uniform for 3, nearly normal for many."""
    x = torch.tensor([-0.9, -0.3, 0.0, 0.5, 0.99], dtype=torch.float64)
    circle = distributions.Orthogonal((2, 2), 1.0, (1, 2, 2)).cdf(x)
    assert torch.allclose(circle, 0.5 + x.asin() / math.pi, atol=1e-7)
    ball = distributions.Orthogonal((3, 3), 1.0, (1, 3, 3)).cdf(x)
    assert torch.allclose(ball, (1 + x) / 2, atol=1e-7)
    many = distributions.Orthogonal((4096, 64), 1.0, (1, 4096, 64)).cdf(x / 64)
    assert torch.allclose(many, torch.special.ndtr(x), atol=1e-3)
