"""Rules that decide nothing are told, each by its own reason, whatever stands beside them."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from initkit import Recipe, plan_init


def norm() -> nn.Module:
    return nn.Sequential(nn.BatchNorm1d(3))


def told(rules: Any, **options: Any) -> list[str]:
    return [str(problem) for problem in plan_init(norm(), rules, **options).problems]


def test_a_rule_that_matches_buffers_alone_is_not_told_to_stand_higher() -> None:
    first, second = told({"*.running_mean": 0, "0.running_mean": 1, "*": 1})
    why = "'0.running_mean' is a buffer: buffers=True initialises those, too"
    assert first == f"the rule '*.running_mean' matches no parameter; {why}"
    assert second == f"the rule '0.running_mean' matches no parameter; {why}"


def test_with_buffers_the_same_rule_is_told_to_stand_higher() -> None:
    assert told({"*.running_mean": 0, "0.running_mean": 1, "*": 1}, buffers=True) == [
        (
            "the rule '0.running_mean' never decides: what it matches is taken by "
            "'*.running_mean'; put it above that"
        )
    ]


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


def test_of_thousands_of_misspelt_rules_the_first_are_told_what_was_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def hint(slots: Any, glob: str) -> str:
        asked.append(glob)
        return "; that"

    monkeypatch.setattr("initkit.rules.matchers.hint_name", hint)
    model = nn.Sequential(*[nn.PReLU() for _ in range(1000)])
    problems = plan_init(model, {f"{i}.wieght": 0 for i in range(3000)}).problems
    assert len(problems) == 3000
    assert len(asked) == 50
