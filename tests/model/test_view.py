"""A module and a state_dict look alike, are walked once, and whatever is neither is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from initkit.errors import TargetError
from initkit.model import ModelView, slots


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def test_a_module_and_its_state_dict_show_the_same_names() -> None:
    model = net()
    in_module = {slot.name for slot in ModelView(model).slots}
    assert in_module == {slot.name for slot in ModelView(model.state_dict()).slots}


def test_a_view_walks_its_model_once(monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[nn.Module] = []
    tree = slots._tree
    monkeypatch.setattr(slots, "_tree", lambda model: walks.append(model) or tree(model))
    view = ModelView(net())
    assert view.slots is view.slots
    assert (len(view.modules), view.on_meta, view.title) == (3, False, "Sequential")
    assert len(walks) == 1


@pytest.mark.parametrize("where", ["parameter", "buffer"])
def test_anything_on_meta_is_seen(where: str) -> None:
    model = net()
    if where == "parameter":
        model[0].weight = nn.Parameter(torch.empty(3, 2, device="meta"))  # type: ignore[index, union-attr]
    else:
        model[1].running_mean = torch.empty(3, device="meta")  # type: ignore[index, union-attr]
    assert ModelView(model).on_meta


def test_a_state_dict_has_no_modules() -> None:
    view = ModelView(net().state_dict())
    assert (view.root, view.modules, view.title) == (None, [], "state_dict")


REFUSED: dict[str, tuple[Any, str]] = {
    "a class": (nn.Linear, "give the instance, not the class"),
    "a tensor": (torch.zeros(2), r"put it into a dict with its name: \{'weight': tensor\}"),
    "a list": ([torch.zeros(2)], r"a list; give the model, or dict\(model.named_parameters\(\)\)"),
    "a number": (3, "a model is a module or a state_dict, not 3"),
    "a checkpoint": (
        {"epoch": 1, "model": {"w": torch.zeros(2)}},
        r"contains a state_dict under 'model'; give that one: checkpoint\['model'\]",
    ),
    "a mapping without tensors": (
        {"lr": 0.1},
        r"holds no tensors; give a module or its state_dict\(\), and rules after it",
    ),
    "numbers as keys": ({0: torch.zeros(2)}, "a state_dict has names as keys, not 0"),
    "an unfinished module": (nn.Linear.__new__(nn.Linear), "has not called super"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_model_is_refused_in_its_own_words(what: str) -> None:
    thing, text = REFUSED[what]
    with pytest.raises(TargetError, match=text):
        ModelView(thing).slots  # noqa: B018
