"""A folded plan loses no parameter, and what is odd in it is seen."""

from __future__ import annotations

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import nn

from initkit import Plan, Rule, plan_init
from initkit.distributions import Constant, Normal
from initkit.plan import Step
from initkit.plan.folding import fold_steps, short_rule

# Without shrinking: a failure of thirty steps is read, and shrinking them takes minutes.
PROPERTIES = settings(
    deadline=None, derandomize=True, max_examples=15, phases=[Phase.explicit, Phase.generate]
)
PIECES = st.sampled_from(["h", "layer1", "layer2", "conv1", "conv2", "0", "1", "2", "12"])
NAMES = st.lists(PIECES, min_size=1, max_size=3).map(".".join)
STATUSES = st.sampled_from(["write", "keep", "uncovered", "not in only", "protected"])
LAWS = st.sampled_from([Constant(0.0), Constant(1.0), Normal(0.0, 0.02), Normal(0.0, 0.5)])
SHAPES = st.sampled_from([(4,), (8,), (4, 4), (8, 4), (2, 2, 1, 1)])


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    """Draw the steps of a plan."""
    names = draw(st.lists(NAMES, unique=True, min_size=13, max_size=40))
    return [
        Step(
            (f"{name}.weight",),
            name,
            draw(SHAPES),
            torch.float32,
            draw(STATUSES),
            draw(LAWS),
            rule=draw(st.sampled_from(["*", "a: b"])),
            note=draw(st.sampled_from(["", "a note", "std=2", "std=3"])),
            frozen=draw(st.booleans()),
        )
        for name in names
    ]


@PROPERTIES
@given(steps())
def test_every_step_is_in_one_line_under_its_own_name(drawn: list[Step]) -> None:
    folds = fold_steps(drawn)
    assert sorted(s.name for f in folds for s in f.rows) == sorted(s.name for s in drawn)
    assert {id(s) for f in folds for s in f.rows} == {id(s) for s in drawn}
    for fold in folds:
        if not fold.label.endswith(".*"):
            assert fold.names == [step.name for step in fold.rows]


@PROPERTIES
@given(steps())
def test_what_a_line_says_is_so_of_all_its_steps(drawn: list[Step]) -> None:
    for fold in fold_steps(drawn):
        assert len({step.status for step in fold.rows}) == 1
        if fold.first.status == "write":
            alike = {(s.rule, s.frozen, len(s.shape), type(s.distribution)) for s in fold.rows}
            assert len(alike) == 1


def gpt(depth: int = 16) -> nn.Module:
    blocks = (
        nn.ModuleDict({"qkv": nn.Linear(8, 24), "proj": nn.Linear(8, 8)}) for _ in range(depth)
    )
    return nn.ModuleDict({"h": nn.ModuleList(blocks), "head": nn.Linear(8, 4)})


RULES = {"*.bias": 0, "*": "normal(std=0.02)"}


def test_layers_that_are_alike_are_one_line() -> None:
    table = plan_init(gpt(), RULES).table(80)
    assert table.splitlines()[2:] == [
        "h.{0..15}.qkv.weight   x16  N(0, 0.02)  24x8   *",
        "h.{0..15}.qkv.bias     x16  constant 0  24     *.bias",
        "h.{0..15}.proj.weight  x16  N(0, 0.02)  8x8    *",
        "h.{0..15}.proj.bias    x16  constant 0  8      *.bias",
        "head.weight                 N(0, 0.02)  4x8    *",
        "head.bias                   constant 0  4      *.bias",
    ]


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ({"h.7.qkv.weight": "normal(std=0.05)"}, "h.7.qkv.weight"),
        ({"h.7.qkv.weight": "keep"}, "h.7.qkv.weight"),
    ],
)
def test_an_odd_layer_has_a_line_of_its_own(rule: dict[str, str], line: str) -> None:
    labels = [fold.label for fold in plan_init(gpt(), [rule, RULES]).folds]
    assert line in labels
    assert "h.{0..6,8..15}.qkv.weight" in labels


def test_an_odd_shape_and_a_frozen_layer_stand_out() -> None:
    model = gpt()
    model["h"][3]["proj"] = nn.Linear(8, 8, bias=True, dtype=torch.float64)
    model["h"][5]["qkv"] = nn.Linear(8, 48)
    model["h"][9]["qkv"].weight.requires_grad_(False)
    labels = {fold.label for fold in plan_init(model, RULES).folds}
    assert {"h.3.proj.weight", "h.5.qkv.weight", "h.9.qkv.weight"} <= labels


def test_a_pyramid_is_one_line_with_the_range_of_its_sizes() -> None:
    sizes = (8, 16, 32, 64, 128, 256, 512)
    model = nn.Sequential(*(nn.Linear(n, 2 * n) for n in sizes))
    line = plan_init(model, {"*weight": "lecun_normal", "*": 0}).table(100).splitlines()[2]
    assert line == "{0..6}.weight  x7  N(0, 0.04419..0.3536)  16..1024x8..512  *weight"


def test_an_odd_kernel_in_a_pyramid_has_a_line_of_its_own() -> None:
    sizes = (4, 8, 16, 32, 64)
    convs = [nn.Conv2d(a, b, 3, bias=False) for a in sizes for b in sizes]
    convs[13] = nn.Conv2d(16, 32, 7, bias=False)
    plan = plan_init(nn.Sequential(*convs), "kaiming_normal")
    assert [fold.label for fold in plan.folds] == ["{0..12,14..24}.weight", "13.weight"]
    assert plan.table(64).splitlines()[2].split()[-2] == "*x*x3x3"


def test_one_layer_of_another_rule_stands_out_of_layers_that_all_differ() -> None:
    rules = [
        Rule("normal(std=0.02/(layer + 1))", name="*qkv.weight", where=lambda s: ".7." in s.name),
        Rule("normal(std=0.02/(layer + 2))", name="*qkv.weight"),
        {"*": 0},
    ]
    labels = [fold.label for fold in plan_init(gpt(), rules).folds]
    assert labels[0] == "h.{0..6,8..15}.qkv.weight" and "h.7.qkv.weight" in labels


def test_blocks_of_one_kind_and_different_number_are_one_line() -> None:
    stages = {
        f"layer{i}": nn.Sequential(*(nn.Linear(4, 4) for _ in range(n)))
        for i, n in enumerate((3, 4, 6, 3), 1)
    }
    fold = plan_init(nn.ModuleDict(stages), {"*": 0}).folds[0]
    assert fold.label == "layer{1..4}.*.weight"
    assert fold.names == [step.name for step in fold.rows]
    assert fold.labels == [
        "layer{1,4}.{0..2}.weight",
        "layer2.{0..3}.weight",
        "layer3.{0..5}.weight",
    ]


def test_a_module_that_is_left_out_is_one_line_below_what_is_written() -> None:
    table = plan_init(gpt(), RULES, only="head").table(80).splitlines()
    assert [line.split()[0] for line in table[2:]] == ["head.weight", "head.bias", "h.*"]


def test_every_parameter_has_a_line_where_nothing_is_folded() -> None:
    plan: Plan = plan_init(gpt(), RULES)
    assert len(plan.table(fold=False).splitlines()) == 2 + len(plan)
    assert plan.table(fold=False).splitlines()[0].split() == [
        *("name", "starts", "as", "shape", "fan_in/out", "rule"),
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_a_plan_fits_the_width(width: int) -> None:
    recipe = {"*.bias": 0, "h.*.qkv.*": "normal(std=0.02/sqrt(2*n_layers))", "*": "xavier_normal"}
    assert max(map(len, plan_init(gpt(), recipe).text(width).splitlines())) <= width


def test_what_is_uncovered_frozen_and_tied_comes_first() -> None:
    model = gpt()
    model["head"].weight.requires_grad_(False)
    model["tail"] = model["head"]
    text = plan_init(model, {"*weight": 0}).text(80).splitlines()
    assert text[1:5] == [
        "no rule covers h.{0..15}.qkv.bias [24]",
        "no rule covers h.{0..15}.proj.bias [8]",
        "no rule covers head.bias [4]",
        "frozen, and written all the same: head.weight",
    ]
    assert text[5:7] == ["tied: head.weight = tail.weight", "tied: head.bias = tail.bias"]


def test_long_lists_of_classes_are_short_and_whole_on_a_page() -> None:
    assert short_rule("a/b: Conv1d|Conv2d|Conv3d.weight") == "a/b: Conv*.weight"
    kinds = (nn.Linear, nn.Bilinear, nn.Conv2d)
    plan = plan_init(gpt(), {kinds: {"weight": 0, "bias": 0}})
    # The class that matched; a plan that was read from a file does not know it.
    assert 'title="Linear|Bilinear|Conv2d.weight">Linear</td>' in plan.to_html()
    page = Plan.from_json(plan.to_json()).to_html()
    assert 'title="Linear|Bilinear|Conv2d.weight">Linear|…</td>' in page


class Stages(nn.Module):
    """Stages of blocks, each stage twice as wide as the one before, its first block narrowing."""

    def __init__(self, odd: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        for stage in range(4):
            width = 4 << stage
            blocks = [
                nn.ModuleDict({"conv": nn.Conv2d(width // 2 if i == 0 else width, width, 3)})
                for i in range(4)
            ]
            if odd is not None and odd[0] == stage:
                blocks[odd[1]]["conv"] = nn.Conv2d(width, width, 3, groups=2)
            self.stages.append(nn.ModuleList(blocks))


def test_a_shape_that_is_odd_within_its_stage_has_a_line_of_its_own() -> None:
    rules = {"*.weight": "kaiming_normal", "*": 0}
    sound = [fold.label for fold in plan_init(Stages(), rules).folds]
    assert sound == ["stages.{0..3}.{0..3}.conv.weight", "stages.{0..3}.{0..3}.conv.bias"]
    odd = [fold.label for fold in plan_init(Stages(odd=(1, 2)), rules).folds]
    assert odd == ["stages.{0..3}.*.conv.weight", sound[1], "stages.1.2.conv.weight"]


def apart() -> nn.Sequential:
    model = nn.Sequential(*[nn.Linear(8, 8) for _ in range(8)])
    model[2].weight = nn.Parameter(model[2].weight.half())
    model[5].weight = model[0].weight
    return model


def test_a_line_says_why_it_is_apart_from_its_likes() -> None:
    plan = plan_init(apart(), {"*weight": "normal(std=0.02)", "*": 0})
    lines = {line.split()[0]: line for line in plan.table().splitlines()}
    assert lines["2.weight"].endswith("float16") and lines["0.weight"].endswith("tied")
    assert lines["{1,3,4,6,7}.weight"].endswith("*weight")
    page = plan.to_html()
    assert "float16</" in page and "tied</" in page
    unfolded = {line.split()[0]: line for line in plan.table(fold=False).splitlines()}
    assert unfolded["2.weight"].endswith("float16")
    assert unfolded["0.weight"].endswith("= 5.weight")


def test_where_all_of_like_names_are_tied_none_is_apart() -> None:
    model = nn.ModuleDict({key: nn.ModuleList(nn.Linear(4, 4) for _ in range(3)) for key in "ab"})
    for one, other in zip(model["a"], model["b"], strict=True):
        other.weight = one.weight
    assert "tied" not in plan_init(model, {"*": 0}).table()


def test_one_dtype_and_a_tie_without_likes_are_no_remark() -> None:
    model = nn.ModuleDict({"wte": nn.Embedding(8, 8), "head": nn.Linear(8, 8, bias=False)}).half()
    model["head"].weight = model["wte"].weight
    assert plan_init(model, {"*": "normal(std=0.02)"}).table().splitlines()[-1].endswith("*")
