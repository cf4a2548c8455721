"""What releases of torch tell in different words is read as one thing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initkit.torch_compat import module_path


@pytest.mark.parametrize(
    ("told", "path"),
    [
        ("", ""),
        ("0", "0"),
        ("blocks.0.attn", "blocks.0.attn"),
        ("L['self']", ""),
        ("L['self'].blocks[0].attn", "blocks.0.attn"),
        ("getattr(L['fn'], '2').heads['a-b']", "2.heads.a-b"),
        ("getattr(getattr(L['fn'], '1'), '0')", "1.0"),
        # A name may hold what looks like source code.
        ("heads.a[0]", "heads.a[0]"),
        ("heads.L['x']", "heads.L['x']"),
        ("heads.f(x)", "heads.f(x)"),
    ],
)
def test_the_path_of_a_module_is_read_off_a_path_or_an_expression(told: str, path: str) -> None:
    assert module_path(told) == path


class Parts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({"a-b": nn.Linear(2, 2)})
        self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(2, 2), nn.PReLU())])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks[0](self.heads["a-b"](x))


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_every_export_tells_the_modules_that_its_parameters_come_from(strict: bool) -> None:
    program = torch.export.export(Parts(), (torch.zeros(1, 2),), strict=strict)
    parameters = dict(program.module().named_parameters())
    told = {
        module_path(path)
        for node in program.module().graph.nodes
        for path, _ in (node.meta.get("nn_module_stack") or {}).values()
    }
    assert {name.rpartition(".")[0] for name in parameters} <= told
