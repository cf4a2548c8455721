"""A plan prints itself, tells what differs, and finds a step by any of its names."""

from __future__ import annotations

import re

import pytest
from torch import nn

from initkit import apply_init, plan_init
from initkit.errors import (
    TargetError,
)


class Net(nn.Module):
    """A convolution, a norm and a head, under plain names."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3)
        self.bn1 = nn.BatchNorm2d(8)
        self.body = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8, bias=False))
        self.head = nn.Linear(8, 4)


def pair() -> nn.Module:
    model = nn.Module()
    model.embed, model.head = nn.Embedding(6, 4, padding_idx=2), nn.Linear(4, 6, bias=False)
    model.head.weight = model.embed.weight
    return model


def test_a_plan_prints_one_line_per_parameter_with_its_full_name() -> None:
    text = plan_init(Net(), "resnext").text(fold=False)
    for name, _ in Net().named_parameters():
        assert len(re.findall(rf"^{re.escape(name)}\s", text, re.MULTILINE)) == 1
    assert "27/72" in text
    assert "N(0, 0.1667)" in text
    assert "resnext/torch7: Conv1d|Conv2d|Conv3d.weight" in text
    assert "to write: 9 tensors" in text
    assert "written: 9 tensors" in str(apply_init(Net(), "resnext", seed=0))


def test_a_printed_plan_fits_80_columns_and_says_how_each_starts_first() -> None:
    text = str(plan_init(Net(), "resnext"))
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[1].split()[:3] == ["name", "starts", "as"]


def test_problems_stand_first_in_the_printed_plan() -> None:
    lines = str(plan_init(Net(), {"typo": 0})).splitlines()
    assert lines[0] == "1 problem(s); applying this plan will raise:"
    assert "'typo'" in lines[1]


def test_a_plan_on_a_narrow_page_says_the_same() -> None:
    plan = plan_init(Net(), {"nothing": 1, "head.*": "normal(std=0.02/sqrt(4))", "*.bias": 0})
    narrow = plan.text(50)
    assert max(map(len, narrow.splitlines())) <= 50 < max(map(len, plan.text().splitlines()))
    # Names break behind their dots, and remarks stand below the table.
    wide = plan.text().replace("remarks", "note")
    letters = re.sub(r"\[1\]|[-\s]", "", narrow)
    assert set(letters) == set(re.sub(r"[-\s]", "", wide))
    for step in plan:
        assert step.start.split()[0] in narrow


def test_a_diff_says_what_changes() -> None:
    a = plan_init(Net(), {"*.weight": "normal(std=0.02)", "*": 0})
    b = plan_init(Net(), {"head.weight": 0, "*.weight": "normal(std=0.02)", "*": 0})
    assert str(a.diff(b)) == "~ head.weight  N(0, 0.02) -> constant 0"
    assert not a.diff(a)
    c = plan_init(nn.ModuleDict({"head": nn.Linear(8, 5)}), {"*": 0})
    assert "- {conv,bn}1.weight  x2  N(0, 0.02)" in str(a.diff(c))
    assert "~ head.bias  shape [4] -> [5]" in str(a.diff(c))


def test_the_plan_of_a_name_is_found_by_any_of_its_names() -> None:
    plan = plan_init(pair(), {"*": 0})
    assert plan["head.weight"] is plan["embed.weight"]
    with pytest.raises(TargetError, match=r"no parameter 'haed.weight'(.|\n)*'head.weight'"):
        plan["haed.weight"]


def test_a_step_is_found_by_its_place_in_plan_and_report() -> None:
    model = Net()
    for steps in (plan_init(model, {"*": 0}), apply_init(model, {"*": 0}, seed=0)):
        assert (steps[0].name, steps[-1].name) == ("conv1.weight", "head.bias")
        assert steps["head.bias"] is steps[-1] and len(list(steps)) == len(steps) == 9
        with pytest.raises(TargetError, match="the plan has 9 steps, and none at place 9"):
            steps[9]
        with pytest.raises(TargetError, match=r"no parameter 'haed.bias'(.|\n)*'head.bias'"):
            steps["haed.bias"]
