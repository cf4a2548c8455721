"""The first and the last layer of a container go by registration, whatever they are called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from initkit import (
    Plan,
    PlanError,
    RuleError,
    apply_init,
    first,
    last,
    load_recipe,
    plan_init,
    save_recipe,
)
from initkit.rules import Matcher, read_key


class MLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(2, 2)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(2, 2)
        self.drop = nn.Dropout()


class Block(nn.Module):
    """A block whose last layer is computed, and which has a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))
        self.mlp = MLP()
        self.ada = nn.Sequential(nn.SiLU(), parametrizations.weight_norm(nn.Linear(2, 4)))


def model() -> nn.Module:
    return nn.Sequential(Block(), Block(), nn.Linear(2, 2))


def taken(rules: Any, net: nn.Module | None = None) -> set[str]:
    """Return what rules start, without the end that says which tensor."""
    plan = plan_init(net if net is not None else model(), rules)
    assert not plan.problems
    return {step.name.rpartition(".")[0] or step.name for step in plan.with_status("write")}


MLPS, ADAS = {"0.mlp.fc2", "1.mlp.fc2"}, {"0.ada.1", "1.ada.1"}


@pytest.mark.parametrize(
    ("key", "layers"),
    [
        (lambda: last("*.mlp"), MLPS),
        (lambda: last("0.mlp"), {"0.mlp.fc2"}),
        (lambda: last(MLP), MLPS),
        (lambda: last("in:MLP"), MLPS),
        (lambda: last("type:MLP"), MLPS),
        (lambda: "last:*.mlp", MLPS),
        (lambda: "last:in:MLP", MLPS),
        (lambda: "in:MLP.last", MLPS),
        (lambda: "in:MLP.first", {"0.mlp.fc1", "1.mlp.fc1"}),
        (lambda: first("?.mlp"), {"0.mlp.fc1", "1.mlp.fc1"}),
        (lambda: last("*.ada"), ADAS),  # weight_norm is the layer's own affair
        (lambda: last(Block), ADAS),
        (lambda: first(Block), {"0", "1"}),  # a parameter of its own comes before its modules
        (lambda: last(""), {"2"}),
        (lambda: last("*"), {"2", *ADAS, *MLPS}),  # a layer that a glob names is no container
        (lambda: last("2"), {"2"}),  # by its path it is
        (lambda: last("{0,1}.mlp"), MLPS),
        (lambda: "last:{0..1}.mlp", MLPS),
        (lambda: "first:{0,1}.mlp", {"0.mlp.fc1", "1.mlp.fc1"}),
    ],
)
def test_an_end_is_the_layer_that_was_registered_first_or_last(
    key: Callable[[], Any], layers: set[str]
) -> None:
    assert taken({key(): 0}) == layers


def test_a_table_under_an_end_has_the_names_of_the_layer() -> None:
    plan = plan_init(model(), {last("*.mlp"): {"weight": 0}, last(MLP): {"b*": 1}})
    assert [(step.name, step.start) for step in plan.with_status("write")] == [
        ("0.mlp.fc2.weight", "constant 0"),
        ("0.mlp.fc2.bias", "constant 1"),
        ("1.mlp.fc2.weight", "constant 0"),
        ("1.mlp.fc2.bias", "constant 1"),
    ]


def test_wrappers_are_no_part_of_a_path_and_cycles_end() -> None:
    wrapped = nn.DataParallel(nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 1))))
    assert taken({last("1"): 0}, wrapped) == taken({last("module.1"): 0}, wrapped) == {"module.1.0"}
    circle = MLP()
    circle.act.up = circle
    assert taken({last(MLP): 0}, circle) == {"fc2"}


def test_a_path_to_the_letter_is_no_glob() -> None:
    net = nn.ModuleDict({"a[0]": nn.Sequential(nn.Linear(1, 1)), "a0": nn.Linear(1, 1)})
    assert taken({last("a[0]"): 0}, net) == {"a[0].0"}


def test_a_key_with_an_end_is_spelt_and_carried_by_files(tmp_path: Path) -> None:
    for key in (last("*.mlp"), first("in:MLP")):
        assert read_key(key.spell()) == key
    path = save_recipe({last(MLP): 0, last("*.ada"): {"weight": 1}}, tmp_path / "ends.toml")
    assert load_recipe(path).rows == [("last:in:MLP", "0"), ("last:*.ada: weight", "1")]
    scoped = last("a").around(read_key("weight"))
    assert isinstance(scoped, Matcher)
    with pytest.raises(RuleError, match="a file carries last:a: weight as a table under 'last:a'"):
        scoped.spell()


@pytest.mark.parametrize(
    ("rules", "hint"),
    [
        ({last("*.mpl"): 0}, "; did you mean '1.mlp' or '0.mlp'?"),
        ({"in:MPL.last": 0}, "; did you mean 'in:MLP'?"),
        ({last(MLP): {"wieght": 0}}, "; did you mean 'weight'?"),
        ({last(MLP): {"zz": 0}}, "; a last layer here has weight, bias"),
    ],
)
def test_an_end_that_matches_nothing_is_answered(rules: Any, hint: str) -> None:
    (problem,) = plan_init(model(), rules).problems
    assert problem.sentence.endswith(f"matches no parameter{hint}")


def test_what_is_no_container_is_refused_and_a_state_dict_has_no_layers() -> None:
    with pytest.raises(RuleError, match=r"^last:re:a: a container is a path, a glob or a class$"):
        last("re:a")
    (problem, *_) = plan_init(model().state_dict(), {last("2"): 0}).problems
    assert "'last:2' matches module types, and a state_dict has none" in problem.sentence


class _Branch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
        self.head = nn.Linear(4, 4)


@pytest.mark.parametrize("scope", ["a", "*", "in:_Branch"])
def test_in_a_table_under_a_module_a_container_is_relative_to_it(scope: str) -> None:
    model = nn.ModuleDict({"a": _Branch(), "b": _Branch()})
    inside = {"last:net": {"weight": 0}, "first:net": {"weight": 1}, "*": "keep"}
    rules = {scope: inside, "**": "keep"}
    written = plan_init(model, rules, idle="ignore").with_status("write")
    branches = "a" if scope == "a" else "ab"
    assert [step.name for step in written] == [
        f"{branch}.net.{layer}.weight" for branch in branches for layer in (0, 2)
    ]


def test_a_container_around_the_table_is_none_of_its_own() -> None:
    model = nn.ModuleDict({"a": _Branch(), "b": _Branch()})
    plan = plan_init(model, {"a": {"last:b": 0, "last:net": 0, "*": "keep"}, "*": "keep"})
    assert "the rule 'a: last:b' matches no parameter" in plan.problems[0].sentence
    layers = {step.name.rpartition(".")[0] for step in plan.with_status("write")}
    assert layers == {"a.net.2"}


def test_braces_are_the_scope_of_a_table_and_are_kept_in_files(tmp_path: Path) -> None:
    net = nn.ModuleDict({name: nn.Sequential(MLP(), nn.Linear(2, 2)) for name in ("a", "b", "c")})
    rules = [{"{a,b}": {"0.fc1.weight": 2, "last:*": 0}}, {"*": 1}]
    plan = plan_init(net, rules)
    started = {step.name: step.start for step in plan}
    for name, value in (("a", 2), ("b", 2), ("c", 1)):
        assert started[f"{name}.0.fc1.weight"] == f"constant {value}"
    assert started["a.1.weight"] == started["b.0.fc2.bias"] == "constant 0"
    assert started["c.1.weight"] == "constant 1"
    assert Plan.from_json(plan.to_json()).digest() == plan.digest()
    again = load_recipe(save_recipe(rules, tmp_path / "rules.toml"))
    assert plan_init(net, again).digest() == plan.digest()


def test_a_glob_that_names_layers_alone_is_told_what_a_container_is() -> None:
    with pytest.raises(PlanError) as caught:
        apply_init(model(), [{"last:*.fc2": 0}, "torch_default"], seed=0)
    message = str(caught.value)
    assert "fc2 is a layer itself, and no container" in message
