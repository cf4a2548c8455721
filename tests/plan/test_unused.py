"""Rules that decide nothing are told, each by its own reason, whatever stands beside them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from initkit import Recipe, plan_init
from initkit.errors import PlanError, UnregisteredParameter


def norm() -> nn.Module:
    return nn.Sequential(nn.BatchNorm1d(3))


def told(rules: Any, **options: Any) -> list[str]:
    return [problem.sentence for problem in plan_init(norm(), rules, **options).problems]


def test_a_rule_that_matches_buffers_alone_is_not_told_to_stand_higher() -> None:
    first, second = told({"*.running_mean": 0, "0.running_mean": 1, "*": 1})
    why = "'0.running_mean' is a buffer: buffers=True initialises those, too"
    assert first == f"the rule '*.running_mean' matches no parameter; {why}"
    assert second == f"the rule '0.running_mean' matches no parameter; {why}"


def test_with_buffers_the_same_rule_is_told_to_stand_higher() -> None:
    assert told({"*.running_*": 0, "0.running_mean": 1, "*": 1}, buffers=True) == [
        (
            "the rule '0.running_mean' never decides: what it matches is taken by "
            "'*.running_*'; put it above that"
        )
    ]


ONE = "put above, it would leave one of those"


@pytest.mark.parametrize(
    ("rules", "advice"),
    [
        ([{"0.weight": 1}, {"0.weight": 2}], "'0.weight'; put above, it would leave that one"),
        ({"*.weight": 1, "*.bias": 0, "*": "keep"}, f"'*.weight', '*.bias'; {ONE}"),
        (["xavier_uniform", {"*": 0}], f"xavier_uniform: every norm bias'; {ONE}"),
    ],
)
def test_a_rule_that_would_only_shadow_others_is_told_to_be_left_out(
    rules: Any, advice: str
) -> None:
    (text,) = told(rules)
    assert text.endswith(f"{advice} nothing, so leave one of them out")


def test_above_a_recipe_that_decides_more_a_rule_is_told_to_stand_higher() -> None:
    (text,) = told(["xavier_uniform", {"0.bias": 0}])
    assert text.endswith("put it above that")


IDLE = "no rule of the recipe my/net decides anything here"


@pytest.mark.parametrize("before", [{}, {"0.running_mean": 0}, {"0.running_var": 0}])
def test_an_idle_recipe_is_told_whatever_stands_above_it(before: dict[str, int]) -> None:
    recipe = Recipe("my/net", rules={"*.running_mean": 0})
    assert told([before, recipe, {"*": 1}])[-1] == IDLE


def test_asking_who_stands_above_a_rule_makes_that_one_no_less_idle() -> None:
    """Two rules for one buffer, and a third for a name that is nowhere: three problems."""
    rules = {"0.running_mean": 0, "*.running_mean": 1, "0.wieght": 2, "*": 1}
    assert len(told(rules)) == 3


def test_a_parameter_registered_as_none_counts() -> None:
    model = nn.Linear(2, 2, bias=False)
    assert plan_init(model, {"bias": 0, "weight": 1}).problems == ()


class Hiding(nn.Module):
    """A model beside whose lists a tensor, a layer and a parameter hang."""

    def __init__(self) -> None:
        super().__init__()
        self.weight1 = nn.Parameter(torch.zeros(2))
        self.weight2 = torch.zeros(2)
        self.layers = [nn.Linear(2, 2)]


def told_of_hiding(rules: Any, **options: Any) -> list[str]:
    return [problem.sentence for problem in plan_init(Hiding(), rules, **options).problems]


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("weight2", "weight2 is a plain tensor of Hiding, not a parameter: "),
        ("layers.0.weight", "layers[0] is a Linear in a list of Hiding, not registered, with "),
        ("layers[0].weight", "layers[0] is a Linear in a list of Hiding, not registered, with "),
        ("layers*", "layers[0] is a Linear in a list of Hiding, not registered, with "),
        (nn.Linear, "layers[0] is a Linear in a list of Hiding, not registered, with "),
    ],
    ids=str,
)
def test_a_rule_that_names_what_is_not_registered_is_told_what_it_is(key: Any, what: str) -> None:
    (text,) = told_of_hiding({key: 0, "weight1": 0})
    assert text.partition(" matches no parameter; ")[2].startswith(what)


def test_a_rule_that_names_nothing_is_still_told_what_is_near() -> None:
    (text,) = told_of_hiding({"wieght1": 0, "*": "keep"})
    assert text.endswith("did you mean 'weight1'?")


@pytest.mark.parametrize("option", ["only", "protect"])
@pytest.mark.parametrize("entry", ["weight2", "layers", "layers.0", "layers[0].bias"])
def test_only_and_protect_are_told_too(option: str, entry: str) -> None:
    (text,) = told_of_hiding({"*": 0}, **{option: [entry, "weight1"]})
    head = f"{option} has {entry!r}, which matches no parameter, buffer or module; "
    assert text.startswith(f"{head}weight2 is a" if entry == "weight2" else f"{head}layers[0] is")


def test_every_plan_remarks_on_what_is_not_registered() -> None:
    plan = plan_init(Hiding(), {"*": 0})
    assert not plan.problems
    first, second = plan.notes
    assert first.startswith("layers[0] is a Linear in a list of Hiding, not registered, with layer")
    assert second == "not registered, so that no rule starts them: weight2"
    assert plan.notes[0] in plan.text() and plan.text().endswith("starts them: weight2")


def test_strict_refuses_what_should_train_and_lets_constants_be() -> None:
    (problem,) = plan_init(Hiding(), {"*": 0}, strict=True).problems
    assert type(problem) is UnregisteredParameter and problem.sentence.startswith("layers[0] is a")
    assert plan_init(Hiding(), {"*": 0}, strict=True, only="weight1").problems == ()


def test_a_sound_model_has_no_such_remark() -> None:
    assert plan_init(norm(), {"*": 0}, strict=True).notes == ()


def test_of_thousands_of_misspelt_rules_the_first_are_told_what_was_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def hint(slots: Any, glob: str, scope: str) -> str:
        asked.append(glob)
        return "; that"

    monkeypatch.setattr("initkit.rules.matchers.hint_name", hint)
    model = nn.Sequential(*[nn.PReLU() for _ in range(1000)])
    problems = plan_init(model, {f"{i}.wieght": 0 for i in range(3000)}).problems
    assert len(problems) == 3000
    assert len(asked) == 50


def test_a_rule_under_a_class_or_a_scope_is_shown_as_a_table_takes_it() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    for rules, line in [
        ({"*.bias": 0, nn.LayerNorm: {"bias": 1}, "*": 2}, "nn.LayerNorm: {'bias': 1}"),
        ({"*": 0, nn.Linear: 1}, "nn.Linear: 1"),
        ({"*": 0, "1": {"weight": 1}}, "'1': {'weight': 1}"),
    ]:
        with pytest.raises(PlanError) as error:
            plan_init(model, rules).check()
        assert f"as written:   {line}\n" in str(error.value)
        pasted = [eval(f"{{{line}}}"), rules]  # what the error says to paste
        assert len(plan_init(model, pasted, idle="ignore").problems) == 0
