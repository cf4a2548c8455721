"""Distributions by place: those of torch, bit for bit."""

from __future__ import annotations

import torch
from torch import nn

from initkit import distributions
from initkit.distributions import Source

SOURCE = Source(0, "fc.weight")


def draw(distribution: distributions.Distribution, n: int) -> torch.Tensor:
    out = torch.full((n,), torch.nan)
    distribution.write(out, SOURCE)
    return out


def test_the_eye_and_dirac_of_torch_are_ours_bit_for_bit() -> None:
    eye = distributions.Eye((30, 20), (1, 30, 20))
    assert torch.equal(draw(eye, 600).view(30, 20), nn.init.eye_(torch.empty(30, 20)))
    for groups in (1, 2, 5):
        for shape in ((20, 4, 3), (20, 4, 3, 5), (20, 4, 2, 3, 4)):
            dirac = distributions.Dirac(shape, groups)
            theirs = nn.init.dirac_(torch.empty(shape), groups)
            assert torch.equal(draw(dirac, theirs.numel()).view(shape), theirs)
