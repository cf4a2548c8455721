"""How rules are compared with what published code writes: a case each, and what holds for all.

The loops of a case are ours, after the papers and repositories that it names.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from initkit import Plan, apply_init, check_init, load_recipe, plan_init, save_recipe


class Published(NamedTuple):
    """A model, what published code writes into it, the same as rules, and what has no chance.

    Of ``exact`` a part of a name is enough.
    """

    model: Callable[[], nn.Module]
    start: Callable[[Any], None]
    rules: dict[str, Any]
    exact: tuple[str, ...] = ()
    buffers: bool = False

    def started(self, seed: int) -> nn.Module:
        """Return a model as published code starts it."""
        torch.manual_seed(seed)
        model = self.model()
        with torch.no_grad():
            self.start(model)
        return model

    def holds_for_theirs(self) -> None:
        """Fail where the rules do not expect what published code writes."""
        for seed in range(2):
            report = check_init(self.started(seed), self.rules, buffers=self.buffers)
            assert report.ok, report

    def writes_the_same(self) -> None:
        """Fail unless what has no chance is as theirs, and as widely spread what has."""
        ours, theirs = self.model(), tensors(self.started(0))
        apply_init(ours, self.rules, seed=0, buffers=self.buffers)
        assert check_init(ours, self.rules, buffers=self.buffers).ok
        for name, tensor in tensors(ours).items():
            if any(part in name for part in self.exact):
                assert torch.allclose(tensor, theirs[name], rtol=1e-5, atol=1e-6), name
            elif tensor.numel() > 500:
                spread = float(tensor.detach().std())
                assert spread == pytest.approx(float(theirs[name].detach().std()), rel=0.25), name

    def tells_what_is_off(self) -> None:
        """Fail unless a check finds the largest tensor three tenths of a deviation off.

        Whole numbers are a whole step off.
        """
        model = self.started(0)
        with torch.no_grad():
            largest = max(tensors(model).values(), key=torch.Tensor.numel)
            drawn = largest.is_floating_point() or largest.is_complex()
            largest.add_(0.3 * float(largest.std().real) if drawn else 1)
        assert not check_init(model, self.rules, buffers=self.buffers).ok

    def goes_through_files(self, folder: Path) -> None:
        """Fail unless rules and plan are the same when files have carried them."""
        plan = plan_init(self.model(), self.rules, buffers=self.buffers)
        for ending in ("toml", "json"):
            loaded = load_recipe(save_recipe(self.rules, folder / f"rules.{ending}"))
            again = plan_init(self.model(), loaded, buffers=self.buffers)
            assert again.digest() == plan.digest()
        assert Plan.from_json(plan.to_json()).digest() == plan.digest()
        again = plan_init(self.model(), plan.to_recipe("my/net"), buffers=self.buffers)
        assert not again.diff(plan)


class Bag(nn.Module):
    """A module with bare parameters of these shapes."""

    def __init__(self, **shapes: tuple[int, ...]) -> None:
        super().__init__()
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))


def named(**modules: nn.Module) -> nn.ModuleDict:
    """Return modules by name."""
    return nn.ModuleDict(modules)


def several(count: int, make: Callable[[], nn.Module]) -> nn.ModuleList:
    """Return as many modules, each made by itself."""
    return nn.ModuleList(make() for _ in range(count))


def tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers by name."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
