"""Schemes that start matrices: orthogonal, identity, sparse."""

from __future__ import annotations

import torch
from torch import nn

from initkit import apply_init


def test_orthogonal_acts_per_gate_and_per_packed_projection() -> None:
    lstm = nn.LSTM(5, 7)
    apply_init(lstm, {"weight_*": "orthogonal", "*": 0}, seed=0)
    for gate in lstm.weight_hh_l0.detach().chunk(4):
        assert torch.allclose(gate @ gate.T, torch.eye(7), atol=1e-6)
    attention = nn.MultiheadAttention(12, 3)
    apply_init(attention, {"in_proj_weight": "orthogonal(gain=2)", "*": "keep"}, seed=0)
    for projection in attention.in_proj_weight.detach().chunk(3):
        assert torch.allclose(projection @ projection.T, 4 * torch.eye(12), atol=1e-5)


def test_orthogonal_with_fans_of_the_tensor_takes_the_whole_stack_as_one_matrix() -> None:
    lstm = nn.LSTM(5, 7)
    rules = {"weight_hh_l0": "orthogonal(fans='tensor')", "*": "keep"}
    apply_init(lstm, rules, seed=0)
    w = lstm.weight_hh_l0.detach()
    assert torch.allclose(w.T @ w, torch.eye(7), atol=1e-6)


def test_eye_acts_per_gate() -> None:
    rnn = nn.GRU(4, 4)
    apply_init(rnn, {"weight_hh_l0": "eye", "*": 0}, seed=0)
    assert torch.equal(rnn.weight_hh_l0.detach(), torch.eye(4).repeat(3, 1))


def test_dirac_makes_a_convolution_the_identity() -> None:
    conv = nn.Conv2d(6, 6, 3, padding=1, groups=2, bias=False)
    apply_init(conv, {"weight": "dirac(groups=2)"}, seed=0)
    x = torch.randn(2, 6, 5, 5)
    assert torch.equal(conv(x), x)


def test_delta_orthogonal_keeps_the_norm_through_a_convolution() -> None:
    conv = nn.Conv2d(6, 9, 3, padding=1, bias=False)
    apply_init(conv, {"weight": "delta_orthogonal"}, seed=0)
    x = torch.randn(2, 6, 5, 5)
    assert torch.allclose(conv(x).norm(dim=1), x.norm(dim=1), atol=1e-5)
