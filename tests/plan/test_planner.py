"""Deciding: the first rule wins, ties agree or conflict, and nothing wrong stays silent."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from bags import Bag
from hypothesis import given
from hypothesis import strategies as st
from models import tied_lm
from torch import nn
from torch.nn.utils import prune

from initkit import Rule, apply_init, plan_init, register_layout
from initkit.errors import (
    IdleRule,
    IdleSelection,
    InitkitError,
    OptionError,
    PlanError,
    RuleError,
    SchemeMismatch,
    TargetError,
    TensorProblem,
    TieConflict,
    UncoveredParameter,
)
from initkit.model import layouts
from initkit.numbers.fans import Fans


class Net(nn.Module):
    """A convolution, a norm and a head, under plain names."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3)
        self.bn1 = nn.BatchNorm2d(8)
        self.body = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8, bias=False))
        self.head = nn.Linear(8, 4)


def starts(model: Any, rules: Any, **options: Any) -> dict[str, str]:
    """Return name -> how it starts."""
    return {step.name: step.start for step in plan_init(model, rules, **options)}


def problem(model: Any, rules: Any, kind: type[InitkitError], **options: Any) -> str:
    """Return the text of the one problem that a plan has."""
    found = plan_init(model, rules, **options).problems
    assert [type(p) for p in found] == [kind], found
    return found[0].sentence


def test_lines_that_cannot_be_read_and_lines_that_decide_nothing_are_one_error() -> None:
    rules = {"head.weigth": "normal(sdt=1)", "haed.bias": 0, "head": {"wieght": 1, "bias": "zerso"}}
    with pytest.raises(RuleError) as caught:
        plan_init(nn.ModuleDict({"head": nn.Linear(2, 2)}), [rules, {"*": "keep"}])
    assert (
        str(caught.value).splitlines()[0] == "2 rules cannot be read, and 2 others decide nothing"
    )
    pasted = [
        line.split(":  ")[1].strip() for line in str(caught.value).splitlines() if "to p" in line
    ]
    assert pasted == [
        "'head.weight': 'normal(std=1)'",
        "'head': {'bias': 'zero'}",
        "'head.bias': 0",
        "'head': {'weight': 1}",
    ]
    with pytest.raises(OptionError):  # alone: the others are told to be idle where that matters
        plan_init(nn.Linear(2, 2), {"weight": "normal(sdt=1)", "typo": 0}, idle="ignore")


# ---------------------------------------------------------------------------- which rule decides


def test_the_first_rule_that_matches_decides() -> None:
    got = starts(Net(), [{"head.*": 7}, {"*.weight": 1, "*": 0}])
    assert got["head.weight"] == got["head.bias"] == "constant 7"
    assert got["conv1.weight"] == "constant 1"
    assert got["conv1.bias"] == "constant 0"


def test_a_dict_under_a_class_goes_by_the_modules_own_names() -> None:
    got = starts(Net(), {nn.Linear: {"weight": 1, "b*": 2}, "*": 0})
    assert [got[n] for n in ("head.weight", "head.bias", "conv1.bias")] == [
        "constant 1", "constant 2", "constant 0"
    ]  # fmt: skip


def test_a_table_under_a_name_is_a_scope_of_relative_names() -> None:
    rules = {"head": {"weight": 1, "bias": 2}, "body": {"0": {"*": 3}, nn.Linear: 4}, "*": 0}
    got = starts(Net(), rules)
    assert got["head.weight"] == "constant 1"
    assert got["body.0.bias"] == "constant 3"
    assert got["body.2.weight"] == "constant 4"
    assert got["bn1.weight"] == "constant 0"


def test_a_recipe_under_a_name_covers_that_part_alone() -> None:
    got = starts(Net(), {"body": "xavier_uniform", "*": "keep"}, idle="ignore")
    assert got["body.0.weight"] == "keep"  # a scheme is for a parameter called body
    got = starts(Net(), {"body": "torch_default", "*": "keep"}, idle="ignore")
    assert got["body.0.weight"] == "keep"  # so is a name that is scheme and recipe both
    got = starts(Net(), {"b*": "resnext", "*": "keep"})
    assert got["bn1.weight"] == "constant 1"
    assert got["body.0.bias"] == "constant 0"
    assert got["head.bias"] == "keep"


def test_torch_default_is_what_the_constructors_draw() -> None:
    got = starts(Net(), "torch_default")
    assert got["conv1.weight"] == got["conv1.bias"] == "U(-0.1925, 0.1925)"
    assert got["bn1.weight"] == "constant 1"


def test_a_part_registered_as_none_is_no_reason_to_call_a_rule_idle() -> None:
    assert not plan_init(nn.Linear(2, 2, bias=False), {"weight": 1, "bias": 0}).problems


# -------------------------------------------------------------------------------- idle, shadowed


def test_a_shadowed_rule_is_told_what_shadows_it() -> None:
    text = problem(Net(), {"*": 0, "head.bias": 1}, IdleRule)
    assert text == (
        "the rule 'head.bias' never decides: what it matches is taken by '*'; put it above that"
    )
    text = problem(Net(), ["resnext", {"head.bias": 1}], IdleRule)
    assert "taken by 'resnext/torch7: Linear.bias'; put it above that" in text


def test_idle_rules_can_be_allowed_and_are_listed_then() -> None:
    plan = plan_init(Net(), {"nothing": 1, "*": 0}, idle="ignore")
    assert not plan.problems
    assert str(plan).endswith("idle rule: the rule 'nothing' matches no parameter")  # no hints


def test_rules_of_a_recipe_may_be_idle_but_not_all_of_them() -> None:
    assert not plan_init(nn.Linear(2, 2), "resnext").problems
    assert "no rule of the recipe resnext/torch7 decides anything" in problem(
        Net(), [{"*": 0}, "resnext"], IdleRule
    )


def test_an_optional_rule_may_be_idle() -> None:
    assert not plan_init(Net(), [Rule(0, name="nothing", optional=True), {"*": 0}]).problems


def test_the_first_of_many_rules_decides_whether_it_is_a_name_or_a_glob() -> None:
    net = nn.DataParallel(nn.ModuleList(nn.Linear(2, 2) for _ in range(3)))
    rules = [
        {"1.weight": 1},  # as the wrapped model shows it, and as the wrapper does
        {"module.[12].weight": 2, "module.2.weight": 3, "module.0.weight": 4},
        {"0.weight": 5, "*": 6},
    ]
    plan = plan_init(net, rules, idle="ignore")
    values = {s.seed_name: s.distribution.mean for s in plan if s.seed_name.endswith("weight")}
    assert values == {"0.weight": 4, "1.weight": 1, "2.weight": 2}
    assert [text.split("'")[1] for text in plan.idle] == ["module.2.weight", "0.weight"]


# ------------------------------------------------------------------------- strict, only, protect


def test_uncovered_parameters_are_listed_and_with_strict_refused() -> None:
    plan = plan_init(Net(), {"*.weight": 1})
    assert not plan.problems
    assert "no rule covers head.bias [4]" in str(plan)
    strict = plan_init(Net(), {"*.weight": 1}, strict=True)
    assert {type(p) for p in strict.problems} == {UncoveredParameter}
    assert "no rule covers head.bias [4]; add one, or 'keep'" in str(strict)


def test_only_and_protect_take_names_globs_and_module_paths() -> None:
    statuses = {s.name: s.status for s in plan_init(Net(), {"*": 0}, only=["head", "*.0.bias"])}
    assert {n for n, s in statuses.items() if s == "write"} == {
        "head.weight", "head.bias", "body.0.bias"
    }  # fmt: skip
    statuses = {s.name: s.status for s in plan_init(Net(), {"*": 0}, protect="body")}
    assert {n for n, s in statuses.items() if s == "protected"} == {
        "body.0.weight", "body.0.bias", "body.2.weight"
    }  # fmt: skip


def test_only_what_a_checkpoint_did_not_bring_is_initialised() -> None:
    net = Net()
    state = {k: v for k, v in net.state_dict().items() if not k.startswith(("head", "bn1.run"))}
    missing = net.load_state_dict(state, strict=False).missing_keys
    report = apply_init(net, {"*": 0}, only=missing, seed=0)
    assert report.written == ["head.weight", "head.bias"]


def test_a_tied_alias_that_a_checkpoint_lacks_is_not_missing() -> None:
    model = tied_lm()
    names = [n for n, _ in model.named_parameters(remove_duplicate=False)]
    tied = [n for n in names if n.split(".")[0] in ("embedding", "head", "embed", "emb")]
    plan = plan_init(model, {"*": 0}, only=[tied[-1]])
    assert not [s for s in plan if s.status == "write" and len(s.names) > 1]


def test_an_empty_only_writes_nothing() -> None:
    assert apply_init(Net(), {"*": 0}, only=[], seed=0).written == []


@pytest.mark.parametrize("option", ["only", "protect"])
def test_an_entry_that_matches_nothing_is_a_problem(option: str) -> None:
    text = problem(Net(), {"*": 0}, IdleSelection, **{option: ["haed"]})
    assert f"{option} has 'haed', which matches no parameter, buffer or module" in text
    assert "did you mean 'head'" in text  # modules are named, too


def test_an_entry_of_only_that_is_a_name_to_the_letter_is_that_name() -> None:
    model = nn.ParameterDict(
        {"a[0]": nn.Parameter(torch.ones(2)), "b": nn.Parameter(torch.ones(2))}
    )
    assert apply_init(model, {"*": 0}, only=["a[0]"], seed=0).written == ["a[0]"]


def test_idle_rules_are_judged_over_the_whole_model_and_strict_inside_only() -> None:
    rules = {"head.*": 0, "conv1.*": 1}
    assert not plan_init(Net(), rules, only="head", strict=True).problems


def test_a_scheme_that_does_not_fit_a_protected_tensor_does_not_matter() -> None:
    rules = {"*.weight": "orthogonal", "*": 0}
    assert plan_init(Net(), rules).problems
    assert not plan_init(Net(), rules, protect="bn1").problems


# ------------------------------------------------------------------------------------------- ties


def pair() -> nn.Module:
    model = nn.Module()
    model.embed, model.head = nn.Embedding(6, 4, padding_idx=2), nn.Linear(4, 6, bias=False)
    model.head.weight = model.embed.weight
    return model


def test_a_tied_target_is_one_step_under_all_its_names() -> None:
    (step,) = plan_init(pair(), {"*": "normal(std=0.1)"})
    assert step.names == ("embed.weight", "head.weight")
    assert step.seed_name == "embed.weight"
    assert step.padding == 2


def test_names_that_agree_are_no_conflict_whoever_says_so() -> None:
    rules = {nn.Embedding: "normal(std=0.5)", nn.Linear: "xavier_normal(gain=1)"}
    square = pair()
    assert plan_init(square, {nn.Embedding: 1, nn.Linear: "ones"}).problems == ()
    assert problem(square, rules, TieConflict)


def test_a_conflict_lists_names_rules_numbers_and_the_remedy() -> None:
    text = problem(pair(), {nn.Embedding: "normal(std=0.5)", nn.Linear: 0}, TieConflict)
    assert text == (
        "embed.weight and head.weight share memory (parameter) and rules want different values:\n"
        "  embed.weight: N(0, 0.5) (rule 'Embedding.*weight*')\n"
        "  head.weight: constant 0 (rule 'Linear.*weight*')\n"
        "name one of them literally, or pass on_tie_conflict='first'"
    )


def test_a_literal_name_speaks_for_the_whole_target() -> None:
    (step,) = plan_init(pair(), {nn.Embedding: 1, "head.weight": 2})
    assert step.start == "constant 2"
    assert problem(pair(), {"embed.weight": 1, "head.weight": 2}, TieConflict)


def test_on_request_the_earliest_rule_wins() -> None:
    (step,) = plan_init(pair(), {nn.Linear: 2, nn.Embedding: 1}, on_tie_conflict="first")
    assert step.start == "constant 2"


def test_a_name_without_a_rule_has_no_say_and_keep_conflicts() -> None:
    (step,) = plan_init(pair(), {"head.*": 2})
    assert step.start == "constant 2"
    assert problem(pair(), {"head.*": 2, "*": "keep"}, TieConflict)


def test_nothing_is_written_where_names_conflict() -> None:
    model = pair()
    before = model.embed.weight.detach().clone()
    with pytest.raises(PlanError, match="nothing was written: embed.weight and head.weight"):
        apply_init(model, {nn.Embedding: 1, nn.Linear: 2})
    assert torch.equal(model.embed.weight, before)


def test_a_raw_tensor_that_is_named_speaks_for_the_weight_computed_from_it() -> None:
    model = prune.identity(nn.Linear(2, 2), "weight")
    assert set(starts(model, {"weight_orig": 1, "*": 0})) == {"bias", "weight_orig"}
    assert set(starts(model, {"*": 0})) == {"bias", "weight"}
    text = problem(model, {"weight_orig": 1, "weight": 2, "*": 0}, TieConflict)
    assert "weight is computed from weight_orig, and rules name both" in text


@pytest.mark.parametrize("value", ["blocks(0, 1)", "xavier_uniform"])
def test_a_distribution_that_has_a_direction_conflicts_on_a_transposed_view(value: str) -> None:
    model = nn.ParameterDict({"a": nn.Parameter(torch.ones(4, 6))})
    model["b"] = nn.Parameter(model["a"].data.t())
    assert "share memory (view)" in problem(model, {"*": value}, TieConflict)
    assert not plan_init(model, {"*": "normal(std=1)"}).problems


# ------------------------------------------------------------------------------------- bad memory


def test_lazy_parameters_are_named() -> None:
    plan = plan_init(nn.LazyLinear(4), {"*": 0})
    text = plan.problems[0].sentence
    assert "weight: it is lazy and has no shape yet; run one forward pass first" in text


def test_expanded_parameters_are_named() -> None:
    model = nn.Module()
    model.w = nn.Parameter(torch.zeros(1).expand(4))
    assert "w: it is expanded" in problem(model, {"w": "normal"}, TensorProblem)
    model.v = nn.Parameter(model.w.data[:1])
    assert "w: it is expanded" in problem(model, {"v": "normal"}, TensorProblem)


@pytest.mark.parametrize("name", ["bits", "words"])
def test_a_view_in_another_dtype_has_no_say_unless_written_or_matched(name: str) -> None:
    model = nn.Module()
    model.w = nn.Parameter(torch.zeros(4))
    setattr(model, name, nn.Parameter(model.w.data.view(torch.int32), requires_grad=False))
    assert f"{name}: its dtype is torch.int32" in problem(model, {"*": "normal"}, TensorProblem)
    if name == "bits":  # the canonical name, through which the memory is written
        assert "bits: its dtype is torch.int32" in problem(model, {"w": "normal"}, TensorProblem)
    else:
        apply_init(model, {"w": "normal"}, seed=0)
        assert model.w.count_nonzero() == 4


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool])
def test_integers_take_whole_constants_only(dtype: torch.dtype) -> None:
    entries = {"w": torch.zeros(4, dtype=dtype)}
    text = problem(entries, {"w": "normal"}, TensorProblem)
    assert (
        text
        == f"w: its dtype is {dtype}, and N(0, 1) needs floating point; write 'keep' (rule 'w')"
    )
    assert "cannot hold 0.5" in problem(entries, {"w": 0.5}, TensorProblem)
    apply_init(entries, {"w": 1})
    assert entries["w"].bool().all()


def test_float8_is_refused_but_for_constants() -> None:
    entries = {"w": torch.zeros(4, dtype=torch.float8_e4m3fn)}
    text = problem(entries, {"w": "normal"}, TensorProblem)
    assert "holds scaled values; initialise before quantising" in text


def test_sparse_tensors_are_refused() -> None:
    entries = {"w": torch.eye(3).to_sparse()}
    assert "stored as torch.sparse_coo" in problem(entries, {"w": 0}, TensorProblem)


def test_meta_tensors_need_a_device() -> None:
    model = nn.Linear(2, 2, device="meta")
    assert not plan_init(model, {"*": 0}).problems
    with pytest.raises(PlanError, match="on the meta device, .*: weight, bias; .*device='cpu'"):
        apply_init(model, {"*": 0})


def test_tensors_without_elements_are_a_no_op() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own constructor warns; initkit must not
        model = nn.Linear(0, 3)
    report = apply_init(model, {"weight": "kaiming_uniform", "bias": 0}, seed=0)
    assert report.written == ["bias"]


def test_every_problem_comes_in_one_error() -> None:
    with pytest.raises(PlanError) as caught:
        apply_init(Net(), {"*.weight": "orthogonal", "typo": 1, "*.bias": 0}, only=["nope", "bn1"])
    kinds = {type(p) for p in caught.value.problems}
    assert kinds == {SchemeMismatch, IdleRule, IdleSelection}
    assert "3 problems\n  1. " in str(caught.value)


def test_what_one_line_mends_counts_as_one_problem(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"none")
    layer = f"pretrained({str(tmp_path / 'a.pt')!r})"
    with pytest.raises(PlanError) as caught:
        apply_init(Net(), {"*": layer})
    assert len(caught.value.problems) > 4
    assert "problems" not in str(caught.value)
    with pytest.raises(PlanError, match="2 problems\n  1. "):
        apply_init(Net(), {"typo": 1, "*": layer})


# ------------------------------------------------------------------------------------ state_dict


def test_a_state_dict_has_the_numbers_of_the_module() -> None:
    net, other = Net(), Net()
    rules = {"*.weight": "normal(std=0.02)", "*.bias": 0, "*running*": "keep", "*num*": "keep"}
    apply_init(net, {k: v for k, v in rules.items() if v != "keep"}, seed=3)
    apply_init(other.state_dict(), rules, seed=3)
    for (name, a), b in zip(net.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_fans_of_a_state_dict_are_those_of_the_tensor() -> None:
    conv = nn.Conv2d(8, 16, 3, groups=4)
    step = plan_init(conv.state_dict(), {"weight": "kaiming_normal(mode='fan_out')", "bias": 0})
    assert step["weight"].distribution.std == pytest.approx((2 / (16 * 9)) ** 0.5)


def test_type_rules_on_a_state_dict_say_that_there_are_no_types() -> None:
    text = problem(Net().state_dict(), {nn.Linear: 0, "*": "keep"}, IdleRule)
    assert "'Linear.*weight*' matches module types, and a state_dict has none" in text


def test_entries_that_are_no_tensors_are_skipped() -> None:
    assert starts({"w": torch.ones(2), "version": 3, "_extra_state": None}, {"w": 0}) == {
        "w": "constant 0"
    }


# --------------------------------------------------------------------------------- wrong targets


def test_what_is_no_model_is_refused_with_a_hint() -> None:
    with pytest.raises(TargetError, match="give the instance, not the class"):
        plan_init(nn.Linear, {"*": 0})  # type: ignore[arg-type]
    with pytest.raises(TargetError, match=r"put it into a dict with its name"):
        plan_init(torch.zeros(2), {"*": 0})  # type: ignore[arg-type]
    with pytest.raises(TargetError, match="has names as keys, not 0"):
        plan_init({0: torch.zeros(2)}, {"*": 0})  # type: ignore[dict-item]


def test_a_checkpoint_that_contains_a_state_dict_is_named_as_such() -> None:
    checkpoint = {"epoch": 3, "model": Net().state_dict(), "optimizer": {"lr": 1}}
    with pytest.raises(
        TargetError, match=r"a state_dict under 'model'; give .*checkpoint\['model'\]"
    ):
        plan_init(checkpoint, {"*": 0})


def test_bad_options_of_a_plan_are_refused() -> None:
    with pytest.raises(OptionError, match="idle must be one of 'error', 'ignore', not 'warn'"):
        plan_init(Net(), {"*": 0}, idle="warn")
    with pytest.raises(OptionError, match="only takes names, globs and module paths, not 3"):
        plan_init(Net(), {"*": 0}, only=[3])  # type: ignore[list-item]


# ------------------------------------------------------------------------------------ the plan


def test_a_plan_writes_nothing_and_keeps_the_global_generator() -> None:
    net, state = Net(), torch.get_rng_state()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    versions = [p._version for p in net.parameters()]
    print(plan_init(net, "xavier_uniform"))
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert [p._version for p in net.parameters()] == versions
    assert torch.equal(torch.get_rng_state(), state)


def test_a_shared_layer_has_the_number_of_each_of_its_places() -> None:
    """Where that makes its names want different values, they conflict like any others."""
    shared = nn.Linear(4, 4, bias=False)
    net = nn.ModuleList([nn.Linear(4, 4, bias=False), shared, nn.Linear(4, 4, bias=False), shared])
    text = problem(net, {"*": "normal(std=1/sqrt(1 + layer))"}, TieConflict)
    assert "1.weight: N(0, 0.7071)" in text
    assert "3.weight: N(0, 0.5)" in text
    plan = plan_init(net, {"3.weight": "normal(std=1/(1 + layer))", "*": "normal(std=layer + 1)"})
    assert plan["1.weight"].start == "N(0, 0.25)"
    plan = plan_init(net, {"*": "normal(std=1/sqrt(n_layers))"})
    assert plan["1.weight"].start == "N(0, 0.5)"


@pytest.mark.parametrize("head_first", [False, True])
def test_a_layer_that_also_stands_outside_has_a_number_in_its_container_alone(
    head_first: bool,
) -> None:
    shared = nn.Linear(4, 4, bias=False)
    net = Bag()
    blocks = nn.ModuleList([shared, nn.Linear(4, 4, bias=False)])
    for name, part in [("head", shared), ("blocks", blocks)][:: 1 if head_first else -1]:
        net.add_module(name, part)
    text = problem(net, {"head.weight": "normal(std=1/n_layers)", "*": 0}, SchemeMismatch)
    assert "n_layers has no value for 'head.weight', which stands in no ModuleList" in text
    assert (
        plan_init(net, {"blocks.*": "normal(std=1/n_layers)"})["head.weight"].start == "N(0, 0.5)"
    )


def test_parameters_of_one_module_and_shape_keep_their_own_fans(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.up, self.down = (nn.Parameter(torch.zeros(4, 8)) for _ in range(3))

    monkeypatch.setattr(layouts, "_REGISTERED", {})  # to forget what is registered here
    register_layout(Two, "in out", key="up")
    register_layout(Two, "out in", key="down")
    plan = plan_init(Two(), {"*": "normal(std=0.02)"})
    assert [plan[name].fans for name in ("up", "down")] == [Fans(4, 8), Fans(8, 4)]


@given(order=st.permutations(["head.*", "conv1.*", "bn1.*", "body.*"]))
def test_the_order_of_disjoint_rules_does_not_matter(order: list[str]) -> None:
    wanted = plan_init(Net(), {k: i for i, k in enumerate(sorted(order))})
    got = plan_init(Net(), {k: sorted(order).index(k) for k in order})
    assert got.digest() == wanted.digest()


def test_each_mention_of_a_recipe_must_decide_something() -> None:
    rules = {"haed": "resnext", "body": "resnext", "*": "keep"}
    text = problem(Net(), rules, IdleRule)
    assert text == (
        "no rule of the recipe resnext/torch7 decides anything under 'haed'; did you mean 'head'?"
    )
    with pytest.raises(PlanError) as caught:
        apply_init(Net(), rules)
    assert str(caught.value) == (
        "nothing was written: no rule of the recipe resnext/torch7 decides anything under 'haed'\n"
        "  as written:   'haed': 'resnext'\n"
        "  would match:  head.weight, head.bias\n"
        "  to paste:     'head': 'resnext'"
    )


@pytest.mark.parametrize(
    ("device", "meant"),
    [("cpuu", "'cpu'"), ("gpu", "'cuda'"), ("CUDA", "'cuda'"), ("cuda:x", ""), (3.5, "")],
)
def test_a_device_that_is_none_is_refused_in_our_words(device: Any, meant: str) -> None:
    with pytest.raises(OptionError) as caught:
        apply_init(nn.Linear(2, 2, device="meta"), {"*": 0}, device=device)
    told = f"device must be 'cpu', 'cuda' or 'cuda:1', or a torch.device, not {device!r}"
    lines = f"\n  as written:   device={device!r}\n  to paste:     device={meant}"
    assert str(caught.value) == told + (lines if meant else "")


@pytest.mark.parametrize("entry", [plan_init, apply_init])
def test_a_plan_in_place_of_rules_is_told_how_it_is_applied(entry) -> None:
    model = nn.Linear(2, 2)
    with pytest.raises(RuleError, match=r"a plan holds decisions, not rules: plan\.apply\(model"):
        entry(model, plan_init(model, "torch_default"))
