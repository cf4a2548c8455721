"""A planted fault is found, its layer named first, and its remedy clears it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from signal_models import Language, kinds, mlp, residual
from torch import Tensor, nn

from initkit import Plan, apply_init, plan_init, probe_init
from initkit.signal.report import Probe

X = torch.randn(64, 32, generator=torch.Generator().manual_seed(0))
IDS = torch.randint(64, (4, 16), generator=torch.Generator().manual_seed(0))
SOUND = {"*head.weight": "normal(std=0.02)", nn.Linear: {"weight": "xavier_uniform", "bias": 0}}


def judge(output: Tensor) -> Tensor:
    return F.cross_entropy(output, torch.arange(64) % output.shape[1])


class Gated(nn.Module):
    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.value, self.gate = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        return x + self.value(h) * torch.sigmoid(self.gate(h))


def gated() -> nn.Module:
    return nn.Sequential(*[Gated() for _ in range(4)], nn.Linear(32, 10))


def vision() -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in [(3, 8), (8, 8), (8, 16), (16, 16)]:
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * 64, 10))


def relu() -> nn.Module:
    return nn.Sequential(*mlp(10, 32, nn.ReLU, bias=True), nn.Linear(32, 10))


def scaled_language() -> nn.Module:
    model = Language()
    for block in model.blocks:  # as GPT-2 does: what enters the trunk is smaller with depth
        block[0].o_proj.weight.data.mul_(8**-0.5)
        block[1].down.weight.data.mul_(8**-0.5)
    return model


def times(factor: float, *names: str) -> Callable[[nn.Module], None]:
    def plant(model: nn.Module) -> None:
        for name in names:
            model.get_parameter(name).data.mul_(factor)

    return plant


def filled(value: float, *names: str) -> Callable[[nn.Module], None]:
    def plant(model: nn.Module) -> None:
        for name in names:
            model.get_parameter(name).data.fill_(value)

    return plant


IMAGES = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def few(output: Tensor) -> Tensor:
    return F.cross_entropy(output, torch.arange(8))


FAULTS = {
    "one layer of many": (relu, times(30, "8.weight"), "8", "exploding", X, judge),
    "one layer before a norm": (vision, times(30, "3.weight"), "3", "exploding", IMAGES, few),
    "a layer without its like": (vision, times(40, "6.weight"), "6", "exploding", IMAGES, few),
    "a small layer": (relu, times(1 / 50, "8.weight"), "8", "vanishing", X, judge),
    "a dead layer": (relu, filled(-50, "8.bias"), "8", "dead", X, judge),
    "a dead norm": (vision, filled(-30, "4.bias"), "4", "dead", IMAGES, few),
    "a gate that is open": (gated, filled(12, "2.gate.bias"), "2.gate", "saturated", X, judge),
    "a gate that is shut": (gated, filled(-12, "2.gate.bias"), "2.gate", "saturated", X, judge),
    "a gate too steep": (gated, times(60, "2.gate.weight"), "2.gate", "exploding", X, judge),
    "all gates too steep": (
        gated,
        times(60, *(f"{i}.gate.weight" for i in range(4))),
        "0.gate",
        "saturated",
        X,
        judge,
    ),
    "attention scores": (
        Language,
        times(40, "blocks.2.0.q_proj.weight", "blocks.2.0.k_proj.weight"),
        "blocks.2.0.q_proj",
        "exploding",
        IDS,
        None,
    ),
    "all attention scores": (
        Language,
        times(8, *(f"blocks.{i}.0.{p}_proj.weight" for i in range(4) for p in "qk")),
        "blocks.0.0",
        "peaked",
        IDS,
        None,
    ),
    "a branch that is not scaled": (
        scaled_language,
        times(8**0.5, "blocks.1.1.down.weight"),
        "blocks.1.1.down",
        "exploding",
        IDS,
        None,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fault_is_named_first_and_its_remedy_clears_it(fault: str) -> None:
    build, plant, name, kind, inputs, loss = FAULTS[fault]
    torch.manual_seed(0)
    model = build()
    if not isinstance(model, Language):
        apply_init(
            model,
            {nn.Linear: {"weight": "kaiming_normal(nonlinearity='relu')"}, "*": "keep"},
            seed=0,
            idle="ignore",
        )
    else:
        model.embed.weight.data.mul_(0.1)
    assert probe_init(model, inputs, loss=loss).problems == ()
    plant(model)
    probe = probe_init(model, inputs, loss=loss)
    assert not probe.ok and not probe
    assert (probe.findings[0].name, probe.findings[0].kind) == (name, kind)
    plan = plan_init(model, probe.suggest())
    assert plan.problems == ()
    apply_init(model, probe.suggest(), seed=0)
    assert probe_init(model, inputs, loss=loss).problems == ()


def test_a_head_with_std_1_over_a_large_vocabulary_is_the_loss_at_fault() -> None:
    torch.manual_seed(0)
    model = Language(classes=50_000, tied=False)
    model.head.weight.data.normal_()
    probe = probe_init(model, IDS)
    assert "loss" in kinds(probe) and {f.name for f in probe.problems} == {"head"}
    [found] = [f for f in probe.problems if f.kind == "loss"]
    assert found.what.endswith("and ln 50000 = 10.82") and found.value > 15
    apply_init(model, probe.suggest(), seed=0)
    assert probe_init(model, IDS).problems == ()


def test_a_remedy_names_the_rule_and_predicts_the_factor() -> None:
    x = torch.randn(128, 200)
    rules = {"*.weight": "normal(std=0.01)"}
    probe = probe_init(mlp(30, 200, nn.ReLU), x, rules=rules)
    [signal, gradient] = probe.problems
    assert (
        "0.weight (rule '*.weight': N(0, 0.01)): write \"kaiming_normal(nonlinearity='relu')\""
        in (signal.remedy)
    )
    assert "the signal falls by a factor of 0." in signal.what
    assert "the gradient falls by a factor of" in gradient.what
    again = probe_init(mlp(30, 200, nn.ReLU), x, rules=probe.suggest())
    assert again.ok
    predicted = float(signal.remedy.partition("a factor of ")[2].partition(" ")[0])
    assert again.trunk.forward.ratio ** (1 / 29) == pytest.approx(predicted, rel=0.05)


def test_suggestions_stand_above_the_rules_that_were_probed() -> None:
    model = nn.Sequential(*mlp(30, 64, nn.ReLU), nn.LayerNorm(64))
    probe = probe_init(model, torch.randn(64, 64), rules={"*.weight": "normal(std=0.01)", "*": 0})
    plan = plan_init(model, probe.suggest())
    assert isinstance(plan, Plan) and plan.problems == ()
    assert plan["0.weight"].scheme.startswith("kaiming_normal")


def test_a_sound_model_needs_no_suggestion() -> None:
    model = residual(3, 16)
    probe = probe_init(model, torch.randn(8, 16))
    assert probe.suggest() == [{"*": "keep"}]
    assert plan_init(model, probe.suggest()).problems == ()


@pytest.mark.parametrize(("thresholds", "found"), [({"ratio": 1e3}, False), ({"ratio": 5.0}, True)])
def test_thresholds_are_the_users(thresholds: dict[str, float], found: bool) -> None:
    from initkit.signal import Thresholds

    probe: Probe = probe_init(
        mlp(6, 64, nn.ReLU),
        torch.randn(64, 64),
        rules={"*": "xavier_normal(gain=0.9)"},
        thresholds=Thresholds(**thresholds),
    )
    assert ("vanishing" in kinds(probe)) is found
