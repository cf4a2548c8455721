"""A user's function of modules starts what ``Module.apply`` would, under seeds, once a memory."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from initkit import (
    FillError,
    PlanError,
    Rule,
    RuleError,
    apply_init,
    check_init,
    deferred,
    per_module,
    plan_init,
    verify_report,
)
from initkit.errors import ReadError, TieConflict
from initkit.rules.recipe_files import save_recipe


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.fc = nn.Linear(4, 4)


class Net(nn.Module):
    """A tied embedding, blocks of two layers, and a parameter of the root's own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))
        self.embed = nn.Embedding(10, 4)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embed.weight


def init(module: nn.Module) -> None:
    """Start modules as many a model's own code does: by type, the container after its parts."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.uniform_(module.bias)
    elif isinstance(module, nn.Embedding):
        module.weight.data.normal_()
    elif isinstance(module, nn.BatchNorm1d):
        nn.init.ones_(module.weight)
        module.bias = nn.Parameter(torch.zeros(4))
        module.running_mean.fill_(9)  # type: ignore[union-attr]
    elif isinstance(module, Block):
        module.fc.bias.data.fill_(7)
    elif isinstance(module, Net):
        module.scale.data.fill_(2)


RULES = {"*": per_module(init)}


def held(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(
        torch.equal(a, b) for a, b in zip(held(one).values(), held(other).values(), strict=True)
    )


def test_it_writes_what_apply_writes() -> None:
    torch.manual_seed(0)
    planned, applied = Net(), Net()
    report = apply_init(planned, RULES, seed=0)
    applied.apply(init)
    assert set(report.written) == {n for n, _ in planned.named_parameters(remove_duplicate=False)}
    mine, torchs = held(planned), held(applied)
    for name in ("scale", "blocks.0.norm.weight", "blocks.0.norm.bias", "blocks.1.fc.bias"):
        assert torch.equal(mine[name], torchs[name])  # what is drawn from no generator
    # the head comes last and decides about the tie: 40 values of std 0.02, within 4 / sqrt(80)
    assert mine["embed.weight"].std().item() == pytest.approx(0.02, rel=0.45)


def test_parameters_stay_the_same_objects_and_buffers_keep_their_values() -> None:
    model = Net()
    before = [id(p) for p in model.parameters()]
    grads = [p.requires_grad for p in model.parameters()]
    apply_init(model, RULES, seed=0)
    assert [id(p) for p in model.parameters()] == before
    assert [p.requires_grad for p in model.parameters()] == grads
    assert model.head.weight is model.embed.weight
    assert model.blocks[0].norm.running_mean.tolist() == [0.0] * 4  # type: ignore[union-attr, operator]


def test_numbers_follow_from_seed_and_module_alone() -> None:
    first, again, other = Net(), Net(), Net()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    apply_init(first, RULES, seed=0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    apply_init(again, RULES, seed=0)
    apply_init(other, RULES, seed=1)
    assert same(first, again) and not same(first, other)
    # alone, and among fewer, a module starts as it did among all
    alone = Net()
    apply_init(alone, RULES, seed=0, only="blocks.1.fc.weight")
    apply_init(other, {nn.Linear: per_module(init)}, seed=0, only="blocks")
    for model in (alone, other):
        assert torch.equal(model.blocks[1].fc.weight, first.blocks[1].fc.weight)  # type: ignore[union-attr, arg-type]
    assert not torch.equal(first.blocks[0].fc.weight, first.blocks[1].fc.weight)  # type: ignore[union-attr, arg-type]


def test_a_part_of_the_model_starts_as_the_whole_does() -> None:
    whole, part = Net(), Block()
    plan = plan_init(whole, RULES)
    plan.apply(whole, seed=0)
    plan.apply(part, seed=0, rename={"": "blocks.1"})
    assert same(part, whole.blocks[1])


def test_deferred_modules_are_started_as_present_ones_are() -> None:
    eager = Net()
    apply_init(eager, RULES, seed=0)
    with deferred():
        late = Net()
    apply_init(late, RULES, seed=0)
    assert same(eager, late)


def test_under_a_class_it_starts_all_that_the_class_has_and_alone_all_modules() -> None:
    linear = per_module(nn.Linear.reset_parameters)
    model = nn.Sequential(nn.Linear(2, 2), nn.PReLU())
    assert apply_init(model, {nn.Linear: linear}, seed=0).written == ["0.weight", "0.bias"]
    assert apply_init(Net(), per_module(init), seed=0).uncovered == []
    # as torch's constructor does: within 1 / sqrt(2)
    assert model[0].weight.abs().max().item() <= 0.5**0.5  # type: ignore[operator]


def test_a_container_is_called_only_where_all_that_it_holds_is_started() -> None:
    model = Net()
    apply_init(model, {"blocks.0.*": per_module(init), "blocks.1.fc.*": per_module(init)}, seed=0)
    assert model.blocks[0].fc.bias.tolist() == [7.0] * 4  # type: ignore[union-attr, operator]
    assert max(model.blocks[1].fc.bias.tolist()) < 1  # type: ignore[union-attr, operator]


def test_under_a_class_it_is_called_with_that_class_alone() -> None:
    called: list[str] = []

    def note(module: nn.Module) -> None:
        called.append(type(module).__name__)
        for p in module.parameters():
            p.data.zero_()

    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    scoped: dict[str, Any] = {"*": {nn.Linear: per_module(note)}}
    for rules in ({nn.Linear: per_module(note)}, [Rule(per_module(note), type="Linear")]):
        apply_init(model, rules, seed=0)
        assert called == ["Linear", "Linear"]
        called.clear()
    apply_init(nn.Sequential(model), scoped, seed=0, idle="ignore")
    assert called == ["Linear", "Linear"]
    called.clear()
    apply_init(model, {"*": per_module(note)}, seed=0)
    assert called == ["Linear", "Linear", "Sequential"]


def test_options_and_bound_methods_are_passed_on_and_shown() -> None:
    class Own(nn.Linear):
        def _init_weights(self, module: nn.Module, *, value: float) -> None:
            nn.init.constant_(module.weight, value)  # type: ignore[arg-type]
            nn.init.constant_(module.bias, value)  # type: ignore[arg-type]

    model = Own(2, 2)
    plan = plan_init(model, {"*": per_module(model._init_weights, value=3)})
    assert plan["weight"].start == "per_module(_init_weights, value=3)"
    assert str(per_module(init, std=2)) == "per_module(init, std=2)"
    plan.apply(model, seed=0)
    assert model.weight.tolist() == [[3, 3], [3, 3]]


def test_marks_on_parameters_are_seen_and_a_scaled_function_is_scaled() -> None:
    def marked(module: nn.Module) -> None:
        for p in module.parameters(recurse=False):
            p.data.fill_(1 if getattr(p, "small", False) else 5)

    model = nn.Linear(2, 2)
    model.weight.small = True  # type: ignore[attr-defined]
    apply_init(model, {"weight": per_module(marked).scaled(3), "bias": per_module(marked)}, seed=0)
    assert (model.weight.unique().tolist(), model.bias.tolist()) == ([3], [5, 5])


def test_sixteen_bits_are_rounded_once_and_a_tie_under_two_functions_conflicts() -> None:
    model = nn.Linear(2, 2).bfloat16()
    apply_init(model, {"*": per_module(lambda m: [p.fill_(1 / 3) for p in m.parameters()])}, seed=0)
    assert torch.equal(model.bias, torch.full((2,), 1 / 3).bfloat16())
    rules = {"emb*": per_module(init), "*": per_module(lambda m: init(m))}
    assert [type(p) for p in plan_init(Net(), rules).problems] == [TieConflict]


def test_of_a_tie_the_name_that_a_rule_names_decides() -> None:
    model = Net()
    apply_init(model, {"embed.weight": per_module(init), "*": "keep"}, seed=0)
    # 40 values of std 1, within 4 / sqrt(80); the head's would be of std 0.02
    assert model.head.weight.std().item() == pytest.approx(1, rel=0.45)


# ------------------------------------------------------------------------------ what goes wrong


def only_linear(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.weight)


def a_part(module: nn.Module) -> None:
    init(module)
    if isinstance(module, nn.Embedding | nn.Linear):
        module.weight.data[0].fill_(torch.nan)


def resized(module: nn.Module) -> None:
    init(module)
    if isinstance(module, Net):
        module.scale = nn.Parameter(torch.zeros(7))


def failing(module: nn.Module) -> None:
    init(module)
    if isinstance(module, nn.BatchNorm1d):
        raise ZeroDivisionError


UNTOUCHED = (
    "wrote nothing to scale, blocks.0.norm.weight, blocks.0.norm.bias, blocks.0.fc.bias, "
    "blocks.1.norm.weight, blocks.1.norm.bias, blocks.1.fc.bias, or read the old values, which "
    "are NaN here; put rules above it for what it leaves alone, such as {'scale': 'keep'}"
)
WRONG: dict[str, tuple[Callable[[nn.Module], object], str]] = {
    "untouched": (only_linear, UNTOUCHED),
    "a part": (
        a_part,
        "left 4 of 40 elements of embed.weight unwritten, or wrote NaN there",
    ),
    "another shape": (resized, "made scale [7], and it must stay [3]"),
    "an error": (failing, "failed on the BatchNorm1d 'blocks.0.norm': ZeroDivisionError()"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_goes_wrong_is_said_before_anything_is_written(case: str) -> None:
    function, message = WRONG[case]
    model = Net()
    before, state = copy.deepcopy(model), torch.get_rng_state()
    ids = [id(t) for t in (*model.parameters(), *model.buffers())]
    with pytest.raises(FillError) as caught:
        apply_init(model, {"*": per_module(function)}, seed=0)
    said = str(caught.value)
    assert said == f"per_module({function.__name__}) {message}; nothing was written"
    assert same(model, before) and torch.equal(torch.get_rng_state(), state)
    assert [id(t) for t in (*model.parameters(), *model.buffers())] == ids


def test_a_computed_weight_and_a_state_dict_are_refused() -> None:
    model = parametrizations.weight_norm(nn.Linear(2, 2))
    with pytest.raises(FillError, match="weight is computed from other tensors"):
        apply_init(model, RULES, seed=0)
    with pytest.raises(PlanError, match="a state_dict has no modules to call it with"):
        apply_init(nn.Linear(2, 2).state_dict(), RULES, seed=0)


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (nn.Linear(2, 2), "per_module takes a function of a module, not a Linear"),
        (nn.Linear, "per_module takes a function of a module, not the class Linear"),
        ("normal", "per_module takes a function of a module, not 'normal' (str)"),
        (nn.init.zeros_, "per_module: zeros_ takes a tensor, so that a rule takes it as it is"),
    ],
)
def test_what_is_no_function_of_a_module_is_refused(thing: Any, text: str) -> None:
    with pytest.raises(RuleError, match=f"^{re.escape(text)}$"):
        per_module(thing)


def test_what_it_wrote_is_known_again_by_its_bits_and_no_distribution_is(tmp_path: Any) -> None:
    model = Net()
    apply_init(model, RULES, seed=0).save(tmp_path / "init.json")
    verified = verify_report(model, tmp_path / "init.json")
    assert {outcome for _, outcome in verified.rows} == {"as initialised"}
    report = check_init(model, RULES)
    assert report.ok and "a function's values: only looked for garbage" in report.text()
    model.scale.data[0] = torch.nan
    assert not check_init(model, RULES).ok
    with pytest.raises(ReadError, match="JSON cannot carry the function that starts"):
        plan_init(model, RULES).to_json()
    with pytest.raises(ReadError, match=r"a file cannot carry the function per_module\(init\)"):
        save_recipe(RULES, tmp_path / "mine.toml")
