"""Braces in a key: several names, ranges as plans print them, and names that have braces."""

from __future__ import annotations

import pytest
from torch import nn

from initkit import plan_init
from initkit.plan import Plan
from initkit.rules import Alternatives


def blocks(count: int = 6) -> nn.Module:
    parts = ("q_proj", "k_proj", "fc")
    layers = [nn.ModuleDict({part: nn.Linear(2, 2) for part in parts}) for _ in range(count)]
    return nn.ModuleDict({"blocks": nn.ModuleList(layers)})


def ones(plan: Plan) -> list[str]:
    return [step.name for step in plan if step.start == "constant 1"]


@pytest.mark.parametrize(
    ("glob", "names"),
    [
        ("h.{0..3}.w", ["h.0.w", "h.1.w", "h.2.w", "h.3.w"]),
        (
            "h.{0..1,4}.{q, k}_proj",
            ["h.0.q_proj", "h.0.k_proj", "h.1.q_proj", "h.1.k_proj", *("h.4.q_proj", "h.4.k_proj")],
        ),
        ("h.{9..11}", ["h.9", "h.10", "h.11"]),
        ("{3..0,a}", ["3..0", "a"]),  # a range that counts down holds nothing
        ("{0..99999999,a}", ["0..99999999", "a"]),
    ],
)
def test_braces_stand_for_words_and_numbers(glob: str, names: list[str]) -> None:
    assert Alternatives.in_glob(glob)
    assert Alternatives(glob).globs == names


def test_one_name_in_braces_is_a_name() -> None:
    assert not Alternatives.in_glob("a{1}.w") and not Alternatives.in_glob("a{}.w")


def test_the_label_of_every_line_of_a_plan_is_a_key_of_its_parameters() -> None:
    rules = {"*.2.*": 3, "*.fc.weight": 2, "*.bias": 0, "*": "normal"}
    model = blocks()
    for fold in plan_init(model, rules).folds:
        if "*" not in fold.label:
            plan = plan_init(model, [{fold.label: 1}, {"*": 0}])
            assert sorted(ones(plan)) == sorted(fold.names)


def test_ranges_choose_modules_in_only_and_protect() -> None:
    model = blocks()
    written = [
        s.name for s in plan_init(model, {"*": 0}, only="blocks.{0..3}") if s.status == "write"
    ]
    assert len(written) == 4 * 6 and not any(".4." in name or ".5." in name for name in written)
    kept = plan_init(model, {"*": 0}, protect=["blocks.{0..3}.fc"]).with_status("protected")
    assert [step.name.split(".")[1] for step in kept] == [c for c in "0123" for _ in range(2)]
    problems = plan_init(model, {"*": 0}, only="blocks.{4..6}").problems
    assert ["'blocks.6'" in problem.sentence for problem in problems] == [True]


def test_a_name_that_has_braces_means_that_name_alone() -> None:
    model = nn.ModuleDict({name: nn.Linear(2, 2) for name in ("x{0,3}", "x0", "x3")})
    assert ones(plan_init(model, {"x{0,3}.weight": 1, "*": 0})) == ["x{0,3}.weight"]
    for option in ("only", "protect"):
        plan = plan_init(model, {"*": 1}, **{option: "x{0,3}"})
        chosen = [s.name for s in plan if (s.status == "write") == (option == "only")]
        assert chosen == ["x{0,3}.weight", "x{0,3}.bias"] and not plan.problems
