"""The tree has every module once, with the sums of what it holds."""

from __future__ import annotations

import math
from typing import Any

import pytest
from torch import nn

from initkit import OptionError, plan_init

RULES = {"*.bias": 0, "*": "normal(std=0.02)"}


def net() -> nn.Module:
    blocks = nn.ModuleList(
        nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 8)}) for _ in range(3)
    )
    return nn.ModuleDict({"h": blocks, "head": nn.Linear(8, 2)})


def test_a_tree_folds_blocks_and_sums_them() -> None:
    tree = plan_init(net(), RULES).tree()
    assert [(row.label, row.count, len(row.steps), row.elements) for row in tree.rows] == [
        ("(model)", 1, 14, 198),
        ("h.{0..2}", 3, 12, 180),
        ("a", 3, 6, 60),
        ("b", 3, 6, 120),
        ("head", 1, 2, 18),
    ]


def test_the_std_of_a_module_is_that_of_all_that_is_drawn_together() -> None:
    rules = {"0.weight": "normal(std=0.5)", "1.weight": "normal(mean=1, std=0.3)", "*": 1}
    (row, *_) = plan_init(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 8)), rules).tree().rows
    # 16 elements of N(0, 1/4) and 32 of N(1, 0.09); biases are constant
    mean, square = 32 / 48, (16 * 0.25 + 32 * (1 + 0.09)) / 48
    assert row.std == pytest.approx(math.sqrt(square - mean**2))
    assert plan_init(nn.Linear(4, 4), {"*": 1}).tree().rows[0].std is None


def test_columns_and_depth_are_chosen() -> None:
    tree = plan_init(net(), RULES).tree(columns=("rule", "dtype"), depth=1)
    assert [row.depth for row in tree.rows] == [0, 1, 1]
    assert tree.text(100).splitlines()[1].split() == ["module", "rule", "dtype"]
    assert "<table>" in tree.to_html()


def test_an_unknown_column_is_refused_with_what_is_near() -> None:
    with pytest.raises(OptionError, match="no column 'element'; did you mean 'elements'"):
        plan_init(net(), RULES).tree(columns=("element",))


def test_every_parameter_is_in_the_root_and_in_one_line_of_each_depth() -> None:
    plan = plan_init(net(), RULES)
    rows = plan.tree(depth=None).rows
    leaves = [
        row
        for row, deeper in zip(rows, [*rows[1:], rows[0]], strict=True)
        if deeper.depth <= row.depth
    ]
    assert sorted(s.name for r in leaves for s in r.steps) == sorted(s.name for s in plan)


def wide() -> nn.Module:
    parts = ("query_projection", "key_projection", "value_projection")
    dense: dict[str, nn.Module] = {part: nn.Linear(1000, 1000) for part in parts}
    inner = nn.ModuleDict(dense | {"norm": nn.LayerNorm(10)})
    return nn.ModuleDict({"decoder": nn.ModuleDict({"attention": inner})})


@pytest.mark.parametrize("width", [60, 72, 80, 120])
def test_a_tree_fits_the_width_and_what_hangs_is_deeper_than_its_line(width: int) -> None:
    lines = plan_init(wide(), RULES).tree().text(width).splitlines()
    assert max(map(len, lines)) <= width
    of_norm = next(i for i, line in enumerate(lines) if line.startswith("  norm"))
    assert all(line.startswith("      ") for line in lines[of_norm + 1 :])


def test_where_it_is_narrow_counts_have_three_digits() -> None:
    tree = plan_init(wide(), RULES).tree(columns=("elements",))
    assert tree.text(80).splitlines()[3].split()[1:] == ["3,003,020"]
    assert tree.text(44).splitlines()[3].split()[1:] == ["3M"]


def test_containers_that_hold_one_module_are_one_line_with_their_whole_path() -> None:
    assert plan_init(wide(), RULES).tree().rows[0].label == "decoder.attention"


def test_a_page_keeps_the_indents_of_a_tree() -> None:
    page = plan_init(net(), RULES).tree().to_html()
    assert '<td class="t">    head</td>' in page and "<summary>    h.{0..2}</summary>" in page
    assert ".t summary{white-space:pre-wrap}" in page and "u2003" not in page


@pytest.mark.parametrize("depth", [0, -1, "x", 1.5])
def test_a_depth_that_is_none_is_refused(depth: Any) -> None:
    with pytest.raises(OptionError, match="^depth must be a number of levels, 1 or more"):
        plan_init(nn.Linear(2, 2), {"*": 0}).tree(depth=depth)


def test_a_tree_tells_dtypes_frozen_and_tied_parameters_apart() -> None:
    model = nn.Sequential(*[nn.Linear(8, 8) for _ in range(6)])
    model[2].weight = nn.Parameter(model[2].weight.half())
    model[3].requires_grad_(False)
    model[5].weight = model[0].weight
    tree = plan_init(model, {"*weight": "normal(std=0.02)", "*": 0}).tree()
    found = {row["module"]: row["remarks"] for row in tree.to_dict()}
    assert found == {
        "(model)": "2 of 11 frozen, 1 of 11 tied, 1 of 11 float16",
        "0": "1 of 2 tied",
        "{1,4}": "",
        "2": "1 of 2 float16",
        "3": "frozen",
        "5": "weight = 0.weight",
    }


def test_a_tree_of_parameters_that_are_alike_has_no_remarks() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)).half()
    assert "remarks" not in plan_init(model, {"*": 0}).tree().text()


def test_one_column_may_be_given_as_a_text() -> None:
    plan = plan_init(nn.Linear(2, 2), {"*": 0})
    assert str(plan.tree(columns="std")) == str(plan.tree(columns=["std"]))


def test_a_module_all_of_whose_parameters_are_tied_has_a_line_that_says_to_what() -> None:
    model = nn.ModuleDict({"emb": nn.Embedding(8, 4), "head": nn.Linear(4, 8, bias=False)})
    model["head"].weight = model["emb"].weight
    tree = plan_init(model, {"*": "normal(std=0.02)"}).tree()
    assert str(tree).splitlines()[1:] == [
        "module   starts as      std  elements  tensors  type       remarks",
        "-------  ------------  ----  --------  -------  ---------  -------",
        "(model)  N(0, 0.02)    0.02        32        1             tied",
        "  emb    N(0, 0.02)    0.02        32        1  Embedding  tied",
        "  head   = emb.weight                           Linear",
    ]


def test_shared_modules_are_one_line_and_those_tied_in_step_another() -> None:
    shared = nn.ModuleDict({"in": nn.Linear(4, 4), "out": nn.Linear(4, 4)})
    model = nn.ModuleDict(
        {
            "a": nn.ModuleList(nn.Linear(4, 4) for _ in range(3)),
            "b": nn.ModuleList(nn.Linear(4, 4, bias=False) for _ in range(3)),
            "c": nn.ModuleList([shared] * 3),
            "d": nn.Linear(4, 4),
            "e": nn.ModuleList(nn.Linear(4, 4) for _ in range(4)),
            "f": nn.ModuleList(nn.Linear(4, 4, bias=False) for _ in range(3)),
        }
    )
    for place in range(3):
        model["b"][place].weight = model["a"][place].weight
        model["f"][place].weight = model["e"][place + 1].weight
    model["d"].weight = shared["in"].weight
    tree = plan_init(model, {"*": 0}).tree()
    found = {row.label: (row.count, row.starts) for row in tree.rows}
    assert found["b"] == (1, "= a")
    assert found["{1,2}"] == (2, "= c.0")
    assert found["f.{0..2}"] == (3, "= e.{1..3}.weight")
    assert {row["module"]: row["remarks"] for row in tree.to_dict()}[
        "d"
    ] == "weight = c.0.in.weight"


def test_a_module_tied_to_parameters_of_several_others_names_each() -> None:
    model = nn.ModuleDict({name: nn.Linear(4, 4) for name in "abc"})
    model["c"].weight, model["c"].bias = model["a"].weight, model["b"].bias
    (row,) = [row for row in plan_init(model, {"*": 0}).tree().rows if row.label == "c"]
    assert row.starts == "weight = a.weight, bias = b.bias"


def test_where_it_is_narrow_what_a_module_is_tied_to_is_told_by_the_end_of_its_name() -> None:
    model = nn.ModuleDict({"transformer": nn.ModuleDict({"embedding": nn.Embedding(8, 4)})})
    model["head"] = nn.Linear(4, 8, bias=False)
    model["head"].weight = model["transformer"]["embedding"].weight
    tree = plan_init(model, {"*": 0}).tree(columns=("starts as", "type"))
    told = [tree.text(width).splitlines()[-1].split() for width in (80, 64)]
    assert told[0] == ["head", "=", "transformer.embedding.weight", "Linear"]
    assert told[1] == ["head", "=", "\u2026embedding.weight", "Linear"]
