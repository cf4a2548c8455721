"""A plan's picture shows every random tensor by its std and kind, before 1/sqrt(fan_in)."""

from __future__ import annotations

import re
import sys

import pytest
import torch
from torch import nn

from initkit import OptionError, Plan, Rule, deferred, plan_init

RULES = {
    "4.weight": "normal(std=0.5)",
    nn.Linear: {"weight": "normal(std=0.02)", "bias": 0},
    nn.Conv2d: {"weight": "normal(std=0.1)", "bias": 0},
}


def plan() -> Plan:
    layers = [nn.Conv2d(3, 8, 3), *(nn.Linear(16, 16) for _ in range(4))]
    return plan_init(nn.Sequential(*layers), RULES)


def test_every_random_tensor_is_a_mark_that_says_how_it_starts() -> None:
    picture = plan().pictures()[0]
    said = re.findall(r"<title>(.*?)</title>", picture.svg)
    assert said[0] == "0.weight: N(0, 0.1), std 0.1" and said[-1] == "4.weight: N(0, 0.5), std 0.5"
    assert len(said) == 5  # constants are not drawn at random
    assert picture.svg.count('<circle class="ink-one"') == 4  # the most common kind goes first
    assert picture.svg.count('<circle class="ink-two"') == 1
    assert [word in picture.svg for word in (">Linear<", ">Conv2d<", ">1/sqrt(fan_in)<")] == [
        True
    ] * 3


def test_the_picture_stands_on_the_page_above_the_table() -> None:
    page = plan().to_html()
    assert page.index("Std against depth") < page.index("<table")


@pytest.mark.parametrize("rules", [{"*": 0}, {"0.weight": "normal", "*": 0}])
def test_of_fewer_than_two_random_tensors_there_is_no_picture(rules: dict[str, object]) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    found = plan_init(model, rules)
    assert found.pictures() == [] and "<svg" not in found.to_html()


def test_more_kinds_than_colours_share_the_last() -> None:
    kinds = [type(f"Kind{i}", (nn.Linear,), {}) for i in range(7)]
    model = nn.Sequential(*(kind(4, 4) for kind in kinds), kinds[0](4, 4))
    svg = plan_init(model, {"*.weight": "normal", "*.bias": 0}).pictures()[0].svg
    assert ">others<" in svg and svg.count('<circle class="ink-dim"') == 2
    assert svg.count('<circle class="ink-one"') == 2


def test_a_plan_that_was_saved_has_its_picture_by_the_last_part_of_names() -> None:
    saved = Plan.from_json(plan().to_json())
    svg = saved.pictures()[0].svg
    assert ">weight<" in svg and svg.count("<circle") == 5


def test_a_picture_of_very_many_tensors_stays_small() -> None:
    with deferred():
        model = nn.ModuleList(nn.Linear(4, 4, bias=False) for _ in range(3_000))
    assert len(plan_init(model, {"*": "normal"}).pictures()[0].svg) < 200_000


def test_a_figure_has_the_same_marks(pyplot: None) -> None:
    figure = plan().plot()
    drawn = {k["label"]: args for name, args, k in figure.axes[0][0].drawn if name == "scatter"}
    assert list(drawn) == ["1/sqrt(fan_in)", "Linear", "Conv2d"]
    assert drawn["Linear"] == ([2, 3, 4, 5], [0.02, 0.02, 0.02, 0.5])
    assert drawn["1/sqrt(fan_in)"][1][1:] == [0.25] * 4


def test_a_figure_has_round_numbers_on_its_logarithms(pyplot: None) -> None:
    axis = plan().plot().axes[0][0]
    ((ticks, labels), _), *_ = [(args, k) for name, args, k in axis.drawn if name == "set_yticks"]
    assert labels == ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]
    assert ticks == pytest.approx(list(map(float, labels)))


def test_a_figure_of_nothing_random_says_so(pyplot: None) -> None:
    axis = plan_init(nn.Linear(4, 4), {"*": 0}).plot().axes[0][0]
    assert [args[2] for name, args, _ in axis.drawn if name == "text"] == [
        "Linear: nothing is drawn at random"
    ]


def test_a_real_matplotlib_draws_it() -> None:
    pytest.importorskip("matplotlib").use("Agg")
    figure = plan().plot()
    figure.canvas.draw()
    (axis,) = figure.axes
    assert axis.get_yscale() == "log" and len(axis.collections) == 3


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(OptionError, match=r"plot\(\) needs matplotlib: pip install"):
        plan().plot()


def test_what_is_tied_is_an_arc_on_the_page_of_a_plan() -> None:
    model = nn.ModuleDict({"embed": nn.Embedding(9, 4), "head": nn.Linear(4, 9, bias=False)})
    model["head"].weight = model["embed"].weight
    plan = plan_init(model, {"*": "normal"})
    (picture,) = plan.pictures()
    assert picture.title == "Ties" and "embed.weight" in picture.svg
    assert picture.svg in plan.to_html()
    assert "Ties" not in {one.title for one in plan_init(nn.Linear(2, 2), {"*": 0}).pictures()}


def test_the_picture_says_of_which_tensors_no_fans_are_known() -> None:
    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.scale = nn.Parameter(torch.zeros(4, 8, 2)), nn.Parameter(torch.zeros(8))

    model = nn.Sequential(nn.Linear(8, 8), Experts())
    svg = plan_init(model, {"*": "normal(std=0.02)"}).pictures()[0].svg
    assert ">1/sqrt(fan_in), unknown for 1 of 4<" in svg  # vectors have none
    assert "1.up: N(0, 0.02), std 0.02; fans unknown, layout= in its rule would tell<" in svg
    rule = Rule("normal(std=0.02)", name="1.up", layout="E in out")
    svg = plan_init(model, [rule, {"*": "normal(std=0.02)"}]).pictures()[0].svg
    assert ">1/sqrt(fan_in)<" in svg and "fans unknown" not in svg
