"""Recipes that half-fit speak, and those that are not for a model are refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from initkit import Recipe, apply_init, plan_init, register_recipe
from initkit.errors import OptionError, PlanError, RecipeMisfit
from initkit.rules import unregister_recipe


class HomeGPT(nn.Module):
    """A block whose residual projection has another name than GPT-2's."""

    def __init__(self) -> None:
        super().__init__()
        self.c_attn, self.out = nn.Linear(8, 24), nn.Linear(8, 8)


RULES = {"*.gate": 1, "type:Linear": {"weight": "normal(std=0.02)", "bias": 0}}


def _marked(*marks: str) -> Recipe:
    return Recipe("marked/mine", rules=RULES, marks=marks)


def test_a_recipe_none_of_whose_marks_is_there_is_an_error_with_the_way_out() -> None:
    with pytest.raises(PlanError) as error:
        apply_init(HomeGPT(), "gpt2/transformers", seed=0)
    assert str(error.value) == (
        "nothing was written: the recipe gpt2/transformers is not for this model, which has "
        "nothing called '*.c_proj.weight'; suggest_recipe(model) names those that fit. To apply "
        "it all the same, write gpt2/transformers(insist=True)"
    )


def test_who_insists_gets_it_with_a_loud_remark() -> None:
    report = apply_init(HomeGPT(), "gpt2/transformers(insist=True)", seed=0)
    assert "is not for this model, which has nothing called '*.c_proj.weight'" in report.text()
    assert "applied all the same, as insist=True says" in report.text()


def test_mamba_on_a_convolutional_network_is_refused() -> None:
    plan = plan_init(nn.Sequential(nn.Conv2d(3, 3, 3), nn.Linear(3, 3)), "mamba")
    assert [type(problem) for problem in plan.problems] == [RecipeMisfit]


def test_a_mark_that_is_missing_beside_others_is_remarked_on_and_strict_refuses() -> None:
    recipe = _marked("*.c_attn.*", "*.gate")
    plan = plan_init(HomeGPT(), recipe)
    assert not plan.problems
    text = (
        "the recipe marked/mine finds only a part of what it is about: nothing is called '*.gate'"
    )
    assert text in plan.text()
    assert [p.sentence for p in plan_init(HomeGPT(), recipe, strict=True).problems] == [text]


@pytest.mark.parametrize(
    ("table", "refused"),
    [
        ({"a": _marked("*.c_attn.*"), "b": "keep"}, ()),
        ({"a": "keep", "b": _marked("*.c_attn.*")}, ("the part 'b'",)),
    ],
)
def test_under_a_scope_marks_are_looked_for_within_it(
    table: dict[str, Any], refused: tuple[str, ...]
) -> None:
    model = nn.ModuleDict({"a": HomeGPT(), "b": nn.Sequential(nn.Linear(2, 2))})
    rules = {f"{k}.*" if v == "keep" else k: v for k, v in table.items()}
    problems = plan_init(model, rules).problems
    assert len(problems) == len(refused)
    assert all(text in str(p) for text, p in zip(refused, problems, strict=True))


def test_the_error_names_the_recipe_whose_code_the_model_is() -> None:
    right = Recipe("right/mine", rules={"*": 0}, code=(HomeGPT.__module__,))
    register_recipe(right)
    try:
        (problem,) = plan_init(HomeGPT(), _marked("*.gate")).problems
    finally:
        unregister_recipe("right/mine")
    assert "its own code starts as right/mine says" in problem.sentence


def test_marks_by_type_are_no_question_for_a_state_dict() -> None:
    recipe = Recipe("named/mine", rules={"*": 0}, marks=("type:LSTM",))
    assert not plan_init(HomeGPT().state_dict(), recipe).problems


def test_insist_is_an_option_of_recipes_with_marks_alone() -> None:
    with pytest.raises(OptionError, match="has no option 'insist'"):
        plan_init(HomeGPT(), Recipe("plain/mine", rules={"*": 0})(insist=True))


def _family(*kinds: str) -> nn.Module:
    """Return a model whose classes are from modules of transformers, the outermost first."""
    model: nn.Module = nn.Linear(3, 3)
    for kind in reversed(kinds):
        module = f"transformers.models.{kind}.modeling_{kind}"
        cls = type(f"{kind.title()}Model", (nn.Module,), {"__module__": module})
        outer = cls()
        outer.inner = model
        model = outer
    return model


def test_a_recipe_of_another_family_of_the_same_library_is_refused_where_it_starts_otherwise() -> (
    None
):
    (problem,) = plan_init(_family("bit"), "bert/transformers").problems
    assert problem.sentence == (
        "the recipe bert/transformers is not for this model; its own code starts as "
        "bit/transformers says: inner.weight as U(-0.5774, 0.5774), not N(0, 0.02). To apply it "
        "all the same, write bert/transformers(insist=True)"
    )
    insisted = plan_init(_family("bit"), "bert/transformers(insist=True)")
    assert not insisted.problems
    assert "bit/transformers says: inner.weight as U" in insisted.text()
    assert "it is applied all the same, as insist=True says" in insisted.text()


def test_a_recipe_is_welcome_where_a_part_is_its_own_code_or_starts_alike() -> None:
    assert not plan_init(_family("someones", "bert"), "bert/transformers").problems
    assert not plan_init(_family("bert"), "bert/transformers").problems
    assert not plan_init(_family("mistral"), "llama/transformers").problems


def test_what_ones_own_rules_decide_does_not_speak_against_a_recipe() -> None:
    rules = {"*.weight": 0, "*": "bert/transformers"}
    assert not plan_init(_family("mistral"), rules).problems


def test_a_recipe_of_another_library_is_welcome_on_any_code() -> None:
    assert not plan_init(_family("bit"), "torch_default").problems
    assert not plan_init(_family("bit"), {"*": "resnet/torchvision"}).problems


def test_a_wrapped_model_is_known_by_its_parts() -> None:
    model = nn.Sequential(_family("bit"))
    (problem,) = plan_init(model, {"0": "bert/transformers"}).problems
    assert "is not for the part '0'; its own code starts as bit/transformers" in problem.sentence
    (problem,) = plan_init(model, "bert/transformers").problems
    assert "is not for this model; its own code" in problem.sentence


@pytest.mark.parametrize("rival", [(), ("rival/mine",)])
def test_a_part_of_a_family_is_the_family_though_its_marks_stand_elsewhere(
    rival: tuple[str, ...],
) -> None:
    """Marks tell cousins apart, so that two recipes of one code are still told apart by them."""
    code = ("transformers.models.towered",)
    recipe = Recipe("towered/mine", rules={"*": 0}, marks=("type:TowerNorm",), code=code)
    names = ["towered/mine", *rival]
    for name in names:
        register_recipe(recipe if name == recipe.name else Recipe(name, rules={"*": 1}, code=code))
    try:
        problems = plan_init(_family("towered"), recipe).problems
        inside = plan_init(_family("someones", "towered"), {"inner": recipe}).problems
    finally:
        for name in names:
            unregister_recipe(name)
    assert [type(p) for p in (*problems, *inside)] == [RecipeMisfit, RecipeMisfit] * len(rival)
