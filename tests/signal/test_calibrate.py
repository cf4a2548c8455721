"""Calibrated layers have the std that was asked for, and the model is left alone."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from signal_models import Language, mlp
from torch import Tensor, nn

from initkit import Plan, TargetError, apply_init, calibrate_init, plan_init, probe_init
from initkit.errors import OptionError, PlanError
from initkit.model import same_bits

X = torch.randn(256, 64, generator=torch.Generator().manual_seed(0))


def stds(model: nn.Module, *inputs: Tensor) -> dict[str, float]:
    return {p.name: p.std for p in probe_init(model, *inputs).points if p.parameters}


def test_twenty_relu_layers_have_unit_variance_after_two_passes() -> None:
    model = mlp(20, 64, nn.ReLU)
    before = copy.deepcopy(model.state_dict())
    found = calibrate_init(model, {"*": "orthogonal"}, X, seed=0)
    assert found and found.passes <= 3 and not found.skipped
    assert list(found.after.values()) == pytest.approx([1.0] * 20, abs=1e-3)
    assert all(same_bits(t, before[n]) for n, t in model.state_dict().items())
    found.plan.apply(model, seed=0)
    assert list(stds(model, X).values()) == pytest.approx([1.0] * 20, abs=1e-3)


def test_biases_are_part_of_the_std() -> None:
    model = mlp(4, 64, nn.Tanh, bias=True)
    rules = {"*.weight": "xavier_normal", "*.bias": "normal(std=0.5)"}
    found = calibrate_init(model, rules, X, seed=1, target={"2.weight": 0.7, "4": 2.0})
    apply_init(model, rules, seed=1)
    found.plan.apply(model, seed=found.seed)
    assert list(stds(model, X).values()) == pytest.approx([1.0, 0.7, 2.0, 1.0], abs=1e-3)


class Images(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.up, self.head = nn.ConvTranspose2d(8, 4, 2), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.up(self.norm(self.conv(x)).relu()).mean((2, 3)))


def test_convolutions_are_calibrated_and_norms_left_alone() -> None:
    x, model = torch.randn(16, 3, 8, 8), Images()
    found = calibrate_init(model, "torch_default", x, seed=0)
    assert set(found.factors) == {"conv.weight", "up.weight", "head.weight"}
    assert found.skipped == {"norm.weight": "a norm's"}
    found.plan.apply(model, seed=0)
    assert list(stds(model, x).values()) == pytest.approx([1.0] * 3, abs=1e-2)


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 64, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(6):
            x = self.layer(x).relu()
        return x


@pytest.mark.parametrize("scheme", ["xavier_normal", "normal(std=0.5)", "orthogonal"])
def test_a_layer_that_is_shared_has_a_pooled_std_on_target(scheme: str) -> None:
    model = Shared()
    found = calibrate_init(model, {"*": scheme}, X, seed=0)
    assert found.converged and found.after["layer.weight"] == pytest.approx(1.0, abs=0.01)
    found.plan.apply(model, seed=0)
    outputs = []
    model.layer.register_forward_hook(lambda *call: outputs.append(call[2].detach()))
    model(X)
    assert float(torch.stack(outputs).std()) == pytest.approx(1.0, abs=0.01)


def test_what_is_left_alone_says_why() -> None:
    model = Language(depth=1, tied=True)
    model.spare = nn.Linear(2, 2)
    nn.init.zeros_(model.blocks[0][1].down.weight)
    nn.init.normal_(model.blocks[0][1].up.bias, std=5.0)
    ids = torch.randint(64, (4, 16))
    found = calibrate_init(model, None, ids, protect="*.v_proj.weight")
    reasons = {name.removeprefix("blocks.0."): why for name, why in found.skipped.items()}
    assert reasons["embed.weight"] == "tied between Embedding and Linear"
    assert reasons["1.down.weight"] == "its output is zero"
    assert reasons["1.up.weight"].startswith("its bias alone has a std of ")
    assert reasons["0.v_proj.weight"] == "protected"
    assert reasons["0.norm.weight"] == reasons["norm.weight"] == "a norm's"
    assert reasons["spare.weight"] == "never seen as a layer's weight in this forward"
    assert found.plan is None and set(found.factors) == {
        f"blocks.0.0.{part}_proj.weight" for part in "qko"
    }
    assert "left alone" in str(found) and "0.norm.weight" in found.to_html()


def test_what_no_rule_writes_is_left_alone() -> None:
    model = mlp(2, 64)
    found = calibrate_init(model, {"0.*": "orthogonal", "*": "keep"}, X, seed=0)
    assert found.skipped == {"1.weight": "no rule writes it"}
    found = calibrate_init(model, {"0.*": "orthogonal", "*": nn.init.ones_}, X, seed=0)
    assert set(found.factors) == {"0.weight", "1.weight"}

    def own(tensor: Tensor) -> None:
        tensor.normal_()

    found = calibrate_init(model, {"0.*": "orthogonal", "*": own}, X, seed=0)
    assert found.skipped == {"1.weight": "a function of yours starts it"}


def test_a_saved_plan_gives_the_same_bits_without_the_data(tmp_path: Path) -> None:
    one, other = mlp(3, 64, nn.ReLU), mlp(3, 64, nn.ReLU)
    found = calibrate_init(one, {"*": "kaiming_normal"}, X, seed=7)
    found.save(tmp_path / "plan.json")
    found.plan.apply(one, seed=found.seed)
    Plan.from_json((tmp_path / "plan.json").read_text()).apply(other, seed=7)
    assert all(map(same_bits, one.state_dict().values(), other.state_dict().values()))


def test_without_a_seed_it_is_that_which_applying_would_draw() -> None:
    model = mlp(2, 64)
    torch.manual_seed(5)
    found = calibrate_init(model, {"*": "orthogonal"}, X)
    assert found.seed == apply_init(model, {"*": "orthogonal"}).seed


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"target": 0}, "target is a positive std, not 0"),
        ({"tol": 0}, "tol is a positive number, not 0"),
        ({"passes": 0}, "passes is at least 1, not 0"),
    ],
)
def test_bad_options_are_refused(options, text: str) -> None:
    with pytest.raises(OptionError) as caught:
        calibrate_init(mlp(2, 64), None, X, **options)
    assert str(caught.value) == text


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(PlanError, match="only"):
        calibrate_init(mlp(2, 64), None, X, only="nothing")
    with pytest.raises(TargetError, match="calibrating needs a module to run, not dict"):
        calibrate_init({}, None, X)


# ---- Plan.scaled


def test_a_scaled_plan_multiplies_laws_and_adds_no_rule() -> None:
    plan = plan_init(mlp(2, 8, bias=True), {"*.weight": "xavier_normal", "*.bias": 1})
    scaled = plan.scaled({"0.weight": 3.0, "1.bias": 0.5})
    assert scaled["0.weight"].distribution == plan["0.weight"].distribution.scaled(3.0)
    assert scaled["1.bias"].start == "constant 0.5" and scaled["1.weight"] is plan["1.weight"]
    assert scaled.rules == plan.rules and scaled.digest() != plan.digest()
    assert plan.scaled({}).digest() == plan.digest()


@pytest.mark.parametrize(
    ("rules", "factors", "text"),
    [
        ({"*": 1}, {"weigth": 2}, "the plan has no parameter 'weigth'; did you mean 'weight'?"),
        ({"*": "keep"}, {"weight": 2}, "the plan does not write 'weight', and cannot scale it"),
        ({"*": 1}, {"weight": float("nan")}, "the factor of 'weight' is a number, not nan"),
        (
            {"*": lambda t: t.normal_()},
            {"weight": 2},
            "'weight' is started by a function of yours; scale it there",
        ),
    ],
)
def test_what_cannot_be_scaled_is_refused(rules, factors, text: str) -> None:
    with pytest.raises((TargetError, OptionError)) as caught:
        plan_init(nn.Linear(2, 2, bias=False), rules).scaled(factors)
    assert str(caught.value) == text
