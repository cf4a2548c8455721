"""Copies: which parameter a name stands for, what is written, and what cannot be a copy."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from initkit import (
    Plan,
    Rule,
    apply_init,
    check_init,
    deferred,
    initialized,
    load_recipe,
    materialize,
    plan_init,
    save_recipe,
    verify_report,
)
from initkit.distributions import Copy, Normal
from initkit.errors import OptionError, PlanError
from initkit.schemes import read_scheme


class Critic(nn.Module):
    """A critic with an embedding that is tied to its head, and a padding row."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 8, padding_idx=0)
        self.body = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
        self.head = nn.Linear(8, 10, bias=False)
        self.head.weight = self.embed.weight


class Twins(nn.Module):
    """A critic and the copy that follows it, in the order that makes copies wait."""

    def __init__(self) -> None:
        super().__init__()
        self.target, self.q = Critic(), Critic()


def own(tensor: Tensor) -> None:
    tensor.normal_()


RULES: dict[str, Any] = {
    "target.*": "copy_of('q.*')",
    "q.embed.weight": "normal(std=0.02)",
    "*.0.weight": "orthogonal",
    "*.1.weight": own,
    "*.0.bias": "arange",
    "*.bias": "uniform",
}


def assert_twins(model: nn.Module) -> None:
    for name, tensor in model.q.named_parameters():
        assert torch.equal(model.target.get_parameter(name), tensor), name


@pytest.mark.parametrize("options", [{}, {"prefix": "actor"}])
def test_a_copy_holds_the_values_of_its_source_whatever_draws_them(options: Any) -> None:
    model = Twins()
    report = apply_init(model, RULES, seed=3, **options)
    assert_twins(model)
    assert not model.target.embed.weight[0].any() and model.target.embed.weight[1].any()
    assert check_init(model, report).ok


def test_the_plan_shows_which_one_it_copies_and_how_that_starts() -> None:
    step = plan_init(Twins(), RULES)["target.body.0.weight"]
    assert (step.start, step.remarks) == ("copy of q.body.0.weight", "orthogonal")
    tied = plan_init(Twins(), RULES)["target.head.weight"]
    assert tied.start == "copy of q.embed.weight"
    assert tied.remarks == "= target.head.weight, row 0 zero (padding), N(0, 0.02)"


def test_deferred_and_part_by_part_the_values_are_the_same() -> None:
    model = Twins()
    plan = plan_init(model, RULES)
    plan.apply(model, seed=0)
    with deferred():
        later = Twins()
    apply_init(later, RULES, seed=0)
    assert_twins(later)
    assert torch.equal(later.q.body[0].weight, model.q.body[0].weight)
    alone = Critic()
    plan.apply(alone, seed=0, rename={"": "target"})
    assert torch.equal(alone.body[1].bias, model.q.body[1].bias)
    assert torch.equal(alone.body[1].weight, model.q.body[1].weight)


def test_a_copy_of_a_copy_has_the_values_of_the_first() -> None:
    model = {name: torch.empty(6, 4) for name in "abc"}
    rules = {"a": "copy_of('b')", "b": "copy_of('c')", "c": "normal"}
    plan = plan_init(model, rules)
    plan.apply(model, seed=0)
    assert torch.equal(model["a"], model["c"]) and torch.equal(model["b"], model["c"])
    assert plan["a"].distribution == Copy("b", Normal(0.0, 1.0), "c")
    assert check_init(model, plan).ok


def test_a_copy_has_the_padding_row_of_its_source_and_no_other() -> None:
    rows = {"a": 1, "b": None, "c": 2, "d": None, "e": 3}
    model = nn.ModuleDict({n: nn.Embedding(5, 4, padding_idx=row) for n, row in rows.items()})
    more = {"e.*": "copy_of('d.*')", "d.*": "normal"}
    plan = plan_init(
        model, {"b.*": "copy_of('a.*')", "c.*": "copy_of('a.*')", "a.*": "normal", **more}
    )
    plan.apply(model, seed=0)
    assert torch.equal(model["b"].weight, model["a"].weight)
    assert torch.equal(model["c"].weight, model["a"].weight)
    assert not model["b"].weight[1].any() and bool(model["c"].weight[2].any())
    assert torch.equal(model["e"].weight, model["d"].weight) and bool(model["d"].weight[3].any())
    assert check_init(model, plan).ok


def test_plans_files_and_reports_carry_copies(tmp_path: Path) -> None:
    model, rules = Twins(), RULES | {"*.1.weight": "normal"}
    plan = plan_init(model, rules)
    again = Plan.from_json(plan.to_json())
    assert [s.distribution for s in again] == [s.distribution for s in plan]
    loaded = load_recipe(save_recipe(rules, tmp_path / "rules.toml"))
    assert plan_init(model, loaded).digest() == plan.digest()
    path = plan.apply(model, seed=0).save(tmp_path / "report.json")
    assert verify_report(model, path).ok


def test_another_source_is_another_plan() -> None:
    model = {name: torch.empty(4) for name in "abcd"}
    rules: dict[str, Any] = {"c": "normal", "d": "normal"}
    one = plan_init(model, {"a": "copy_of('c')", "b": "copy_of('d')", **rules})
    two = plan_init(model, {"a": "copy_of('d')", "b": "copy_of('c')", **rules})
    assert one.digest() != two.digest()
    assert "copy of c -> copy of d" in str(one.diff(two))


@pytest.mark.parametrize(
    ("rules", "source"),
    [
        ({"target.body.0.*": "copy_of('q.body.1.*')"}, "q.body.1.weight"),
        ({"*.body.0.*": "copy_of('*.body.1.*')"}, "target.body.1.weight"),
        ({"target": {"body.*": "copy_of('q.body.*')"}}, "q.body.0.weight"),
        ({"in:Critic": {"body.0.*": "copy_of('q.body.1.*')"}}, "q.body.1.weight"),
        ({"re:target\\.(.*)": "copy_of('q.*')"}, "q.body.0.weight"),
        ([Rule("copy_of('q.*')", name="target.*", type=nn.Linear)], "q.body.0.weight"),
        ({"target.body.0.weight": "copy_of('q.body.1.weight')"}, "q.body.1.weight"),
    ],
)
def test_stars_stand_for_what_those_of_the_rule_took(rules: Any, source: str) -> None:
    rest = {"*.embed.weight": 0, "*.weight": "normal", "*.bias": "normal"}
    plan = plan_init(Twins(), [rules, rest], idle="ignore")
    assert plan["target.body.0.weight"].start == f"copy of {source}"


def test_a_first_star_may_stand_for_nothing() -> None:
    model = {"weight": torch.empty(3), "a.weight": torch.empty(3), "other": torch.empty(3)}
    rules = {"*.weight": "copy_of('*.other')", "*": "normal"}
    plan = plan_init(model, rules)
    assert plan["weight"].start == "copy of other"
    assert "there is no parameter 'a.other' to copy" in plan.problems[0].sentence


def test_wrappers_make_no_other_names() -> None:
    model = nn.DataParallel(Twins())
    apply_init(model, RULES, seed=0)
    assert_twins(model.module)


def test_recorded_rules_copy_within_each_instance() -> None:
    @initialized({"target.*": "copy_of('q.*')", "*": "normal"})
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.target = nn.Linear(4, 4), nn.Linear(4, 4)

    with deferred():
        model = nn.ModuleList(Pair() for _ in range(2))
    materialize(model, "cpu", seed=0)
    one, two = model
    assert torch.equal(one.q.weight, one.target.weight)
    assert torch.equal(two.q.weight, two.target.weight)
    assert not torch.equal(one.q.weight, two.q.weight)


PROBLEMS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown source": (
        {"target.body.0.bias": "copy_of('q.bdy.0.bias')", "*": "normal"},
        (
            "target.body.0.bias: there is no parameter 'q.bdy.0.bias' to copy "
            "(rule 'target.body.0.bias'); did you mean 'q.body.0.bias'"
        ),
    ),
    "a kept source": (
        {"target.*": "copy_of('q.*')", "q.body.0.bias": "keep", "*": "normal"},
        (
            "target.body.0.bias: no rule starts 'q.body.0.bias' here (keep), so that what it holds "
            "is not the plan's to copy; give it a rule, or copy the values by load_state_dict "
            "(rule 'target.*')"
        ),
    ),
    "no rule for the source": (
        {"target.body.0.bias": "copy_of('q.body.0.bias')"},
        "target.body.0.bias: no rule starts 'q.body.0.bias' here (keeps its value (no rule)), so",
    ),
    "another shape": (
        {"target.body.0.bias": "copy_of('q.body.0.weight')", "*": "normal"},
        "target.body.0.bias: its shape is [8], and that of 'q.body.0.weight' is [8, 8] (rule",
    ),
    "itself": (
        {"target.body.0.bias": "copy_of('target.body.0.bias')", "*": "normal"},
        (
            "target.body.0.bias: it would be a copy of itself (target.body.0.bias -> "
            "target.body.0.bias); give one of them a scheme (rule"
        ),
    ),
    "a circle": (
        {
            "target.body.0.bias": "copy_of('q.body.0.bias')",
            "q.body.0.bias": "copy_of('target.body.0.bias')",
            "*": "normal",
        },
        (
            "q.body.0.bias: it would be a copy of itself (target.body.0.bias -> q.body.0.bias -> "
            "target.body.0.bias); give one of them a scheme (rule 'q.body.0.bias')"
        ),
    ),
    "another number of stars": (
        {"target.body.0.bias": "copy_of('q.*')", "*": "normal"},
        (
            "'q.*' has 1 '*', and the name in its rule none; write as many in both, as in "
            "{'target.*': \"copy_of('q.*')\"}"
        ),
    ),
    "made of what a function draws": (
        {"target.*": "sum(copy_of('q.*'), normal(std=0.1))", "*": own},
        (
            "'q.body.0.weight' starts as own(), which cannot be drawn again to make other values "
            "of; copy it as it is, or give one of them another scheme (rule 'target.*')"
        ),
    ),
    "made of two": (
        {"target.*": "sum(copy_of('q.*'), copy_of('q.*'))", "*": "normal"},
        "it gives copy of q.body.0.bias + copy of q.body.0.bias, and one of its two may be a copy",
    ),
    "made of itself": (
        {"target.body.0.bias": "scaled(copy_of('target.body.0.bias'), 2)", "*": "normal"},
        "target.body.0.bias: it would be a copy of itself",
    ),
    "made of what goes by the place": (
        {"target.*weight": "sum(copy_of('q.*weight'), indexed(i))", "*": "blocks(normal, uniform)"},
        "both go by the place, so that nobody knows the distribution",
    ),
    "made too large": (
        {"target.*": "sum(copy_of('q.*'), normal(std=1e38))", "*": "normal"},
        "its dtype is torch.float32, which cannot hold",
    ),
}


MADE = {
    "sum(copy_of('q.*'), normal(std=0.01))": "copy of q.weight + N(0, 0.01)",
    "sum(uniform(-0.01, 0.01), copy_of('q.*'))": "copy of q.weight + U(-0.01, 0.01)",
    "sum(scaled(copy_of('q.*'), 0.4), normal(std=0.01))": "0.4 x copy of q.weight + N(0, 0.01)",
    "product(copy_of('q.*'), uniform(0.5, 1.5))": "copy of q.weight x U(0.5, 1.5)",
    "sum(copy_of('q.*'), orthogonal(gain=0.1))": "copy of q.weight + (orthogonal, gain 0.1)",
    "shifted(copy_of('q.*'), 0.5)": "copy of q.weight + 0.5",
}


@pytest.mark.parametrize(
    ("q", "dtype"),
    [
        ("normal(std=0.02)", torch.bfloat16),
        ("orthogonal", torch.float32),
        ("eye", torch.float32),
        ("xavier_uniform", torch.float64),
    ],
)
@pytest.mark.parametrize("form", MADE)
def test_what_is_made_of_a_copy_is_made_of_the_values_that_its_source_holds(
    form: str, q: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    model = nn.ModuleDict({n: nn.Linear(60, 40, bias=False, dtype=dtype) for n in ("target", "q")})
    rules = {"target.*": form, "*.weight": q}
    plan = plan_init(model, rules)
    assert not plan.problems
    if q != "eye":  # of which nothing is drawn again: it is said as it is
        assert plan["target.weight"].start == MADE[form]
    report = plan.apply(model, seed=3)
    assert check_init(model, rules, level=1e-4).ok
    again = Plan.from_json(plan.to_json())
    assert again.steps == plan.steps
    assert verify_report(model, report.save(tmp_path / "report.json")).proven
    assert not plan_init(model, plan.to_recipe("my/net")).diff(plan)
    start = model.target.weight.detach().clone()
    for spoiled in (start + model.q.weight, start.flip(0), start * 2, start * 0):
        with torch.no_grad():
            model.target.weight.copy_(spoiled)
        assert "target.weight" in {f.name for f in check_init(model, rules).failures}


def test_noise_beside_a_copy_is_drawn_by_itself_and_the_copy_to_the_bit() -> None:
    names = ("q", "one", "two", "later")
    model = nn.ModuleDict({n: nn.Embedding(30, 8, padding_idx=2).bfloat16() for n in names})
    rules = {
        "later.*": "sum(copy_of('one.*'), uniform(0, 1))",
        "{one,two}.*": "sum(copy_of('q.*'), 'product(constant(4), uniform(0, 1))')",
        "q.*": "rounded('uniform(-8, 8)')",  # so that bfloat16 holds the sums' parts apart
    }
    apply_init(model, rules, seed=0)
    q, one, two = (model[n].weight.detach().double() for n in names[:3])
    assert bool(((one - q) >= -(2**-5)).all() and ((one - q) <= 4 + 2**-5).all())
    assert not torch.equal(one, two)
    assert not model["one"].weight[2].any() and not model["later"].weight[2].any()
    assert check_init(model, rules).ok


@pytest.mark.parametrize("case", PROBLEMS)
def test_what_cannot_be_a_copy_is_a_problem_of_the_plan(case: str) -> None:
    rules, text = PROBLEMS[case]
    plan = plan_init(Twins(), rules)
    assert any(text in problem.sentence for problem in plan.problems), plan.problems
    with pytest.raises(PlanError):
        apply_init(Twins(), rules)


def test_a_source_of_another_dtype_is_a_problem() -> None:
    model = {"a": torch.empty(3), "b": torch.empty(3, dtype=torch.float64)}
    (problem,) = plan_init(model, {"a": "copy_of('b')", "b": "normal"}).problems
    text = "a: its dtype is torch.float32, and that of 'b' is torch.float64 (rule 'a')"
    assert problem.sentence == text


def test_a_source_that_is_left_out_here_is_a_problem() -> None:
    rules = {"target.*": "copy_of('q.*')", "*": "normal"}
    (first, *_) = plan_init(Twins(), rules, only="target").problems
    assert "no rule starts 'q.embed.weight' here (not in only)" in first.sentence
    assert plan_init(Twins(), rules, only="q").problems == ()


def test_tied_names_that_copy_others_disagree() -> None:
    rules = {"target.embed.weight": "copy_of('q.embed.weight')", "*.embed.weight": 1, "*": 2}
    model = Twins()
    model.q.head = nn.Linear(8, 10, bias=False)
    assert not plan_init(model, rules).problems
    both = {"target.embed.*": "copy_of('q.embed.*')", "target.head.*": "copy_of('q.head.*')"}
    problems = plan_init(model, both | {"*": "normal"}).problems
    assert "share memory (parameter) and rules want different values" in str(problems[0])


def test_a_view_is_copied_through_the_name_that_it_is_written_by() -> None:
    square = torch.empty(4, 6)
    model = {"a": square, "b": square.T, "c": torch.empty(6, 4), "d": torch.empty(4, 6)}
    plan = plan_init(model, {"c": "copy_of('b')", "d": "copy_of('a')", "a": "normal"})
    (problem,) = plan.problems
    text = "c: 'b' is a view of memory that is written through 'a' (rule 'c')"
    assert problem.sentence == text


def test_a_copy_is_no_part_of_blocks() -> None:
    with pytest.raises(OptionError) as error:
        read_scheme("blocks(0, copy_of('a'))")
    message = "blocks: copy_of stands for a whole tensor, not for one of its blocks"
    assert str(error.value) == message


def test_a_source_is_given_by_its_name() -> None:
    with pytest.raises(OptionError) as error:
        read_scheme("copy_of(3)")
    assert str(error.value) == "copy_of: parameter must be a name such as 'q.*', not 3"


def test_a_copy_that_moved_fails_the_check_and_is_no_clone() -> None:
    model = Twins()
    plan = plan_init(model, RULES)
    plan.apply(model, seed=0)
    spoiled = copy.deepcopy(model)
    with torch.no_grad():
        spoiled.target.body[1].bias[2] += 1e-3
    (failure,) = check_init(spoiled, plan).failures
    assert (failure.name, failure.kind) == ("target.body.1.bias", "copy")
    assert failure.text == "1 of its elements differ from q.body.1.bias, which it is a copy of"
    apart = copy.deepcopy(model)
    apply_init(apart.target, {"body.1.bias": "uniform"}, seed=1)
    kinds = [f.kind for f in check_init(apart, plan).failures]
    assert kinds == ["copy"]


class _Twin(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q = nn.Linear(3, 3)
        self.target = nn.Linear(3, 3)


@pytest.mark.parametrize("scope", ["a", "*", "in:_Twin"])
def test_in_a_table_under_a_module_a_copy_is_of_its_own_parameter(scope: str) -> None:
    model = nn.ModuleDict({"a": _Twin(), "b": _Twin()})
    rules = {"target.*": "copy_of('q.*')", "*": "normal"}
    apply_init(model, {scope: rules, "**": "normal"}, seed=0, idle="ignore")
    assert torch.equal(model["a"].target.weight, model["a"].q.weight)
    assert torch.equal(model["b"].target.bias, model["b"].q.bias) == (scope != "a")


def test_what_a_module_does_not_have_a_copy_takes_of_the_model() -> None:
    model = nn.ModuleDict({"a": _Twin(), "b": _Twin()})
    apply_init(model, {"b": {"target.*": "copy_of('a.q.*')"}, "*": "normal"}, seed=0)
    assert torch.equal(model["b"].target.weight, model["a"].q.weight)
    apply_init(model, {"*": {"target.*": "copy_of('*.q.*')"}, "*.q.*": "normal"}, seed=0)
    assert torch.equal(model["b"].target.weight, model["b"].q.weight)


def test_a_misspelt_source_is_shown_with_the_line_to_paste() -> None:
    rules = {"target.body.0.bias": "copy_of('q.body.0.bis')", "*": "normal"}
    with pytest.raises(PlanError) as error:
        apply_init(Twins(), rules, seed=0)
    assert error.value.problems[0].advice == (
        "as written:   'target.body.0.bias': \"copy_of('q.body.0.bis')\"",
        "to paste:     'target.body.0.bias': \"copy_of('q.body.0.bias')\"",
    )


def test_of_two_rules_with_one_label_none_is_shown_for_the_other() -> None:
    wrong = Rule("copy_of('nowhere')", name="target.body.0.bias")
    same = Rule("normal", name="target.body.0.bias")
    plan = plan_init(Twins(), [wrong, same, {"*": "normal"}], idle="ignore")
    assert [problem.shown for problem in plan.problems] == [None]


def test_a_source_that_looks_most_like_the_copy_itself_is_told_so() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    (problem,) = plan_init(model, {"0.weight": "copy_of('0.weigt')", "*": 0}).problems
    assert problem.sentence.startswith(
        "0.weight: there is no parameter '0.weigt' to copy (rule '0.weight'); "
        "'0.weight' is the copy itself"
    )
