"""Rules that were recorded on meta are carried out once there is memory."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initkit import (
    PlanError,
    apply_init,
    deferred,
    initialized,
    materialize,
    model_digest,
    plan_init,
)


@initialized({"fc.weight": "normal(std=1)", "fc.bias": 1})
class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)


@initialized({"head.weight": "xavier_uniform", "head.bias": 0, "body.fc.bias": 5})
class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = Inner()
        self.twin = Inner()
        self.head = nn.Linear(3, 2)


def test_materialize_carries_out_recorded_rules_of_outer_and_inner_modules() -> None:
    with deferred():
        model = Outer()
    report = materialize(model, seed=1)
    assert model.body.fc.bias.tolist() == [5.0] * 3, "the outer module's rules come last"
    assert model.twin.fc.bias.tolist() == [1.0] * 3
    assert not torch.equal(model.body.fc.weight, model.twin.fc.weight), "their names differ"
    assert len(report.written) == 6
    assert model.init_report is report
    assert model.body.init_report is report
    plan = plan_init(model, {"*.fc.weight": "normal(std=1)", "head.weight": "xavier_uniform",
                             "head.bias": 0, "body.fc.bias": 5, "twin.fc.bias": 1})  # fmt: skip
    before = model_digest(model)
    plan.apply(model, seed=1)
    assert model_digest(model) == before, "canonical names of the whole model decide"


def test_recorded_rules_start_what_explicit_rules_leave() -> None:
    with deferred():
        model = Outer()
    apply_init(model, {"head.*": 3}, seed=1)
    assert model.head.bias.tolist() == [3.0, 3.0]
    assert model.body.fc.bias.tolist() == [5.0] * 3


def test_recorded_rules_under_the_meta_device_need_a_device() -> None:
    with torch.device("meta"):
        model = Inner()
    with pytest.raises(PlanError, match="say where they should live"):
        materialize(model, seed=0)
    materialize(model, "cpu", seed=0)
    assert model.fc.bias.tolist() == [1.0] * 3


def test_materialize_without_any_rules_is_an_error_by_name() -> None:
    with deferred():
        model = nn.Linear(2, 2)
    with pytest.raises(PlanError, match="weight, bias; no rule writes these parameters"):
        materialize(model)


def test_the_seed_of_materialize_comes_from_torchs_generator_by_default() -> None:
    digests = []
    for _ in range(2):
        with deferred():
            model = Inner()
        torch.manual_seed(3)
        digests.append(materialize(model).digest)
    assert digests[0] == digests[1]


@initialized({"net.weight": "normal(std=1)", "net.bias": 0})
class Late(nn.Module):
    """Its layers come after its constructor, as in Lightning's ``configure_model``."""

    def configure_model(self) -> None:
        self.net = nn.Linear(3, 2)


@pytest.mark.parametrize("built", ["with values", "deferred", "on meta"])
def test_layers_that_come_after_the_constructor_start_by_the_recorded_rules(built: str) -> None:
    model = Late()
    assert model.init_report is None, "nothing is there to start"
    if built == "deferred":
        with deferred():
            model.configure_model()
    else:
        with torch.device("meta" if built == "on meta" else "cpu"):
            model.configure_model()
    report = materialize(model, device="cpu", seed=1)
    assert report.written == ["net.weight", "net.bias"] and model.init_report is report
    other = nn.ModuleDict({"net": nn.Linear(3, 2)})
    apply_init(other, {"net.weight": "normal(std=1)", "net.bias": 0}, seed=1)
    assert model_digest(other) == model_digest(model)
    assert materialize(model, seed=2).written == [], "once"


def test_layers_that_never_came_are_an_error_by_the_rule() -> None:
    text = r"the rule 'net.weight' matches no parameter; the model has no parameters"
    with pytest.raises(PlanError, match=text):
        materialize(Late(), seed=0)


def test_a_constructor_with_layers_keeps_what_has_values() -> None:
    """Only what came later is started by force: a model that was initialised is left alone."""
    model = Outer()
    before = model_digest(model)
    assert materialize(model, seed=3).written == []
    assert model_digest(model) == before
