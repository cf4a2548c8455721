"""Poison finds what was not written, and gives buffers their values back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initkit import apply_init, track_writes
from initkit.write.digests import tensor_digests


def test_poison_gives_untouched_buffers_their_values_back() -> None:
    model = nn.BatchNorm1d(3)
    model(torch.randn(5, 3))
    before = tensor_digests(model)
    with track_writes(model, poison=True) as writes:
        apply_init(model, "torch_default", seed=0)
    writes.assert_complete(buffers=False)
    after = tensor_digests(model)
    assert all(before[key] == after[key] for key in model._buffers)


def test_poison_gives_untouched_buffers_back_after_an_error_too() -> None:
    model = nn.BatchNorm1d(2)
    with pytest.raises(ValueError, match="mine"), track_writes(model, poison=True):
        raise ValueError("mine")
    assert model.running_mean.tolist() == [0.0, 0.0]


def test_poison_says_where_it_cannot_judge() -> None:
    model = nn.Linear(2, 2)
    model.register_buffer("mask", torch.ones(3, dtype=torch.bool))
    with track_writes(model, poison=True) as writes:
        apply_init(model, {"*": 0}, seed=0)
    assert [str(row) for row in writes.missing] == [
        "mask (buffer): its dtype has no value to spare for poison"
    ]
    assert model.mask.all()
