"""Schemes made of other schemes: blocks."""

from __future__ import annotations

import math

import pytest
from torch import nn

from initkit import apply_init, distributions, plan_init


def test_blocks_give_the_forget_gate_its_bias() -> None:
    lstm = nn.LSTM(5, 7)
    apply_init(lstm, {"bias_ih_l0": "blocks(0, 1, 0, 0)", "*": "keep"}, seed=0)
    assert lstm.bias_ih_l0.view(4, 7).mean(1).tolist() == [0, 1, 0, 0]


def test_fused_projections_start_in_parts_with_the_fans_of_each() -> None:
    fused = nn.Linear(8, 24, bias=False)
    rules = {"weight": "blocks(xavier_uniform, xavier_uniform, 0)"}
    got = plan_init(fused, rules)["weight"].distribution
    assert isinstance(got, distributions.Blocks)
    assert got.parts[0].high == pytest.approx(math.sqrt(6 / 16))
    assert got.parts[2] == distributions.Constant(0.0)


def test_blocks_of_one_constant_are_that_constant() -> None:
    got = plan_init(nn.Linear(2, 4), {"*": "blocks(1, 1)"})["bias"].distribution
    assert got == distributions.Constant(1.0)
