"""SIREN: which layer is the first, and whose omega counts, whatever the model calls its parts."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from initkit import plan_init

HIDDEN = math.sqrt(6 / 8)


class Sine(nn.Module):
    """A sine that bears its factor."""

    def __init__(self, w0: float) -> None:
        super().__init__()
        self.w0 = w0

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.w0 * x)


class Field(nn.Module):
    """A net whose list of layers holds neither the first nor the last."""

    def __init__(self, **attributes: float) -> None:
        super().__init__()
        self.first = nn.Linear(2, 8)
        self.layers = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])
        self.last = nn.Linear(8, 1)
        for name, value in attributes.items():
            setattr(self, name, value)


def bounds(model: nn.Module, rules: object = "siren", under: str = "") -> list[float]:
    plan = plan_init(model, rules)
    assert not plan.problems
    names = [s.name for s in plan if s.name.startswith(under) and s.name.endswith("weight")]
    return [plan[name].distribution.high for name in names]


@pytest.mark.parametrize(
    ("attributes", "omega"), [({}, 30), ({"w0": 1}, 1), ({"omega": 5.0}, 5), ({"omega_0": 2}, 2)]
)
def test_the_first_layer_is_the_models_and_omega_is_its_own(
    attributes: dict[str, float], omega: float
) -> None:
    wanted = [0.5, *[HIDDEN / omega] * 3]
    assert bounds(Field(**attributes)) == pytest.approx(wanted)


def test_a_sine_beside_the_layer_tells_omega() -> None:
    net = nn.Sequential(nn.Linear(2, 8), Sine(30), nn.Linear(8, 8), Sine(1), nn.Linear(8, 1))
    # Behind the last layer there is no sine, so that the one before it counts.
    assert bounds(net) == pytest.approx([0.5, HIDDEN, HIDDEN])


def test_under_a_path_the_first_layer_is_the_first_there() -> None:
    model = nn.ModuleDict({"encoder": nn.Linear(3, 2), "net": Field()})
    found = bounds(model, [{"net": "siren"}, {"*": "keep"}], "net.")
    assert found == pytest.approx([0.5, *[HIDDEN / 30] * 3])


def test_a_layer_that_says_whether_it_is_the_first_is_believed() -> None:
    model = Field(is_first=False)
    model.layers[1].is_first = True
    model.first.is_first = False
    assert bounds(model) == pytest.approx([HIDDEN * 2 / 30, HIDDEN / 30, 1 / 8, HIDDEN / 30])


def test_a_layer_that_says_it_is_the_first_is_so_wherever_it_stands() -> None:
    model = nn.Sequential(nn.Linear(8, 1), nn.Linear(2, 8))
    model[1].is_first = True
    assert bounds(model) == pytest.approx([HIDDEN / 30, 0.5])


def test_omega_may_be_said() -> None:
    assert bounds(Field(w0=7), "siren(omega_0=10)") == pytest.approx([0.5, *[HIDDEN / 10] * 3])
