"""Geometric initialisation: a network that starts as the distance to a sphere."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from initkit import apply_init, check_init, plan_init


class Distance(nn.Module):
    """A network of signed distances."""

    def __init__(self, width: int = 512, depth: int = 6) -> None:
        super().__init__()
        sizes = [3, *[width] * depth, 1]
        for i, (a, b) in enumerate(pairwise(sizes)):
            setattr(self, f"lin{i}", nn.Linear(a, b))
        self.depth = depth

    def forward(self, x: Tensor) -> Tensor:
        for i in range(self.depth):
            x = torch.relu(getattr(self, f"lin{i}")(x))
        return getattr(self, f"lin{self.depth}")(x)


def test_it_starts_as_the_signed_distance_to_a_sphere() -> None:
    model = Distance()
    apply_init(model, "sdf(radius=0.5)", seed=0)
    direction = nn.functional.normalize(
        torch.randn(200, 3, generator=torch.Generator().manual_seed(0)), dim=1
    )
    for length in (0.25, 0.5, 1.0):
        with torch.no_grad():
            found = model(length * direction)
        # Each of six layers of 512 keeps squared lengths within sqrt(5/512) in a random net.
        assert abs(float(found.mean()) - (length - 0.5)) < 3 * length * (6 * 5 / 512) ** 0.5 / 2
    assert check_init(model, "sdf(radius=0.5)").ok


def test_the_last_layer_alone_has_a_mean_and_the_radius() -> None:
    plan = plan_init(Distance(64, 2), "sdf/igr")
    assert plan["lin1.weight"].start == f"N(0, {(2 / 64) ** 0.5:.4g})"
    assert plan["lin2.weight"].distribution.mean == pytest.approx((torch.pi / 64) ** 0.5)
    assert plan["lin2.bias"].start == "constant -1"
    assert plan["lin1.bias"].start == "constant 0"
