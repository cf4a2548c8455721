"""What a critical new user tries: odd rules, odd models, odd values, and what they are told."""

from __future__ import annotations

import dataclasses
import pickle
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from initkit import (
    DuplicateNameError,
    FillError,
    InitkitError,
    PlanError,
    Recipe,
    Rule,
    apply_init,
    describe_scheme,
    initialized,
    plan_init,
    register_scheme,
)
from initkit.distributions.elementwise import Normal
from initkit.numbers.formula import Number
from initkit.schemes.base import Scheme
from initkit.schemes.registry import unregister_scheme
from initkit.schemes.site import Site


def net() -> nn.Sequential:
    """Return a small network with a convolution, a norm and a linear layer."""
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 4))


def refusal(rules: Any, model: Any = None, **options: Any) -> str:
    """Return what applying rules is refused with; nothing may have been written."""
    model = net() if model is None else model
    with pytest.raises(InitkitError) as caught:
        apply_init(model, rules, seed=0, **options)
    return str(caught.value)


def one(dtype: torch.dtype) -> nn.Module:
    """Return a module with one parameter of this dtype."""
    module = nn.Module()
    module.w = nn.Parameter(torch.zeros(3, dtype=dtype), requires_grad=False)
    return module


# ------------------------------------------------------------------------------------ messages


@pytest.mark.parametrize("of", [list, iter])
def test_parameters_without_names_are_no_model(of: Any) -> None:
    said = refusal({"*": 0}, of(net().parameters()))
    assert said.endswith("; give the model, or dict(model.named_parameters())")
    assert len(said) < 150, "no values are printed"


def test_a_module_without_its_base_constructor_is_told_so() -> None:
    class Early(nn.Module):
        def __init__(self) -> None:
            pass

    said = refusal({"*": 0}, Early())
    assert said == "Early.__init__ has not called super().__init__()"


def test_two_literal_rules_that_disagree_are_told_to_become_one() -> None:
    layer = nn.Linear(2, 2, bias=False)
    said = refusal({"0.weight": 1, "1.weight": 2}, nn.Sequential(layer, layer))
    assert said.endswith(
        "leave one of the rules that name them literally, or pass on_tie_conflict='first'"
    )


def test_where_fans_come_from_does_not_depend_on_which_parameter_was_first() -> None:
    plan = plan_init(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), {"*": 1})
    assert {step.fans_from for step in plan} == {""}


def test_a_recipe_that_needs_types_is_one_problem_on_a_state_dict() -> None:
    assert refusal("resnext", net().state_dict()) == (
        "nothing was written: the recipe resnext/torch7 matches module types, and a state_dict "
        "has none; apply it to the module"
    )


def test_a_scheme_that_needs_types_is_told_to_match_names_of_a_state_dict() -> None:
    assert refusal("xavier_uniform(gain=2)", net().state_dict()) == (
        "nothing was written: the recipe xavier_uniform(gain=2) matches module types, and a "
        "state_dict has none; match names instead, as in {'*.weight': 'xavier_uniform(gain=2)'}, "
        "or apply it to the module"
    )


def test_a_recipe_with_rules_for_names_too_is_no_more_idle_on_a_state_dict_for_its_types() -> None:
    assert refusal({"head": "gpt2"}, net().state_dict()) == (
        "nothing was written: the recipe gpt2/transformers matches module types, and a state_dict "
        "has none; apply it to the module\n  as written:   'head': 'gpt2'"
    )


@pytest.mark.parametrize(
    ("only", "text"),
    [(3, "not 3"), (list(nn.Linear(1, 1).parameters()), "not a Parameter"), ([None], "not None")],
)
def test_only_says_what_it_takes(only: Any, text: str) -> None:
    said = refusal({"*": 0}, only=only)
    assert said == f"only takes names, globs and module paths, {text}"


def test_only_says_how_to_write_what_a_predicate_picks() -> None:
    assert refusal({"*": 0}, only=lambda name: "weight" in name) == (
        "only takes names, globs and module paths, and no function; write the names that it picks: "
        "only=[name for name, _ in model.named_parameters() if ...]"
    )


@pytest.mark.parametrize(
    ("rule", "way"),
    [
        (Rule(0, name="0.*"), "(0.*); write only='0.*'"),
        (Rule(0, name="0.weight", rows="1:"), "(0.weight); write only='0.weight'"),
        (Rule(0, type=(nn.Linear, "Conv2d")), "write only='type:Linear|Conv2d'"),
        (Rule(0, name="*.weight", type=nn.Linear), "(Linear *.weight); give its .matcher"),
    ],
)
def test_only_and_protect_take_what_a_rule_matches(rule: Rule, way: str) -> None:
    said = refusal({"*": 0}, only=rule)
    assert said.startswith("only takes what a rule matches, not the rule (")
    assert said.endswith(way)
    assert "protect takes what a rule" in refusal({"*": 0}, protect=[rule])
    assert not plan_init(nn.ModuleList([nn.Linear(2, 2)]), {"*": 0}, only=rule.matcher).problems


def test_only_takes_no_recipe() -> None:
    said = refusal({"*": 0}, only=Recipe("mine", rules={"*": 0}))
    assert said.endswith("not a recipe (mine); give the recipe as the rules")


def test_a_function_that_wants_a_module_is_told_that_it_gets_a_tensor() -> None:
    def reset(module: Any) -> None:
        module.weight.zero_()

    with pytest.raises(FillError, match="functions here get a tensor, not a module"):
        apply_init(net(), {"0.weight": reset, "*": "keep"}, seed=0)


# ------------------------------------------------------------------------------- names


def test_keep_as_the_rules_of_a_whole_model_keeps_every_parameter() -> None:
    model = net()
    before = [p.clone() for p in model.parameters()]
    report = apply_init(model, "keep", seed=0)
    assert report.written == []
    assert all(map(torch.equal, before, model.parameters()))


def test_a_recipes_name_asked_as_a_scheme_leads_to_the_recipe() -> None:
    with pytest.raises(InitkitError, match=re.escape("describe_recipe('resnext') shows it")):
        describe_scheme("resnext")


def test_no_scheme_may_take_the_spelling_of_another() -> None:
    with pytest.raises(DuplicateNameError, match="'normal_' belongs to a scheme already"):
        register_scheme("normal_")(lambda tensor: None)


def test_a_registered_function_is_shown_by_its_registered_name() -> None:
    @register_scheme("edge_fill")
    def fill(tensor: Tensor, top: float = 2.0) -> None:
        tensor.fill_(top)

    try:
        plan = plan_init(nn.Linear(2, 2), {"*": "edge_fill(top=3)"})
        assert plan["weight"].start == "edge_fill(top=3)"
    finally:
        unregister_scheme("edge_fill")


def test_numpys_integers_are_seeds() -> None:
    assert apply_init(net(), {"*": 0}, seed=np.int64(5)).seed == 5  # type: ignore[arg-type]


# ------------------------------------------------------------------------------- odd tensors


@pytest.mark.parametrize(
    ("dtype", "value", "shown"),
    [
        (torch.int8, 300, "300"),
        (torch.uint8, -1, "-1"),
        (torch.bool, 2, "2"),
        (torch.int32, float("inf"), "inf"),
        (torch.float16, 1e5, "1e+05"),
        (torch.float16, "uniform(-1e5, 1e5)", "-1e+05"),
        (torch.float32, 1e39, "1e+39"),
    ],
)
def test_a_value_that_the_dtype_cannot_hold_is_found_by_the_plan(
    dtype: torch.dtype, value: Any, shown: str
) -> None:
    said = refusal({"w": value}, one(dtype))
    assert said == (
        f"nothing was written: w: its dtype is {dtype}, which cannot hold {shown} (rule 'w')\n"
        f"  as written:   'w': {value!r}"
    )


@pytest.mark.parametrize(
    ("dtype", "value"),
    [(torch.bool, 1), (torch.uint8, 255), (torch.float16, 65504), (torch.float16, float("inf"))],
)
def test_the_largest_values_of_a_dtype_can_be_written(dtype: torch.dtype, value: float) -> None:
    model = one(dtype)
    apply_init(model, {"w": value}, seed=0)
    assert model.w.tolist() == [value] * 3


@pytest.mark.parametrize("rules", ["xavier_uniform", "torch_default", {nn.Linear: "eye"}])
def test_a_lazy_weight_that_a_rule_wants_is_a_problem_of_its_own(rules: Any) -> None:
    said = refusal(rules, nn.LazyLinear(4))
    assert "weight: it is lazy and has no shape yet; run one forward pass first" in said


def test_a_lazy_model_is_kept_by_keep() -> None:
    assert apply_init(nn.LazyLinear(4), "keep", seed=0).written == []


def test_problems_are_values() -> None:
    with pytest.raises(PlanError) as caught:
        apply_init(one(torch.int8), {"w": 300}, seed=0)
    assert [problem.names for problem in caught.value.problems] == [("w",)]


# -------------------------------------------------------------------------------- decorator


@initialized({"*": 1})
class Scripted(nn.Module):
    """A decorated class that TorchScript can read."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of x and 1."""
        return self.fc(x)  # type: ignore[no-any-return]


@pytest.mark.filterwarnings("ignore")
def test_a_decorated_module_can_be_scripted() -> None:
    """TorchScript compiles every property of a class; the report must not be one."""
    scripted = torch.jit.script(Scripted(2))  # type: ignore[no-untyped-call]
    assert scripted(torch.ones(1, 2)).tolist() == [[3.0]]
    assert Scripted(2).init_report.written == ["fc.weight", "fc.bias"]  # type: ignore[attr-defined]


# ---------------------------------------------------------------------- computed weights, buffers


class OneWay(nn.Module):
    """A parametrization that nothing leads back through."""

    def forward(self, x: Tensor) -> Tensor:
        """Return a symmetric matrix."""
        return x.triu() + x.triu(1).mT


class Exp(nn.Module):
    """A parametrization that only positive values come back through."""

    def forward(self, x: Tensor) -> Tensor:
        """Return exp(x)."""
        return x.exp()

    def right_inverse(self, x: Tensor) -> Tensor:
        """Return log(x)."""
        return x.log()


class Failing(Exp):
    """A parametrization whose way back fails on real values."""

    def right_inverse(self, x: Tensor) -> Tensor:
        """Return log(x) if all of it is above 0."""
        if x.device.type != "meta" and not bool((x > 0).all()):
            raise ValueError("positive values only")
        return x.log()


def computed(step: nn.Module) -> nn.Sequential:
    """Return a model whose weight is computed by ``step``."""
    model = nn.Sequential(nn.Linear(4, 4))
    with torch.no_grad():
        model[0].weight.fill_(1.0)
    register_parametrization(model[0], "weight", step)
    return model


def test_a_weight_without_a_way_back_is_refused_with_the_way_round() -> None:
    model = computed(OneWay())
    assert refusal({"0.weight": "eye", "0.bias": 0}, model) == (
        "nothing was written: 0.weight: OneWay has no right_inverse; start "
        "'0.parametrizations.weight.original', from which it is computed, or write 'keep' "
        "(rule '0.weight')\n"
        "  as written:   '0.weight': 'eye'"
    )
    apply_init(model, [{"0.parametrizations.weight.original": "eye"}, "xavier_uniform"], seed=0)
    assert torch.equal(model[0].weight, torch.eye(4))


def test_values_that_a_parametrization_turns_into_nan_are_an_error() -> None:
    said = refusal({"0.weight": "normal(std=1)", "0.bias": 0}, computed(Exp()))
    assert said.startswith(
        "0.weight: the right_inverse of its parametrization makes NaN of N(0, 1)"
    )


def test_an_error_of_a_users_right_inverse_names_the_parameter() -> None:
    with pytest.raises(FillError, match="0.weight: its parametrization cannot take") as caught:
        apply_init(computed(Failing()), {"0.weight": -1, "0.bias": 0}, seed=0)
    assert caught.value.name == "0.weight"


def test_a_value_that_a_parametrization_can_take_is_read_back() -> None:
    model = computed(Failing())
    apply_init(model, {"0.weight": 2, "0.bias": 0}, seed=0)
    assert torch.allclose(model[0].weight, torch.full((4, 4), 2.0))


def test_buffers_that_only_lists_are_reported() -> None:
    """What a checkpoint did not bring may be a buffer, too: it is accepted, left and told."""
    missing = ["1.weight", "1.running_mean", "1.num_batches_tracked"]
    report = apply_init(net(), {"*": 1}, only=iter(missing), seed=0)
    assert report.written == ["1.weight"]
    assert (
        "listed in only, and left: 1.running_mean, 1.num_batches_tracked; buffers keep their "
        "values (buffers=True lets rules start them)"
    ) in report.text()
    assert "listed in only" not in str(apply_init(net(), {"*": 1}, only="1", seed=0))


# -------------------------------------------------------------------------------- functions


def fill_with(tensor: Tensor, value: float) -> None:
    """Fill a tensor."""
    tensor.fill_(value)


def test_a_partial_is_shown_by_its_function_and_options() -> None:
    plan = plan_init(nn.Linear(2, 2), {"*": partial(fill_with, value=2.0)})
    assert plan["weight"].start == "fill_with(value=2.0)"


def test_a_function_that_changes_the_shape_is_stopped_before_anything_is_written() -> None:
    def shrink(tensor: Tensor) -> None:
        tensor.resize_(2, 2).fill_(1)

    model = net()
    before = model[0].bias.clone()
    said = refusal({"3.weight": shrink, "*": 0}, model)
    assert said == (
        "3.weight: shrink() made the tensor [2, 2], and it must stay [4, 8]; nothing was written"
    )
    assert torch.equal(model[0].bias, before)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mine(Scheme):
    """Half of what the options say, in a module that may or may not defer annotations."""

    std: Number | None = 1.0
    half: float = 0.5

    def resolve(self, site: Site) -> Any:
        if len(site.shape) == 1:
            raise ValueError("not here")
        return (
            "no distribution"
            if self.half == 1
            else Normal(0.0, self.number(site, "std") * self.half)
        )


@pytest.fixture
def mine() -> Iterator[None]:
    """``Mine`` is registered, with annotations as a module without the future import has them."""
    option = {f.name: f for f in dataclasses.fields(Mine)}
    option["std"].type, option["half"].type = Number | None, float  # type: ignore[assignment]
    register_scheme("mine_by_class")(Mine)
    yield
    unregister_scheme("mine_by_class")


@pytest.mark.usefixtures("mine")
def test_options_of_a_registered_class_take_formulas_as_they_are_annotated() -> None:
    plan = plan_init(net(), {"3.weight": "mine_by_class(std=fan_in, half=sqrt(0.25))"})
    assert plan["3.weight"].start == "N(0, 4)"
    text = refusal({"*": "mine_by_class(half=fan_in)"})
    assert "half is a number here, not the formula 'fan_in': annotate it as Number" in text


@pytest.mark.usefixtures("mine")
def test_what_a_registered_class_does_wrong_is_a_problem_with_its_parameter() -> None:
    text = refusal({"0.*": "mine_by_class", "3.weight": "mine_by_class(half=1)", "*": "keep"})
    assert "0.bias: mine_by_class cannot start it (rule '0.*'): ValueError('not here')" in text
    assert "its resolve returned 'no distribution', which is no distribution" in text


def _errors() -> list[InitkitError]:
    attempts = (
        lambda: plan_init(net(), {"0.weight": "xaver_uniform"}),
        lambda: plan_init(net(), {"0.weight": "normal(std=layers)"}),
        lambda: apply_init(net(), {"nothing": 1, "*": 0}, only="head"),
        lambda: apply_init(net(), {"*": lambda tensor: None}),
        lambda: apply_init([], {}),  # type: ignore[arg-type]
    )
    found = []
    for attempt in attempts:
        with pytest.raises(InitkitError) as caught:
            attempt()
        found.append(caught.value)
    return found


@pytest.mark.parametrize("error", _errors(), ids=lambda error: type(error).__name__)
def test_an_error_comes_back_whole_from_another_process(error: InitkitError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert repr(vars(back)) == repr(vars(error))


def test_a_plan_with_problems_leaves_the_global_generator_alone() -> None:
    model, before = net(), torch.get_rng_state()
    with pytest.raises(PlanError):
        apply_init(model, {"nothing": 1, "*": "normal"})
    assert torch.equal(torch.get_rng_state(), before)
