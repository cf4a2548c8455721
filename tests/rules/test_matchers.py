"""Rules under "in:ClassName" speak of names relative to modules of that class."""

from __future__ import annotations

import pytest
from torch import nn

from initkit import plan_init


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.bn = nn.BatchNorm2d(3)


def starts(model: nn.Module, rules: object) -> dict[str, str]:
    return {step.name: step.start for step in plan_init(model, rules)}


def test_names_are_relative_to_the_module_of_that_class() -> None:
    model = nn.Sequential(Block(), nn.BatchNorm2d(3))
    rules = [{"in:Block": {"bn.weight": 0, "type:Conv2d": {"weight": 2}}}, "torch_default"]
    found = starts(model, rules)
    assert found["0.bn.weight"] == "constant 0" and found["0.conv.weight"] == "constant 2"
    assert found["1.weight"] == "constant 1"


def test_a_scheme_under_it_takes_every_parameter_inside() -> None:
    found = starts(nn.Sequential(Block(), nn.Linear(2, 2)), {"in:Block": 3, "*": 1})
    assert {found[name] for name in ("0.conv.weight", "0.conv.bias", "0.bn.bias")} == {"constant 3"}
    assert found["1.weight"] == "constant 1"


def test_wrapper_segments_inside_do_not_count() -> None:
    block = Block()
    block.bn = nn.DataParallel(block.bn)
    assert starts(block, {"in:Block": {"bn.weight": 5}, "*": 1})["bn.module.weight"] == "constant 5"


def test_a_class_that_does_not_occur_is_told() -> None:
    (problem,) = plan_init(Block(), {"in:Blok": {"bn.weight": 0}}).problems
    assert "'in Blok: bn.weight' matches no parameter" in str(problem)


def test_a_state_dict_has_no_classes() -> None:
    (problem, *_) = plan_init(Block().state_dict(), {"in:Block": {"bn.weight": 0}}).problems
    assert "matches module types, and a state_dict has none" in str(problem)


def test_a_class_must_be_named() -> None:
    with pytest.raises(Exception, match="names no module class"):
        plan_init(Block(), {"in:": 0})
