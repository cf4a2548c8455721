"""Globs with a segment that is wrong, missing or too much find the names that are meant."""

from __future__ import annotations

import pytest
from torch import nn

from initkit import apply_init, plan_init
from initkit.errors import PlanError, RuleError
from initkit.rules.segments import nearest_globs, shape_of

NAMES = [
    *(f"model.layers.{i}.self_attn.{p}_proj.weight" for i in range(3) for p in "qkvo"),
    *(f"model.layers.{i}.mlp.{p}_proj.weight" for i in range(3) for p in ("up", "down")),
    *(f"layer{i}.{j}.conv{k}.weight" for i in (1, 2, 4) for j in (0, 1) for k in (1, 2)),
    "attn.in_proj_weight",
]
SHAPES = list(dict.fromkeys(map(shape_of, NAMES)))


@pytest.mark.parametrize(
    ("glob", "meant"),
    [
        ("layers.*.self_attn.q_proj.weight", ["*.layers.*.self_attn.q_proj.weight"]),
        ("layers.{0,2}.mlp.up_proj.weight", ["*.layers.{0,2}.mlp.up_proj.weight"]),
        ("model.layers.?.attn.q_proj.weight", ["model.layers.?.self_attn.q_proj.weight"]),
        ("model.*.attn.{q,k}_proj.weight", ["model.*.self_attn.{q,k}_proj.weight"]),
        ("model.encoder.layers.*.mlp.up_proj.weight", ["model.layers.*.mlp.up_proj.weight"]),
        ("model.layers.self_attn.q_proj.weight", ["model.layers.*.self_attn.q_proj.weight"]),
        ("model.layers.0.q_proj.weight", ["model.layers.0.self_attn.q_proj.weight"]),
        ("layers.*.conv1.weight", ["layer{1,2,4}.*.conv1.weight"]),
        ("layer9.*.conv1.weight", ["layer4.*.conv1.weight"]),
        ("layer1.*.conv.weight", ["layer1.*.conv{1..2}.weight"]),
        ("attn.in_proj.weight", ["attn.in_proj_weight"]),
    ],
)
def test_the_nearest_glob_keeps_what_the_model_has(glob: str, meant: list[str]) -> None:
    assert nearest_globs(glob, SHAPES) == meant


def test_of_two_that_are_as_near_both_are_offered() -> None:
    shapes = [shape_of("h.0.attn.weight"), shape_of("h.0.mlp.weight")]
    assert nearest_globs("h.*.core.weight", shapes) == ["h.*.attn.weight", "h.*.mlp.weight"]


@pytest.mark.parametrize(
    "glob", ["model.layers.*.foo.weight", "foo.*.weight", "x.y.z", "*.bias", "", "."]
)
def test_what_is_near_nothing_means_nothing(glob: str) -> None:
    assert nearest_globs(glob, SHAPES) == []


def test_two_that_are_as_near_are_two_lines_to_paste() -> None:
    model = nn.ModuleDict({"attn": nn.Linear(2, 2), "mlp": nn.Linear(2, 2)})
    with pytest.raises(PlanError) as caught:
        apply_init(nn.ModuleDict({"h": nn.ModuleList([model])}), {"h.*.x.weight": 0, "*": "keep"})
    assert str(caught.value).splitlines()[1:] == [
        "  as written:   'h.*.x.weight': 0",
        "  would match:  h.0.attn.weight; or h.0.mlp.weight",
        "  to paste:     'h.*.attn.weight': 0",
        "  or:           'h.*.mlp.weight': 0",
    ]


def test_what_is_near_a_glob_of_many_layers_is_no_list_of_layers() -> None:
    blocks = nn.ModuleList([nn.ModuleDict({f"p{k}": nn.Linear(2, 2) for k in "abc"})] * 1)
    blocks.extend(nn.ModuleDict({f"p{k}": nn.Linear(2, 2) for k in "abc"}) for _ in range(5))
    (problem,) = plan_init(nn.ModuleDict({"h": blocks}), {"h.*.px.wt": 0, "*": "keep"}).problems
    assert "h.*.p" in problem.hint and "h.5" not in problem.hint


def test_names_that_are_none_are_neither_offered_nor_listed() -> None:
    attention = nn.ModuleDict({"attn": nn.MultiheadAttention(4, 2)})
    for key in ("*q_proj_wieght", "*weigth*", "*.atn.*", "in:MultiheadAtention"):
        (problem,) = plan_init(attention, {key: 0, "*": "keep"}).problems
        assert "attn.in_proj_weight" in problem.told()
        assert "q_proj_weight" not in problem.told().replace(key, "")


def test_a_rule_that_decides_only_about_what_is_none_is_remarked_on() -> None:
    attention = nn.ModuleDict({"attn": nn.MultiheadAttention(4, 2)})
    plan = plan_init(attention, [{"*.q_proj_weight": 0}, "transformer/torch"])
    told = "decides only about parameters that are None here: attn.q_proj_weight"
    assert plan.remarks == (f"the rule '*.q_proj_weight' {told}",)
    # A recipe is for many models, and says so of none.
    assert not any("None here" in note for note in plan_init(attention, "torch_default").remarks)


LAYERS = nn.ModuleDict(
    {
        "word_embeddings": nn.Embedding(4, 4),
        "layers": nn.ModuleList(
            nn.ModuleDict(
                {
                    "q": nn.Linear(4, 4),
                    "v": nn.Linear(4, 4),
                    "fc1": nn.Linear(4, 4),
                    "fc2": nn.Linear(4, 4),
                    "post_attention_norm": nn.LayerNorm(4),
                }
            )
            for _ in range(2)
        ),
    }
)


@pytest.mark.parametrize("key", ["classifier.weight", "attn.weight", "fc.weight", "out.weight"])
def test_a_module_that_is_not_there_is_not_taken_for_many_others(key: str) -> None:
    """Pasted, such a line would write far more than was named."""
    (problem,) = plan_init(LAYERS, {key: 0, "*": "keep"}).problems
    assert "to paste" not in str(problem) and "*.weight" not in str(problem)


def test_a_word_behind_a_star_is_replaced_and_not_left_out() -> None:
    (problem,) = plan_init(LAYERS, {"layers.*.q_proj.weight": 0, "*": "keep"}).problems
    assert "did you mean 'layers.*.q.weight'" in str(problem)
    assert "'layers.*.weight'" not in str(problem)


class Projection(nn.Linear): ...


def test_a_class_of_another_library_is_pasted_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Projections(nn.Linear): ...

    told = []
    for home in (Projections.__module__, "elsewhere.models"):
        monkeypatch.setattr(Projection, "__module__", home)
        (problem,) = plan_init(Projection(2, 2), {Projections: {"weight": 0}, "*": "keep"}).problems
        told.append(str(problem))
    assert "to paste:     Projection: {'weight': 0}" in told[0]
    assert "to paste:     'type:Projection': {'weight': 0}" in told[1]


def test_braces_that_stand_for_too_many_globs_are_refused_at_once() -> None:
    with pytest.raises(
        RuleError, match=r"stands for 1,073,741,824 globs, and 100,000 are the most"
    ):
        plan_init(nn.Linear(2, 2), {"{a,b}" * 30 + ".weight": 0})
