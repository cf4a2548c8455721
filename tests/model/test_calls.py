"""The calls of modules are followed in order, by canonical names, and no hook stays behind."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.modules import module as hooks

from initkit.model import FunctionMode, ModuleCalls, module_names, operation_name, untraced


def followed(model: nn.Module, x: torch.Tensor) -> list[tuple[str, int]]:
    calls, found = ModuleCalls(module_names(model)), []
    with calls.following(leave=lambda call, _: found.append((call.name, call.number))):
        model(x)
    assert calls.stack == []
    return found


def test_calls_are_counted_and_end_from_the_inside() -> None:
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, nn.Sequential(layer))
    assert followed(model, torch.ones(1, 2)) == [("0", 1), ("0", 2), ("1", 1), ("", 1)]


def test_wrappers_have_no_name() -> None:
    inner = nn.Sequential(nn.ReLU())
    model = nn.DataParallel(nn.Sequential(inner, inner))
    assert list(module_names(model).values()) == ["", "0", "0.0"]


def test_a_cycle_of_modules_ends() -> None:
    model = nn.Sequential(nn.ReLU())
    model[0].parent = model
    assert list(module_names(model).values()) == ["", "0"]


def test_arguments_and_outputs_may_be_replaced() -> None:
    model = nn.Sequential(nn.Identity())
    calls = ModuleCalls(module_names(model))
    with calls.following(
        enter=lambda call, args: (args[0] + 1,) if call.name == "0" else None,
        leave=lambda call, output: output * 2 if call.name == "0" else None,
    ):
        assert model(torch.ones(1)).item() == 4.0


def test_no_hook_stays_behind_where_a_call_raises() -> None:
    class Bad(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("bad")

    model = nn.Sequential(nn.ReLU(), Bad())
    calls = ModuleCalls(module_names(model))
    with pytest.raises(RuntimeError, match="bad"), calls.following():
        model(torch.ones(1))
    assert calls.stack == []
    assert not hooks._global_forward_hooks and not hooks._global_forward_pre_hooks


def test_a_handler_sees_what_is_called_but_for_what_only_measures() -> None:
    seen = []

    def handle(func, args, kwargs):
        seen.append(operation_name(func))
        return func(*args, **kwargs)

    with FunctionMode(handle):
        x = torch.ones(2) @ torch.ones(2)
        untraced(torch.exp)(x)
    assert "matmul" in seen and "exp" not in seen
