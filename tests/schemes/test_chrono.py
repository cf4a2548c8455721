"""Chrono gates: the forget gate opens as far as the input gate closes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from initkit import (
    Plan,
    Rule,
    apply_init,
    check_init,
    load_recipe,
    plan_init,
    save_recipe,
    verify_report,
)
from initkit.errors import OptionError
from initkit.schemes import read_scheme

RULES: dict[str, Any] = {"bias_ih*": "chrono(784)", "bias_hh*": 0, "*": "orthogonal"}


def started(seed: int = 0, dtype: torch.dtype = torch.float32) -> nn.LSTM:
    model = nn.LSTM(6, 128, num_layers=2, dtype=dtype)
    apply_init(model, RULES, seed=seed)
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_forget_gates_are_log_uniform_and_input_gates_minus_these(dtype: torch.dtype) -> None:
    model = nn.LSTM(1, 4096, dtype=dtype)
    apply_init(model, {"bias_ih*": "chrono(784)", "*": 0}, seed=0)
    gate_in, forget, cell, out = model.bias_ih_l0.detach().double().chunk(4)
    assert torch.equal(gate_in, -forget)
    assert not cell.any() and not out.any()
    share = ((forget.exp() - 1) / 782).sort().values  # of U(0, 1)
    even = (torch.arange(4096) + 0.5) / 4096
    # Kolmogorov's bound: sqrt(n) D exceeds 2.5 with a chance of 1e-5; bfloat16 moves exp(6) by 2 %.
    assert float((share - even).abs().max()) < 2.5 / math.sqrt(4096) + (dtype.itemsize < 4) * 0.02


@pytest.mark.parametrize("seed", range(5))
def test_they_pass_their_check_in_every_dtype(seed: int) -> None:
    for dtype in (torch.float32, torch.bfloat16, torch.float16, torch.float64):
        assert check_init(started(seed, dtype), RULES, level=1e-4).ok


def times_more(bias: Tensor) -> None:
    bias.mul_(1.2)


def drawn_apart(bias: Tensor) -> None:
    bias[:128] = bias[:128].flip(0)


def with_its_sign(bias: Tensor) -> None:
    bias[:128].neg_()


def with_the_rest_drawn(bias: Tensor) -> None:
    bias[256:] = bias[:256]


@pytest.mark.parametrize(
    "spoil", [times_more, drawn_apart, with_its_sign, with_the_rest_drawn, Tensor.zero_]
)
def test_what_is_not_so_is_found(spoil: Any) -> None:
    model = started()
    with torch.no_grad():
        spoil(model.bias_ih_l1)
    assert [f.name for f in check_init(model, RULES).failures] == ["bias_ih_l1"]


def test_a_cell_of_ones_own_says_its_order() -> None:
    model = {"bias": torch.empty(4 * 64)}
    apply_init(model, {"bias": "chrono(100, order='fiog')"}, seed=0)
    forget, gate_in, *others = model["bias"].chunk(4)
    assert torch.equal(forget, -gate_in) and bool((forget >= 0).all())
    assert not torch.cat(others).any()


def test_parameters_of_their_own_are_opposite_by_a_copy() -> None:
    model = nn.ParameterDict({"cell_f": torch.empty(512), "cell_i": torch.empty(512)})
    rules = {"*_i": "scaled(copy_of('*_f'), -1)", "*_f": "log_of('uniform(1, 99)')"}
    apply_init(model, rules, seed=0)
    assert torch.equal(model["cell_i"], -model["cell_f"])
    assert check_init(model, rules).ok


def test_plans_files_reports_and_recipes_carry_it(tmp_path: Path) -> None:
    model, plan = started(), plan_init(started(), RULES)
    assert Plan.from_json(plan.to_json()).steps == plan.steps
    loaded = load_recipe(save_recipe(RULES, tmp_path / "rules.toml"))
    assert plan_init(model, loaded).digest() == plan.digest()
    assert not plan_init(model, plan.to_recipe("my/net")).diff(plan)
    path = plan.apply(model, seed=0).save(tmp_path / "report.json")
    assert verify_report(model, path).proven


def test_some_rows_are_a_cell_of_their_own() -> None:
    model = {"bias": torch.zeros(10 + 8)}
    rule = Rule("chrono(100, order='ifgo')", name="bias", rows="10:")
    apply_init(model, rule, seed=0)
    assert not model["bias"][:10].any()
    assert torch.equal(model["bias"][10:12], -model["bias"][12:14]) and model["bias"][12:14].all()
    assert check_init(model, rule).ok


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("chrono(2)", "chrono: steps must be more than 2, not 2"),
        ("chrono(9, order='rzn')", "order is reset, update, new, without"),
        ("chrono(9, order='io')", "without the gate 'forget'"),
    ],
)
def test_what_has_no_such_gates_is_refused(text: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        read_scheme(text)
    problem = plan_init(nn.GRU(3, 4), {"bias_ih*": "chrono(100)", "*": 0}).problems[0]
    assert "GRU has the gates reset, update, new, and no 'input'" in str(problem)


def test_the_weights_of_gates_are_no_biases() -> None:
    problem = plan_init(nn.LSTM(3, 4), {"*_ih*": "chrono(100)", "*": 0}).problems[0]
    assert "weight_ih_l0: chrono(100) cannot start it" in str(problem)
    assert "it is for the biases of gates, which have one dimension" in str(problem)
