"""Rules read off plans for what starts by a rule of its own: copies, rows, groups, files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from initkit import Plan, Rule, load_recipe, plan_init, save_recipe


class Attention(nn.Module):
    """Four square projections."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))


def layers() -> nn.Module:
    blocks = nn.ModuleList(nn.ModuleDict({"attn": Attention()}) for _ in range(2))
    return nn.ModuleDict({"blocks": blocks, "head": nn.Linear(8, 3)})


def adapters() -> nn.Module:
    parts = {"base": nn.Linear(6, 8), "a": nn.Linear(6, 2), "b": nn.Linear(2, 8)}
    return nn.ModuleDict({"fc": nn.ModuleDict(parts)})


class Flow(nn.Module):
    """The factors of an invertible convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.p, self.l, self.u = (nn.Parameter(torch.zeros(4, 4)) for _ in range(3))


def twice(q: Tensor, k: Tensor, scale: float = 2.0) -> None:
    q.fill_(1.0)
    k.fill_(scale)


class Case(NamedTuple):
    """A model, and rules of which some take several names or some rows."""

    model: Callable[[], nn.Module]
    rules: Any
    saves: bool = True


CASES = {
    "mimetic": Case(layers, {"*.attn.{q,k,v,o}.weight": "mimetic(heads=2)", "*": "torch_default"}),
    "pissa": Case(adapters, {"fc.{base,a,b}.weight": "pissa(scaling=2)", "*": 0}),
    "olora": Case(adapters, {"fc.{base,a,b}.weight": "olora(weight='orthogonal')", "*": 0}),
    "glow_lu": Case(Flow, {"{p,l,u}": "glow_lu"}),
    "function": Case(layers, {"*.{q,k}.weight": twice, "*": "torch_default"}, saves=False),
    "rows": Case(lambda: nn.Embedding(9, 4), [Rule("orthogonal", name="weight", rows="5:")]),
    "some rows": Case(lambda: nn.Embedding(9, 4), [Rule("normal", name="*", rows="2:4")]),
    "mean_resizing": Case(
        lambda: nn.Embedding(9, 4), [Rule("mean_resizing(scale=0.5)", name="weight", rows="7:")]
    ),
    "copied_rows": Case(
        lambda: nn.Embedding(9, 4), [Rule("copied_rows([1, 2], average=True)", name="*", rows=8)]
    ),
    "copies": Case(
        layers, {"blocks.1.*": "copy_of('blocks.0.*')", "*weight": "orthogonal", "*": 0}
    ),
}


def nameless(plan: Plan) -> Plan:
    """Return a plan as one that was recorded: nothing says which rules made it."""
    return plan.replaced(steps=[replace(step, scheme="", rule="") for step in plan])


@pytest.mark.parametrize("case", CASES)
def test_rules_plan_the_same_again(case: str, tmp_path: Path) -> None:
    make, rules, saves = CASES[case]
    plan = plan_init(make(), rules)
    assert not plan.problems
    for one in (plan, nameless(plan)):
        recipe = one.to_recipe("my/net")
        assert not plan_init(make(), recipe).diff(plan)
        if saves:
            again = load_recipe(save_recipe(recipe, tmp_path / f"{one is plan}.toml"))
            assert not plan_init(make(), again).diff(plan)


def test_the_groups_of_all_layers_come_under_keys_with_braces() -> None:
    model, rules, _ = CASES["mimetic"]
    rows = dict(plan_init(model(), rules).to_recipe("my/net").rows)
    assert rows["blocks.0.attn.{q,k,v,o}.weight"] == "mimetic(heads=2)"


@pytest.mark.parametrize("rule", [
    "pretrained({file!r})",
    "pretrained({file!r}, rename={{'weight': 'emb'}}, rows='overlap', rest='normal(std=0.02)')",
    "pretrained({file!r}, rename={{'weight': 'emb'}}, rows='overlap', rest='mean_resizing')",
    "from_tensor({file!r}, key='emb')",
])  # fmt: skip
@pytest.mark.parametrize("rows", [3, 6, 9])
def test_values_of_a_file_are_named_by_the_file(rule: str, rows: int, tmp_path: Path) -> None:
    file = str(tmp_path / "held.pt")
    torch.save({"weight": torch.randn(6, 4), "emb": torch.randn(6, 4)}, file)
    model = nn.Embedding(rows, 4)
    plan = plan_init(model, {"weight": rule.format(file=file)})
    if rows != 6 and "overlap" not in rule:
        assert plan.problems
        return
    assert not plan.problems
    for one in (plan, nameless(plan)):
        assert not plan_init(model, one.to_recipe("my/net")).diff(plan)
