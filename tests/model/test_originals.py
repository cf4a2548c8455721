"""Scripted, traced and exported modules are read as what they were before."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from initkit import apply_init, plan_init
from initkit.model import kind_of, parameter_info, walk

# torch warns of its own forms: of scripts as old, of exports as young.
pytestmark = pytest.mark.filterwarnings("ignore")


class Net(nn.Module):
    """Layers whose classes, groups and padding rows initkit must know."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 8, 3, groups=2)
        self.up = nn.ConvTranspose2d(8, 4, 3, groups=2)
        self.emb = nn.Embedding(5, 3, padding_idx=1)
        self.plain = nn.Embedding(5, 3)
        self.lstm = nn.LSTM(3, 4)
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))

    def forward(self, x: Tensor, i: Tensor) -> Tensor:
        y, _ = self.lstm(self.emb(i) + self.plain(i))
        for layer in self.layers:
            y = layer(y)
        return self.up(self.conv(x)).sum() + y.sum()


RULES: dict[Any, Any] = {
    (nn.Conv2d, nn.ConvTranspose2d): {"weight": "kaiming_normal", "bias": "torch_default"},
    "type:Embedding": "normal",
    "*.bias_ih*": "gates(forget=1)",
    nn.LSTM: {"*": "torch_default"},
    "in:Net": {"layers.*.weight": "orthogonal", "*": 0},
}
INPUTS = (torch.zeros(1, 4, 5, 5), torch.tensor([0, 1, 2]))


def _exported(net: nn.Module) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(net, INPUTS)


def _unflattened(net: nn.Module) -> nn.Module:
    whole = torch.export.unflatten(_exported(net))
    if not any(hasattr(module, "type_name") for module in whole.modules()):
        pytest.skip("unflattened modules of this torch do not tell what classes they were")
    return whole


FORMS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "scripted": torch.jit.script,
    "traced": lambda net: torch.jit.trace(net, INPUTS),
    "exported": lambda net: _exported(net).module(),
    "unflattened": _unflattened,
}


@pytest.mark.parametrize("form", FORMS)
def test_another_form_of_a_model_starts_with_the_same_bits(form: str) -> None:
    plain = Net().eval()
    other = FORMS[form](Net().eval())
    for model in (plain, other):
        apply_init(model, RULES, seed=0)
    wanted = dict(plain.named_parameters())
    found = dict(other.named_parameters())
    assert found.keys() == wanted.keys()
    for name, parameter in wanted.items():
        assert torch.equal(found[name], parameter), name
    assert float(found["emb.weight"][1].abs().sum()) == 0
    assert (
        plan_init(other, RULES)["conv.weight"].fans == plan_init(plain, RULES)["conv.weight"].fans
    )


def test_the_class_of_a_script_is_that_of_its_original() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.Linear(2, 2), nn.PReLU()))
    assert [kind_of(slot.owner) for slot in walk(scripted)] == [nn.Linear, nn.Linear, nn.PReLU]
    assert kind_of(nn.Linear(2, 2)) is nn.Linear


def test_a_script_whose_class_is_not_loaded_goes_by_its_name(tmp_path: Any) -> None:
    class Elsewhere(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gamma = nn.Parameter(torch.ones(3))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.gamma

    torch.jit.save(torch.jit.script(Elsewhere()), tmp_path / "model.pt")
    loaded = torch.jit.load(tmp_path / "model.pt")
    apply_init(loaded, {"type:Elsewhere": {"gamma": 0.5}}, seed=0)
    assert loaded.gamma.tolist() == [0.5] * 3


def test_a_trace_tells_the_groups_and_the_padding_rows() -> None:
    slots = {slot.name: slot for slot in walk(torch.jit.trace(Net().eval(), INPUTS))}
    conv, emb, plain = (slots[f"{name}.weight"] for name in ("conv", "emb", "plain"))
    assert parameter_info(conv.owner, "weight", conv.shape).layout.groups == 2
    assert parameter_info(emb.owner, "weight", emb.shape).padding == 1
    assert parameter_info(plain.owner, "weight", plain.shape).padding is None
