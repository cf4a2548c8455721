"""Schemes that start matrices: orthogonal, identity, sparse."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initkit import PlanError, apply_init, register_layout


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


def placed(axes: str, shape: tuple[int, ...], scheme: str) -> torch.Tensor:
    """A tensor with this layout, started by a scheme."""

    class Placed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.empty(shape))

    register_layout(Placed, axes, key="w")
    model = Placed()
    apply_init(model, {"w": scheme}, seed=0)
    return model.w.detach()


def test_rows_and_columns_may_span_several_dimensions_in_any_order() -> None:
    one = torch.eye(24)
    assert torch.equal(placed("out out in", (4, 6, 24), "eye").view(24, 24), one)
    assert torch.equal(placed("in out out", (24, 4, 6), "eye").view(24, 24), one)
    between = placed("out in out", (4, 24, 6), "eye")
    assert torch.equal(between.transpose(1, 2).reshape(24, 24), one)
    w = placed("out in out", (4, 24, 6), "orthogonal").transpose(1, 2).reshape(24, 24)
    assert torch.allclose(w @ w.T, one, atol=1e-5)
    assert placed("out out in", (4, 16, 64), "orthogonal").std().item() == pytest.approx(
        0.125, 0.01
    )


def test_a_sparse_matrix_has_its_zeros_among_the_outputs_of_every_input() -> None:
    w = placed("in out out", (10, 4, 5), "sparse(sparsity=0.5)")
    assert ((w == 0).flatten(1).sum(1) == 10).all()
    w = placed("out in out", (4, 10, 5), "sparse(sparsity=0.5)")
    assert ((w == 0).sum((0, 2)) == 10).all()


@pytest.mark.parametrize(
    ("axes", "to_torch"), [("k k in out", (3, 2, 0, 1)), ("out k k in", (0, 3, 1, 2))]
)
def test_convolutions_of_other_libraries_are_found_by_their_layout(
    axes: str, to_torch: tuple[int, ...]
) -> None:
    shape = tuple({"k": 3, "in": 4, "out": 6}[word] for word in axes.split())
    wanted = nn.init.dirac_(torch.empty(6, 4, 3, 3))
    assert torch.equal(placed(axes, shape, "dirac").permute(to_torch), wanted)
    middle = placed(axes, shape, "delta_orthogonal(gain=2)").permute(to_torch)
    inner = middle[:, :, 1, 1].clone()
    assert torch.allclose(inner.T @ inner, 4 * torch.eye(4), atol=1e-5)
    assert middle.count_nonzero() == inner.numel()


def test_delta_orthogonal_counts_outputs_and_inputs_by_the_layout() -> None:
    up = nn.ConvTranspose2d(6, 9, 3, padding=1, bias=False)
    apply_init(up, {"weight": "delta_orthogonal"}, seed=0)
    x = torch.randn(2, 6, 5, 5)
    assert torch.allclose(up(x).norm(dim=1), x.norm(dim=1), atol=1e-5)
    with pytest.raises(PlanError, match="as many outputs as inputs, not 6 and 9"):
        apply_init(nn.ConvTranspose2d(9, 6, 3), {"weight": "delta_orthogonal", "bias": 0}, seed=0)


def test_a_stack_of_identities_is_one_of_each_and_delta_orthogonal_wants_one_convolution() -> None:
    stack = placed("E out in k", (3, 4, 4, 3), "dirac")
    for kernel in stack:
        assert torch.equal(kernel, nn.init.dirac_(torch.empty(4, 4, 3)))
    with pytest.raises(PlanError, match="starts one convolution, and 'E out in k' stacks 3"):
        placed("E out in k", (3, 4, 4, 3), "delta_orthogonal")
