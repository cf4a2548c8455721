"""Distributions that draw the whole tensor at once."""

from __future__ import annotations

import pytest
import torch

from initkit import distributions
from initkit.distributions import Source

SOURCE = Source(0, "fc.weight")


def test_every_column_of_a_sparse_distribution_has_its_zeros() -> None:
    w = distributions.Sparse((30, 20), 1.0, 7, (1, 30, 20)).draw(SOURCE)
    assert ((w == 0).sum(0) == 7).all()


def test_nobody_knows_the_distribution_of_a_function() -> None:
    written = distributions.UserFunction((3,), torch.Tensor.zero_)
    assert written.moments is None
    assert written.mean is None
    with pytest.raises(NotImplementedError, match="nobody knows the distribution of zero_"):
        written.cdf(0.0)
