"""Names that a plan and a model don't share, and memory that they share otherwise."""

from __future__ import annotations

from checked import net, started
from torch import nn

from initkit import check_init, plan_init


def test_a_broken_tie_and_a_new_one_are_found_against_a_plan() -> None:
    one = nn.Linear(4, 4)
    tied = nn.Sequential(one, one)
    plan = plan_init(tied, {"*.weight": 1, "*.bias": 0})
    apart = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    started(apart, {"*.weight": 1, "*.bias": 0})
    texts = {f.name: f.text for f in check_init(apart, plan).failures}
    assert texts["0.weight"] == "it should share memory with 1.weight and does not (not tied)"
    plan = plan_init(apart, {"*": 1})
    texts = {f.name: f.text for f in check_init(started(tied, {"*": 1}), plan).failures}
    assert texts["1.weight"] == "it shares memory with 0.weight, and the plan has them apart"


def test_missing_new_and_reshaped_parameters_are_found_against_a_plan() -> None:
    plan = plan_init(net(3, 4, 5), {"*": 0})
    other = nn.Sequential(nn.Linear(3, 4), nn.Identity(), nn.Linear(4, 5))
    started(other, {"*": 0})
    kinds = {f.name: f.kind for f in check_init(other, plan).failures}
    assert kinds == {
        "1.weight": "missing", "1.bias": "missing", "2.weight": "unplanned", "2.bias": "unplanned",
    }  # fmt: skip
    kinds = {f.name: f.text for f in check_init(started(net(3, 4, 6), {"*": 0}), plan).failures}
    assert kinds["1.weight"] == "its shape is [6, 4] where [5, 4] was planned"
