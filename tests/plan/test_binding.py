"""A plan is data: it applies to parts by name, and refuses what it lacks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from models import tied_lm
from torch import nn

import initkit
from initkit import (
    OptionError,
    Plan,
    PlanError,
    apply_init,
    distributions,
    model_digest,
    plan_init,
    schemes,
)

DEFAULT = [{"tokens.weight": "normal(std=0.02)"}, "torch_default"]


def back(plan: Plan) -> Plan:
    return Plan.from_json(plan.to_json())


# ------------------------------------------------------------------------------ Plan.apply


def test_applying_a_plan_is_apply_init() -> None:
    one, two = tied_lm(), tied_lm()
    report = plan_init(one, DEFAULT).apply(one, seed=3, prefix="q1")
    other = apply_init(two, DEFAULT, seed=3, prefix="q1")
    assert report.digest == other.digest
    assert report.written == other.written
    assert model_digest(one) == model_digest(two)


def test_a_plan_holds_on_to_no_memory_of_the_model_it_was_made_from() -> None:
    model = nn.Linear(2, 2)
    plan = plan_init(model, {"*": 1})
    model.weight = nn.Parameter(torch.zeros(2, 2))
    plan.apply(model, seed=0)
    assert model.weight.tolist() == [[1.0, 1.0], [1.0, 1.0]], "the model is walked again"


def test_a_plan_from_meta_applies_to_wrapped_and_unwrapped_models() -> None:
    with torch.device("meta"):
        plan = plan_init(nn.Linear(2, 2), {"*": "normal(std=1)"})
    plain, wrapped = nn.Linear(2, 2), nn.DataParallel(nn.Linear(2, 2))
    plan.apply(plain, seed=0)
    plan.apply(wrapped, seed=0)
    back(plan_init(wrapped, {"*": "normal(std=1)"})).apply(plain, seed=0)
    assert torch.equal(plain.weight, wrapped.module.weight)


def test_a_plan_applies_to_a_state_dict() -> None:
    model, whole = tied_lm(), tied_lm()
    plan = plan_init(model, DEFAULT)
    plan.apply(model.state_dict(), seed=1)
    plan.apply(whole, seed=1)
    assert model_digest(model) == model_digest(whole)


def test_kept_and_left_out_parameters_stay_as_they_are() -> None:
    model = nn.Linear(2, 2)
    before = model.bias.detach().clone()
    report = back(plan_init(model, {"weight": 0, "bias": "keep"})).apply(model, seed=0)
    assert torch.equal(model.bias, before)
    assert report.written == ["weight"]
    plan_init(model, {"*": 5}, only="weight").apply(model, seed=0)
    assert torch.equal(model.bias, before)


def test_rename_takes_modules_names_and_functions() -> None:
    whole = nn.Sequential(*[nn.Linear(3, 3) for _ in range(4)])
    plan = plan_init(whole, {"*": "normal(std=1)"})
    plan.apply(whole, seed=0)
    for rename in (
        {"0": "2", "1": "3"},
        {"0": "2", "1.weight": "3.weight", "1.bias": "3.bias"},
        lambda name: f"{int(name[0]) + 2}{name[1:]}",
    ):
        part = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        plan.apply(part, seed=0, rename=rename)
        assert torch.equal(part[0].weight, whole[2].weight)
        assert torch.equal(part[1].bias, whole[3].bias)


def test_rename_puts_a_part_under_its_module() -> None:
    whole = nn.ModuleDict({"trunk": nn.Sequential(nn.Linear(3, 3)), "head": nn.Linear(3, 2)})
    plan = plan_init(whole, {"*": "normal(std=1)"})
    plan.apply(whole, seed=0)
    part = nn.Sequential(nn.Linear(3, 3))
    plan.apply(part, seed=0, rename={"": "trunk"})
    assert torch.equal(part[0].weight, whole["trunk"][0].weight)
    bare = nn.Linear(3, 2)
    plan.apply(bare, seed=0, rename={"": "head"})
    assert torch.equal(bare.weight, whole["head"].weight)


def test_rename_to_none_leaves_a_tensor_alone() -> None:
    model = nn.ModuleDict({"new": nn.Linear(2, 2), "old": nn.Linear(2, 2)})
    plan = plan_init(nn.ModuleDict({"old": nn.Linear(2, 2)}), {"*": 1})
    before = model["new"].weight.detach().clone()
    report = plan.apply(model, seed=0, rename={"new": None})
    assert torch.equal(model["new"].weight, before)
    assert report.written == ["old.weight", "old.bias"]


class Half(nn.Module):
    """The part of a language model that has the head alone."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(32, 64, bias=False)


def test_a_tie_across_parts_agrees_padding_row_included() -> None:
    plan = back(plan_init(tied_lm(), DEFAULT))
    whole, part = tied_lm(), Half()
    plan.apply(whole, seed=2)
    plan.apply(part, seed=2)
    assert torch.equal(part.head.weight, whole.tokens.weight)
    assert not part.head.weight[0].any()


def test_a_narrower_dtype_gets_the_same_numbers_rounded() -> None:
    plan = plan_init(nn.Linear(8, 8), {"*": "normal(std=1)"})
    one, two = nn.Linear(8, 8), nn.Linear(8, 8).bfloat16()
    plan.apply(one, seed=0)
    plan.apply(two, seed=0)
    assert torch.equal(one.weight.bfloat16(), two.weight)


# ------------------------------------------------------------------------------ refused by name


def problems(plan: Plan, model: object, **options: object) -> list[str]:
    digest = model_digest(model)
    with pytest.raises(PlanError) as caught:
        plan.apply(model, seed=0, **options)
    assert model_digest(model) == digest, "nothing was written"
    return [problem.sentence for problem in caught.value.problems]


def test_unknown_names_and_other_shapes_are_listed_together() -> None:
    plan = plan_init(nn.ModuleDict({"fc": nn.Linear(2, 2), "head": nn.Linear(2, 3)}), {"*": 0})
    model = nn.ModuleDict({"fc": nn.Linear(2, 2), "heda": nn.Linear(2, 3), "head": nn.Linear(2, 4)})
    assert problems(plan, model) == [
        "heda.weight is not in the plan; did you mean 'head.weight' or 'fc.weight'?",
        "heda.bias is not in the plan; did you mean 'head.bias' or 'fc.bias'?",
        "head.weight: its shape is [4, 2], and the plan has [3, 2]",
        "head.bias: its shape is [4], and the plan has [3]",
    ]


def test_a_model_of_which_nothing_is_in_the_plan_is_refused() -> None:
    plan = plan_init(nn.ModuleDict({"zzz": nn.Linear(2, 2)}), {"*": 0})
    assert problems(plan, nn.Linear(2, 2)) == [
        "weight is not in the plan; did you mean 'zzz.weight'?",
        "bias is not in the plan; did you mean 'zzz.bias'?",
    ]
    (told,) = problems(plan, nn.BatchNorm1d(2, affine=False))
    assert told == (
        "no parameter of this model is in the plan, which has 'zzz.weight' and the like; the model "
        "has 'running_mean'"
    )
    assert problems(plan, nn.ParameterDict({"q": torch.zeros(2)}))[0] == (
        "q is not in the plan; rename= leads to its names"
    )


def test_another_kind_of_dtype_is_refused() -> None:
    plan = plan_init({"w": torch.zeros(3)}, {"w": 1})
    assert problems(plan, {"w": torch.zeros(3, dtype=torch.int64)}) == [
        "w: its dtype is torch.int64, and the plan has torch.float32"
    ]


def test_memory_that_the_plan_has_apart_is_refused() -> None:
    plan = plan_init(nn.ModuleDict({"a": nn.PReLU(), "b": nn.PReLU()}), {"*": "normal(std=1)"})
    shared = nn.PReLU()
    (told,) = problems(plan, nn.ModuleDict({"a": shared, "b": shared}))
    assert told == (
        "a.weight and b.weight share memory here, and the plan has 'a.weight' and 'b.weight' "
        "apart; plan the model with its ties"
    )


def test_a_view_without_what_it_is_a_view_of_is_refused() -> None:
    class Views(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Parameter(torch.zeros(3, 3))
            self.b = nn.Parameter(self.a.data.t())

    plan = plan_init(Views(), {"*": "normal(std=1)"})
    part = nn.ParameterDict({"b": torch.zeros(3, 3)})
    (told,) = problems(plan, part)
    assert told == (
        "b: the plan writes it through 'a', of which it is a view, and this part of the model does "
        "not have that one"
    )


def test_a_rename_that_matches_nothing_is_an_error() -> None:
    plan = plan_init(nn.Linear(2, 2), {"*": 0})
    with pytest.raises(OptionError) as caught:
        plan.apply(nn.Linear(2, 2), seed=0, rename={"wieght": "weight"})
    assert str(caught.value) == (
        "rename has 'wieght', which is no name and no module here; did you mean 'weight'?"
    )
    with pytest.raises(OptionError, match="^rename takes a mapping or a function, not 3$"):
        plan.apply(nn.Linear(2, 2), seed=0, rename=3)


def test_applying_a_plan_with_problems_raises_all_of_them() -> None:
    plan = plan_init(nn.Linear(2, 2), {"nothing": 0})
    with pytest.raises(PlanError):
        plan.apply(nn.Linear(2, 2), seed=0)
    assert issubclass(initkit.errors.UnplannedParameter, initkit.Problem)


# --------------------------------------------------------------------- plans made by hand


@pytest.mark.parametrize(
    ("distribution", "text"),
    [
        (distributions.Orthogonal((4, 4), 1.0, (1, 4, 3)), "1 x 4 x 3 matrices do not fill"),
        (distributions.Blocks((distributions.Constant(0.0),) * 2, 7), "2 blocks of 7 elements"),
        (distributions.Copy("a"), "copy of a, of which the plan does not know how it starts"),
    ],
    ids=["grid", "blocks", "copy"],
)
def test_a_plan_made_by_hand_is_refused_before_anything_is_written(
    distribution: distributions.Distribution, text: str
) -> None:
    model = {"a": torch.ones(4, 4), "b": torch.ones(4, 4)}
    plan = plan_init(model, {"*": "normal"}).without_targets()
    steps = [plan["a"], replace(plan["b"], distribution=distribution)]
    made = plan.replaced(steps=steps)
    with pytest.raises(PlanError, match=f"b: .*{text}"):
        made.apply(model, seed=0)
    with pytest.raises(PlanError, match=f"b: .*{text}"):
        initkit.check_init(model, made)
    assert bool((model["a"] == 1).all())


def test_a_scheme_whose_sizes_do_not_agree_with_the_tensor_is_named() -> None:
    class FourByFour(schemes.Scheme):
        def resolve(self, site: schemes.Site) -> distributions.Distribution:
            return distributions.Orthogonal((4, 4), 1.0, (1, 4, 4))

    plan = plan_init({"a": torch.ones(3, 4)}, {"a": FourByFour()})
    assert "it gives orthogonal, and it is of the shape [4, 4]" in plan.problems[0].sentence
