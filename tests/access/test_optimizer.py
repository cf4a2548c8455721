"""Ten mistakes between a model and its optimizers are found, and sound pairs pass."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW

from initkit import TargetError, summary
from initkit.access import optimizer_problems


def net() -> nn.Sequential:
    """Return two layers."""
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3))


def left_out() -> tuple[nn.Module, Any]:
    model = net()
    return model, SGD(model[0].parameters(), lr=0.1)


def biases_forgotten() -> tuple[nn.Module, Any]:
    model = net()
    return model, SGD([p for n, p in model.named_parameters() if "weight" in n], lr=0.1)


def added_later() -> tuple[nn.Module, Any]:
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    model.append(nn.Linear(3, 1))
    return model, optimizer


def rebuilt() -> tuple[nn.Module, Any]:
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    model[1] = nn.Linear(2, 3)
    return model, optimizer


def moved_by_assignment() -> tuple[nn.Module, Any]:
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    model[0].weight = nn.Parameter(model[0].weight.double())
    return model, optimizer


def untied() -> tuple[nn.Module, Any]:
    model = nn.Sequential(nn.Embedding(3, 2), nn.Linear(2, 3, bias=False))
    model[1].weight = model[0].weight
    optimizer = SGD(model.parameters(), lr=0.1)
    model[1].weight = nn.Parameter(model[1].weight.detach().clone())
    return model, optimizer


def another_model() -> tuple[nn.Module, Any]:
    return net(), SGD(net().parameters(), lr=0.1)


def hidden() -> tuple[nn.Module, Any]:
    model = net()
    model.extra = [nn.Linear(2, 2)]  # type: ignore[assignment]
    own = [*model.parameters(), *model.extra[0].parameters()]  # type: ignore[index]
    return model, SGD(own, lr=0.1)


def two_optimizers() -> tuple[nn.Module, Any]:
    model = net()
    return model, [SGD(model.parameters(), lr=0.1), SGD(model[0].parameters(), lr=0.1)]


def frozen_and_decayed() -> tuple[nn.Module, Any]:
    model = net()
    model[0].weight.requires_grad_(False)
    return model, AdamW(model.parameters(), weight_decay=0.1)


def tied_and_stepped_twice() -> tuple[nn.Module, Any]:
    model = net()
    model[1].bias = nn.Parameter(torch.zeros(2))
    model[1].bias.data = model[0].bias.data
    groups = [{"params": model[0].parameters()}, {"params": model[1].parameters()}]
    return model, SGD(groups, lr=0.1)


WAY_OUT = "add it to a group, or freeze it with requires_grad_(False)"
REBUILT = "the model was rebuilt, tied, untied or moved by assignment since; make the optimizer"
FOREIGN = "of group 0 of the optimizer is no parameter of the model"
TWICE = "is one memory that the optimizer steps 2 times, in"
NOW = "has this shape now, and is not stepped"
MISTAKES: dict[str, tuple[Callable[[], tuple[nn.Module, Any]], tuple[str, ...]]] = {
    "left out": (
        left_out,
        (f"1.weight is in no group of the optimizer, which won't train it; {WAY_OUT}", "1.bias is"),
    ),
    "biases forgotten": (biases_forgotten, ("0.bias is in no group", "1.bias is in no group")),
    "added later": (added_later, ("2.weight is in no group", "2.bias is in no group")),
    "rebuilt": (
        rebuilt,
        (
            "1.weight is in no group",
            f"parameter 2 [3, 2] {FOREIGN} (1.weight {NOW}): {REBUILT}",
        ),
    ),
    "moved": (moved_by_assignment, ("parameter 0 [2, 2] of group 0 of the optimizer is no", "0.w")),
    "untied": (untied, ("1.weight is in no group",)),
    "another model": (another_model, ("0.weight is in no group", "parameter 3 [3] of group 0")),
    "hidden": (
        hidden,
        (f"parameter 4 [2, 2] {FOREIGN}: it is extra[0].weight, which is not registered",),
    ),
    "two optimizers": (
        two_optimizers,
        (f"0.weight {TWICE} group 0 and group 0 of optimizer 1",),
    ),
    "frozen": (
        frozen_and_decayed,
        ("0.weight is frozen, and group 0 decays it by 0.1 as soon as it has a gradient; give",),
    ),
    "tied": (
        tied_and_stepped_twice,
        (f"0.bias = 1.bias, tied by alias, {TWICE} group 0 and group 1; list it once",),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(name: str) -> None:
    make, texts = MISTAKES[name]
    found = optimizer_problems(*make())
    for text in texts:
        assert any(problem.startswith(text) for problem in found), found


@pytest.mark.parametrize("name", MISTAKES)
def test_a_summary_tells_it_first(name: str) -> None:
    model, optimizer = MISTAKES[name][0]()
    found = summary(model, optimizer=optimizer)
    problems = optimizer_problems(model, optimizer)
    assert not found.ok and found.problems[-len(problems) :] == problems
    assert f"  ! {problems[0]}" in found.text()


def sound_tied() -> tuple[nn.Module, Any]:
    model = nn.Sequential(nn.Embedding(3, 2), nn.Linear(2, 3, bias=False))
    model[1].weight = model[0].weight
    return model, AdamW(model.parameters())


def sound_frozen() -> tuple[nn.Module, Any]:
    model = net()
    model[0].requires_grad_(False)
    return model, AdamW([p for p in model.parameters() if p.requires_grad], weight_decay=0.1)


def sound_pair() -> tuple[nn.Module, Any]:
    model = net()
    return model, [SGD(layer.parameters(), lr=0.1) for layer in model]


def sound_moved() -> tuple[nn.Module, Any]:
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    return model.double(), optimizer


@pytest.mark.parametrize("make", [sound_tied, sound_frozen, sound_pair, sound_moved])
def test_a_sound_pair_passes(make: Callable[[], tuple[nn.Module, Any]]) -> None:
    assert optimizer_problems(*make()) == []


def test_names_that_the_optimizer_knows_are_used() -> None:
    model = net()
    optimizer = SGD(list(model.named_parameters()), lr=0.1)
    model[1] = nn.Linear(2, 3)
    assert any(
        text.startswith("1.bias [3] of group 0 of the optimizer is no parameter of the model (1.b")
        for text in optimizer_problems(model, optimizer)
    )


def test_many_that_are_left_out_are_told_in_few_lines() -> None:
    model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(9)])
    found = optimizer_problems(model, SGD([nn.Parameter(torch.ones(1))], lr=0.1))
    assert [text.partition(" ")[0] for text in found[:2]] == ["{0..8}.weight", "{0..8}.bias"]


def test_what_is_no_optimizer_is_refused() -> None:
    with pytest.raises(TargetError, match=r"^an optimizer has param_groups; this is a Linear$"):
        optimizer_problems(net(), nn.Linear(2, 2))  # type: ignore[arg-type]


def test_many_that_only_the_optimizer_knows_are_told_in_one_line() -> None:
    model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(9)])
    optimizer = SGD(model.parameters(), lr=0.1)
    model.load_state_dict(copy.deepcopy(model.state_dict()), assign=True)
    found = [text for text in optimizer_problems(model, optimizer) if REBUILT in text]
    assert [text.partition(":")[0] for text in found] == [
        "parameter {0..17} of group 0 of the optimizer"
    ]


def test_a_buffer_that_is_stepped_is_named() -> None:
    model = net()
    model.register_buffer("scale", torch.ones(3, requires_grad=True))
    optimizer = SGD([*model.parameters(), model.get_buffer("scale")], lr=0.1)
    assert optimizer_problems(model, optimizer) == [
        f"parameter 4 [3] {FOREIGN}: it is the buffer scale"
    ]


def test_a_lazy_model_and_another_optimizer_are_compared() -> None:
    optimizer = SGD([nn.Parameter(torch.ones(2))], lr=0.1)
    assert any(REBUILT in text for text in optimizer_problems(nn.LazyLinear(3), optimizer))
