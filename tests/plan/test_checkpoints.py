"""What a checkpoint holds beside what the model takes, and renames that lead from nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import initkit
from initkit import plan_init


@pytest.fixture
def file(tmp_path: Path) -> str:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    path = tmp_path / "a.pt"
    torch.save({f"lm.{name}": p.detach() for name, p in model.named_parameters()}, path)
    return str(path)


def test_what_the_file_holds_and_the_model_has_no_name_for_is_told(file: str) -> None:
    model = nn.Sequential(nn.Linear(3, 3))
    plan = plan_init(model, f"pretrained({file!r}, prefix='lm.')")
    assert not plan.problems
    expected = f"{file} holds 2 tensors that nothing in the model is called after: "
    assert [n for n in plan.notes if n.startswith(file)] == [expected + "lm.1.bias, lm.1.weight"]


def test_what_the_whole_model_has_a_name_for_is_not_told(file: str) -> None:
    """Nor what another rule starts: leaving it out may be what the rule is for."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    rules = [{"0.*": f"pretrained({file!r}, prefix='lm.')"}, {"*": 0}]
    assert not [n for n in plan_init(model, rules).notes if n.startswith(file)]


def test_a_rename_of_what_the_model_does_not_have_is_a_problem_that_names_it(file: str) -> None:
    model = nn.Module()
    model.body = nn.Linear(3, 3)
    rules = f"pretrained({file!r}, rename={{'boddy': 'lm.0', 'body': 'lm.0'}})"
    (problem,) = plan_init(model, rules).problems
    assert problem.sentence.startswith(
        "rename={'boddy': 'lm.0'} leads from nothing: the model has no parameter or module 'boddy'"
    )
    assert "'body'" in problem.sentence
    with pytest.raises(initkit.PlanError, match="leads from nothing"):
        initkit.apply_init(model, rules)
    assert not plan_init(model, rules, idle="ignore").problems


def test_a_rename_of_a_module_is_none_of_nothing(file: str) -> None:
    model = nn.Module()
    model.body = nn.Sequential(nn.Linear(3, 3))
    assert not plan_init(model, f"pretrained({file!r}, rename={{'body': 'lm'}})").problems
