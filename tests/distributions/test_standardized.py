"""Orthogonal matrices with standardised rows, as GemNet's code makes them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from initkit import PlanError, Rule, apply_init, check_init, init_, plan_init

RULES = {"weight": "he_orthogonal"}


def gemnet(tensor: Tensor) -> Tensor:
    """Start a weight, outputs in its first dimension, as gemnet_pytorch does."""
    with torch.no_grad():
        nn.init.orthogonal_(tensor)
        axes, fan_in = (
            ([0, 1], tensor[..., 0].numel()) if tensor.dim() == 3 else ([1], len(tensor[0]))
        )
        var, mean = torch.var_mean(tensor, dim=axes, unbiased=True, keepdim=True)
        return tensor.copy_((tensor - mean) / (var + 1e-6).sqrt() / math.sqrt(fan_in))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("sizes", [(64, 64), (128, 32), (32, 128), (3, 2), (1, 5)], ids=str)
def test_ours_and_theirs_are_of_one_kind(sizes: tuple[int, int], dtype: torch.dtype) -> None:
    layer = nn.Linear(*sizes[::-1], bias=False, dtype=dtype)
    for seed in range(4):
        apply_init(layer, RULES, seed=seed)
        assert check_init(layer, RULES).ok
        torch.manual_seed(seed)
        with torch.no_grad():
            layer.weight.copy_(gemnet(torch.empty(sizes)))
        assert check_init(layer, RULES).ok


@pytest.mark.parametrize("sizes", [(64, 64), (300, 40), (40, 300)], ids=str)
def test_a_matrix_that_is_only_orthogonal_or_only_standardised_is_another(
    sizes: tuple[int, int],
) -> None:
    layer = nn.Linear(*sizes[::-1], bias=False)
    torch.manual_seed(0)
    init_(layer.weight, "orthogonal")
    (failure,) = check_init(layer, RULES).failures
    assert "its rows are not standardised: rows " in failure.text
    with torch.no_grad():
        rows = torch.randn(sizes)
        rows = (rows - rows.mean(1, keepdim=True)) / rows.std(1, keepdim=True)
        layer.weight.copy_(rows / math.sqrt(sizes[1]))
    (failure,) = check_init(layer, RULES).failures
    assert failure.text.startswith("its rows are no more orthogonal than any: rows with a mean")


def test_the_rows_of_every_gate_are_standardised() -> None:
    lstm = nn.LSTM(30, 20)
    apply_init(lstm, {"weight*": "he_orthogonal(gain=2)", "bias*": 0}, seed=0)
    rows = lstm.weight_ih_l0.detach()
    assert torch.allclose(rows.mean(1), torch.zeros(80), atol=1e-6)
    assert torch.allclose(rows.std(1), torch.full((80,), 2 / math.sqrt(30)), rtol=1e-3)


def test_weights_of_three_dimensions_say_which_are_inputs() -> None:
    holder = nn.Module()
    holder.w = nn.Parameter(gemnet(torch.empty(16, 8, 12)))
    rules = Rule("he_orthogonal", name="w", layout="in in out")
    assert check_init(holder, rules).ok
    apply_init(holder, rules, seed=0)
    assert torch.allclose(holder.w.detach().mean((0, 1)), torch.zeros(12), atol=1e-6)


def test_rows_of_one_entry_have_no_variance() -> None:
    layer = nn.Linear(1, 4)
    problem = "he_orthogonal: rows of one entry have no variance"
    assert problem in str(plan_init(layer, {"weight": "he_orthogonal"}).problems[0])
    with pytest.raises(PlanError, match=problem):
        apply_init(layer, {"weight": "he_orthogonal"}, seed=0)
