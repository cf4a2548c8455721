"""``only`` and ``protect`` take whatever keys take, and modules."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from initkit import plan_init


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)
        self.norm = nn.LayerNorm(2)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.fc = nn.Linear(2, 2)

    def get_classifier(self) -> nn.Module:
        return self.fc


def written(model: nn.Module, only: Any) -> str:
    """Return what is written, without what all names have in common."""
    plan = plan_init(model, {"*": 0}, only=only)
    assert not plan.problems
    return " ".join(step.name.replace("blocks.", "") for step in plan.with_status("write"))


NORMS = "0.norm.weight 0.norm.bias 1.norm.weight 1.norm.bias"
CONVS = "0.conv.weight 0.conv.bias 1.conv.weight 1.conv.bias"
INSIDE = " ".join(f"{i}.{own}.{key}" for i in (0, 1) for own in ("conv", "norm")
                  for key in ("weight", "bias"))  # fmt: skip
HEAD = "fc.weight fc.bias"
ENTRIES: dict[str, tuple[Callable[[Net], Any], str]] = {
    "a glob of modules": (lambda net: "*.norm", NORMS),
    "a glob of modules, as scopes take it": (lambda net: "blocks.?.norm", NORMS),
    "a class": (lambda net: nn.LayerNorm, NORMS),
    "classes": (lambda net: (nn.LayerNorm, nn.Linear), f"{NORMS} {HEAD}"),
    "classes in a list": (lambda net: [nn.LayerNorm, "fc"], f"{NORMS} {HEAD}"),
    "a tuple of classes in a list": (lambda net: [(nn.Conv2d, nn.Linear)], f"{CONVS} {HEAD}"),
    "a class's name": (lambda net: "type:Conv2d", CONVS),
    "all inside a class": (lambda net: ["in:ModuleList"], INSIDE),
    "a role": (lambda net: "role:norm bias", "0.norm.bias 1.norm.bias"),
    "a regex": (lambda net: re.compile(r"fc\..*"), HEAD),
    "a regex as text": (lambda net: r"re:.*norm\.bias", "0.norm.bias 1.norm.bias"),
    "a module": (lambda net: net.fc, HEAD),
    "what timm's models return": (lambda net: net.get_classifier(), HEAD),
    "a module that is a list itself": (lambda net: nn.Sequential(net.fc), HEAD),
    "modules": (lambda net: [net.fc, net.blocks[0].norm], "0.norm.weight 0.norm.bias " + HEAD),
    "modules as they come": (lambda net: (m for m in net.children() if m is net.fc), HEAD),
}  # fmt: skip


@pytest.mark.parametrize("case", ENTRIES)
def test_only_takes_what_keys_take_and_modules(case: str) -> None:
    net = Net()
    entry, names = ENTRIES[case]
    assert written(net, entry(net)) == names


@pytest.mark.parametrize("case", ENTRIES)
def test_protect_keeps_what_only_would_write(case: str) -> None:
    net = Net()
    entry, names = ENTRIES[case]
    kept = plan_init(net, {"*": 0}, protect=entry(net)).with_status("protected")
    assert " ".join(step.name.replace("blocks.", "") for step in kept) == names


def test_a_module_is_found_under_a_wrapper_and_under_both_its_paths() -> None:
    net = Net()
    wrapped = torch.nn.DataParallel(net)
    plan = plan_init(wrapped, {"*": 0}, only=net.fc)
    assert [step.name for step in plan.with_status("write")] == [
        "module.fc.weight",
        "module.fc.bias",
    ]
    net.again = net.fc
    assert [s.names for s in plan_init(net, {"*": 0}, only=net.fc).with_status("write")] == [
        ("fc.weight", "again.weight"),
        ("fc.bias", "again.bias"),
    ]


def test_an_entry_that_is_a_path_to_the_letter_is_no_glob() -> None:
    net = nn.ModuleDict({"a[0]": nn.Linear(1, 1), "a0": nn.Linear(1, 1)})
    assert written(net, "a[0]") == "a[0].weight a[0].bias"
    assert written(net, ["a[0].bias"]) == "a[0].bias"
    assert written(net, "a[01]") == "a0.weight a0.bias"


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("type:conv2d", "; did you mean 'type:Conv2d'?"),
        ("Conv2d", "; 'Conv2d' is a class: write nn.Conv2d or 'type:Conv2d'"),
        ("^fc.*$", "; it looks like a regular expression: write 're:^fc.*$'"),
        (
            re.compile("FC", re.IGNORECASE),
            "; a regular expression must match the whole name, as 're:FC.*' does",
        ),
        (nn.LSTM, "; module types with parameters here are Conv2d, LayerNorm, Linear"),
    ],
)
def test_an_entry_that_takes_nothing_is_answered_as_a_key_is(entry: Any, hint: str) -> None:
    (problem,) = plan_init(Net(), {"*": 0}, only=[entry, "fc"]).problems
    assert problem.sentence.startswith("only has ") and problem.sentence.endswith(
        f"which matches no parameter, buffer or module{hint}"
    )


def test_a_module_of_another_model_and_one_without_parameters_are_problems() -> None:
    plan = plan_init(Net(), {"*": 0}, protect=[nn.Linear(2, 2), nn.Identity()])
    assert [problem.sentence for problem in plan.problems] == [
        "protect has a module, Linear, that holds no parameter of this model",
        "protect has a module, Identity, that holds no parameter of this model",
    ]


def test_a_state_dict_has_no_types_to_choose_by() -> None:
    (problem,) = plan_init(Net().state_dict(), {"*": 0}, only=nn.Linear).problems
    assert problem.sentence.endswith("; a state_dict has no module types")


@pytest.mark.parametrize(
    ("only", "protect", "names"),
    [
        ("0", "0", "0.weight and 1 more"),
        ("0.bias", "*.bias", "0.bias"),
        (["0.weight", "1"], "*", "0.weight and 2 more"),
    ],
)
def test_what_only_lists_and_protect_takes_leaves_nothing(
    only: Any, protect: Any, names: str
) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    (problem,) = plan_init(model, {"*": 0}, only=only, protect=protect).problems
    assert problem.sentence == (
        f"protect takes all that only lists ({names}), which leaves nothing to write; "
        "leave one of the two out"
    )


def test_protect_may_take_a_part_of_what_only_lists() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    plan = plan_init(model, {"*": 0}, only="0", protect="0.bias")
    assert not plan.problems and [s.name for s in plan.with_status("write")] == ["0.weight"]
    assert not plan_init(model, {"*": 0}, only=[], protect="0").problems
