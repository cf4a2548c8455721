"""One memory, several names: who speaks for it, and through which name it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from initkit import apply_init, check_init, plan_init, verify_report
from initkit.errors import TieConflict


class Transposed(nn.Module):
    """A decoder whose weight is the encoder's, transposed; its name comes first in the alphabet."""

    def __init__(self, inputs: int = 4, width: int = 6) -> None:
        super().__init__()
        self.enc = nn.Linear(inputs, width, bias=False)
        self.dec = nn.Linear(width, inputs, bias=False)
        self.dec.weight.data = self.enc.weight.data.t()


class Overlapping(nn.Module):
    """Two windows on one memory; with ``apart`` none of them holds the other."""

    def __init__(self, apart: bool = False) -> None:
        super().__init__()
        memory = torch.zeros(12, 4)
        self.b = nn.Parameter(memory[4:])
        self.a = nn.Parameter(memory[:8] if apart else memory)


def blockwise(weight: Tensor) -> bool:
    first, second = weight.chunk(2)
    return not first.any() and bool(second.all())


def orthogonal(weight: Tensor) -> bool:
    tall = weight if len(weight) >= weight.shape[1] else weight.T
    return torch.allclose(tall.T @ tall, torch.eye(tall.shape[1]), atol=1e-5)


BY_PLACE = {  # values that depend on the place, and how to see that they are in theirs
    "eye": lambda w: torch.equal(w, torch.eye(*w.shape)),
    "orthogonal": orthogonal,
    "blocks(0, 'normal')": blockwise,
    "arange": lambda w: torch.equal(w, torch.arange(w.shape[1]).float().expand_as(w)),
    "exp_of('arange')": lambda w: torch.allclose(
        w, torch.arange(w.shape[1]).double().exp().float().expand_as(w)
    ),
    "sinusoids": lambda w: bool((w[0, : w.shape[1] // 2] == 0).all()),
}


@pytest.mark.parametrize("rule", BY_PLACE)
@pytest.mark.parametrize("name", ["enc.weight", "dec.weight"])
@pytest.mark.parametrize("width", [6, 4], ids=["wide", "square"])
def test_a_view_has_the_geometry_of_the_name_that_the_rule_took(
    rule: str, name: str, width: int
) -> None:
    model = Transposed(width=width)
    apply_init(model, {name: rule}, seed=0)
    assert BY_PLACE[rule](model.get_parameter(name).detach())


@pytest.mark.parametrize("rule", BY_PLACE)
@pytest.mark.parametrize("width", [6, 4], ids=["wide", "square"])
def test_one_rule_by_place_for_both_views_is_a_conflict(rule: str, width: int) -> None:
    (problem,) = plan_init(Transposed(width=width), {"*": rule}).problems
    assert isinstance(problem, TieConflict)
    assert problem.names == ("enc.weight", "dec.weight")


@pytest.mark.parametrize("rule", ["normal(std=0.02)", "uniform(-1, 1)", "trunc_normal", "0.5"])
@pytest.mark.parametrize("name", ["*", "enc.weight", "dec.weight"])
def test_numbers_alone_are_written_through_the_canonical_name(rule: str, name: str) -> None:
    one, other = Transposed(), Transposed()
    step = plan_init(one, {name: rule}).steps[0]
    assert (step.name, step.shape, step.names) == (
        "dec.weight",
        (4, 6),
        ("dec.weight", "enc.weight"),
    )
    apply_init(one, {name: rule}, seed=0)
    apply_init(other, {"dec.weight": rule}, seed=0)
    assert torch.equal(one.enc.weight, other.enc.weight)


@pytest.mark.parametrize("rule", [*BY_PLACE, "normal(std=0.02)", "kaiming_normal"])
@pytest.mark.parametrize("name", ["enc.weight", "dec.weight"])
def test_what_was_written_through_a_view_passes_its_check_and_its_report(
    rule: str, name: str, tmp_path: Path
) -> None:
    model = Transposed()
    path = apply_init(model, {name: rule}, seed=0).save(tmp_path / "init.json")
    assert check_init(model, {name: rule}).ok
    assert verify_report(model, path).ok


def test_a_plan_is_applied_elsewhere_through_the_same_view() -> None:
    one, other = Transposed(), Transposed()
    plan = plan_init(one, {"enc.weight": "eye"})
    plan.apply(one, seed=0)
    type(plan).from_json(plan.to_json()).apply(other, seed=0)
    assert torch.equal(one.enc.weight, other.enc.weight)


@pytest.mark.parametrize("rule", ["eye", "arange", "orthogonal"])
def test_a_part_of_a_memory_cannot_speak_for_places_of_the_whole(rule: str) -> None:
    plan = plan_init(Overlapping(), {"b": rule, "a": "normal"}, on_tie_conflict="first")
    (problem,) = plan.problems
    assert problem.sentence.startswith(
        "b and a overlap in memory, which is written through a, and b wants "
    )
    assert problem.sentence.endswith("whose values depend on the place; give that rule to a")


@pytest.mark.parametrize("rule", ["eye", "arange", "orthogonal"])
def test_overlaps_that_nothing_holds_have_no_places(rule: str) -> None:
    model = Overlapping(apart=True)
    (problem,) = plan_init(model, {"*": rule}, on_tie_conflict="first").problems
    assert "its members overlap and none holds the others" in problem.sentence


PADDED = {
    "transposed": lambda weight: weight.t(),
    "flat": lambda weight: weight.view(-1),
    "reshaped": lambda weight: weight.view(4, -1),
}


@pytest.mark.parametrize("view", PADDED)
@pytest.mark.parametrize("rows", [6, 10])
@pytest.mark.parametrize(
    "rules",
    [{"*": "normal(std=0.5)"}, {"*": 3}, {"dec.weight": "arange"}, {"enc.weight": "orthogonal"}],
    ids=str,
)
def test_the_padding_row_of_a_view_is_the_embeddings(
    rules: dict[str, str], rows: int, view: str, tmp_path: Path
) -> None:
    model = nn.ModuleDict({"enc": nn.Embedding(rows, 4, padding_idx=rows - 1), "dec": nn.Module()})
    model["dec"].weight = nn.Parameter(PADDED[view](model["enc"].weight.data))
    report = apply_init(model, rules, seed=0)
    path = report.save(tmp_path / "init.json")
    assert not model["enc"].weight[rows - 1].any()
    assert check_init(model, report).ok
    assert verify_report(model, path).ok
    model["enc"].weight.data[rows - 1, 0] = 5.0
    assert check_init(model, report).failures[0].kind == "padding"
    assert not verify_report(model, path).ok


def test_the_earliest_rule_starts_overlaps_as_the_one_that_holds_the_others() -> None:
    model = Overlapping()
    plan = plan_init(model, {"*": "orthogonal"}, on_tie_conflict="first")
    assert not plan.problems
    assert (plan.steps[0].name, plan.steps[0].shape) == ("a", (12, 4))


@pytest.mark.parametrize("apart", [False, True], ids=["one holds the other", "none does"])
@pytest.mark.parametrize("rule", ["normal(std=0.02)", "uniform(-1, 1)"])
def test_overlaps_pass_their_check_and_their_report(rule: str, apart: bool, tmp_path: Path) -> None:
    model = Overlapping(apart)
    path = apply_init(model, {"*": rule}, seed=0).save(tmp_path / "init.json")
    assert check_init(model, {"*": rule}).ok
    assert verify_report(model, path).ok
    model.b.data[0, 0] += 1
    assert not verify_report(model, path).ok


@pytest.mark.parametrize(
    ("rules", "options", "start", "remark"),
    [
        ({"0.weight": 1, "*": 0}, {}, "constant 1", "1.weight: constant 0 (rule '*')"),
        ({"0.weight": "keep", "*": 0}, {}, "keep", "1.weight: constant 0 (rule '*')"),
        (
            {"1.*": 2, "*": 0},
            {"on_tie_conflict": "first"},
            "constant 2",
            "0.weight: constant 0 (rule '*')",
        ),
    ],
)
def test_a_rule_that_a_tie_overrules_is_remarked_on(
    rules: Any, options: Any, start: str, remark: str
) -> None:
    model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    model[1].weight = model[0].weight
    (step,) = plan_init(model, rules, **options)
    assert (step.start, step.remarks) == (start, f"= 1.weight, overrules {remark}")
    assert "overrules" not in plan_init(model, {"0.*": 1, "1.*": 1})[0].remarks


def test_wants_that_differ_a_little_are_told_in_as_many_digits_as_make_them_differ() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    (problem,) = plan_init(
        model, {"0*": "normal(std=0.02)", "*": "normal(std=0.02000001)"}
    ).problems
    assert "  0.weight: N(0, 0.02) (rule '0*')\n  1.weight: N(0, 0.02000001) " in problem.sentence
