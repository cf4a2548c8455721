"""Trained weights are told from broken ones."""

from __future__ import annotations

import math

import pytest
import torch
from checked import net, started
from torch import nn

from initkit import apply_init, check_init


def trained(steps: int) -> tuple[nn.Module, dict[str, object]]:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(32, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
        nn.Linear(64, 10),
    )  # fmt: skip
    rules: dict[str, object] = {
        nn.LayerNorm: {"weight": 1, "bias": 0}, "*.weight": "xavier_uniform", "*.bias": 0,
    }  # fmt: skip
    started(model, rules)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(steps):
        x = torch.randn(64, 32)
        loss = nn.functional.cross_entropy(model(x), x[:, :10].argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model, rules


@pytest.mark.parametrize("steps", [5, 300])
def test_trained_weights_are_said_to_have_left_not_to_be_broken(steps: int) -> None:
    report = check_init(*trained(steps))
    assert not report.ok
    assert report.trained
    assert report.verdict.startswith("these weights have left initialisation: ")
    assert "no sign that they are broken" in report.verdict


def test_an_untrained_model_and_a_wrong_rule_are_not_called_trained() -> None:
    model, rules = trained(0)
    assert check_init(model, rules).ok
    doubled = rules | {"*.weight": "xavier_uniform(gain=2)", "*.bias": 1}
    assert not check_init(model, doubled).trained
    torch.manual_seed(1)
    assert not check_init(net(300, 300, 300), {"*.weight": "normal(std=0.03)", "*.bias": 0}).trained


def test_trained_weights_with_nan_are_broken() -> None:
    model, rules = trained(5)
    with torch.no_grad():
        model[0].weight[0] = math.nan
    report = check_init(model, rules)
    assert not report.trained
    assert report.failures[0].kind == "garbage"


def test_values_that_are_all_one_are_told_as_such_beside_a_mean_of_zero() -> None:
    model = nn.Linear(64, 64)
    apply_init(model, {"*": 1})
    failure = check_init(model, {"weight": "normal(std=0.02)", "bias": 1}).failures[0]
    assert failure.hint == "every element is 1"
    assert any("the mean is 1 where 0 was planned" in text for text in failure.also)


def test_a_rule_with_another_std_is_no_training_however_many_layers_it_started() -> None:
    model = nn.Sequential(*(nn.Linear(64, 64, bias=False) for _ in range(48)))
    apply_init(model, {"*": "normal(std=0.04)"}, seed=0)
    report = check_init(model, {"*": "normal(std=0.02)"})
    assert not report.trained
    assert "the planned distribution times" in report.failures[0].hint


def test_blocks_that_were_moved_are_told() -> None:
    model, rules = nn.LSTM(8, 16), {"weight*": 0, "bias_hh*": 0, "bias_ih*": "gates(forget=1)"}
    apply_init(model, rules)
    with torch.no_grad():
        model.bias_ih_l0.copy_(model.bias_ih_l0.view(4, 16)[[1, 0, 2, 3]].reshape(-1))
    (failure,) = check_init(model, rules).failures
    assert failure.hint == (
        "it looks as if blocks were moved: block 0 is as planned for 1, block 1 is as planned for 0"
    )


def test_blocks_that_were_moved_within_one_are_told() -> None:
    rules = {"w": "blocks('orthogonal', blocks('normal(std=0.1)', 'uniform(-1, 1)'))"}
    held = {"w": torch.zeros(128, 32)}
    apply_init(held, rules, seed=0)
    held["w"] = torch.cat([held["w"][:64], held["w"][96:], held["w"][64:96]])
    (failure,) = check_init(held, rules).failures
    assert failure.hint == (
        "it looks as if blocks were moved: block 0 is as planned for 1, block 1 is as planned for "
        "0, in block 1"
    )


def test_what_is_wrong_is_told_before_where() -> None:
    rules = {"w": "blocks(blocks(0, 1), blocks(normal(std=0.1), normal(std=0.5)))"}
    held = {"w": torch.zeros(256, 64)}
    apply_init(held, rules, seed=0)
    held["w"][:64] = 3
    (failure,) = check_init(held, rules).failures
    assert failure.text == (
        "every element is 3 where constant 0 was planned, in block 0 of 2, in block 0 of 2"
    )
    rules = {"a": "normal", "b": "sum(copy_of('a'), normal(std=0.01))"}
    held = {"a": torch.zeros(40, 50), "b": torch.zeros(40, 50)}
    apply_init(held, rules, seed=0)
    assert check_init(held, rules).ok
    held["b"] = held["a"].clone()
    (failure,) = [f for f in check_init(held, rules).failures if f.name == "b"]
    assert failure.text.startswith("the std is ")
    assert failure.text.endswith(", of N(0, 0.01) beside copy of a")
