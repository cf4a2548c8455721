"""Models without rules: what is wrong by itself, and what may be meant."""

from __future__ import annotations

import math

import pytest
import torch
from checked import net, only_failure
from torch import nn

from initkit import check_init


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, "1 of 4,800 elements are NaN"),
        (-math.inf, "1 of 4,800 elements are infinite"),
        (1e37, "values reach 1e+37; memory that was never written holds such"),
    ],
)
def test_garbage_is_found_without_rules(value: float, text: str) -> None:
    model = net()
    with torch.no_grad():
        model[0].weight[2, 3] = value
    report = check_init(model)
    assert [failure.text for failure in report.failures] == [text]
    assert report.verdict == "1 of 4 parameters are wrong by themselves"


def test_denormals_and_zero_matrices_are_found_without_rules() -> None:
    model = net()
    with torch.no_grad():
        model[0].weight.view(torch.int32).random_(1, 1000)
        model[1].weight.zero_()
    texts = [failure.text for failure in check_init(model).failures]
    assert texts[0].startswith("100 % of the elements are below 1e-30 without being 0; ")
    assert texts[0].endswith("this memory was probably never written")
    assert texts[1:] == ["all 4,800 elements are 0"]


def test_a_sound_model_without_rules_shows_names_shapes_and_moments() -> None:
    report = check_init(nn.Sequential(nn.Linear(60, 80), nn.BatchNorm1d(80), nn.PReLU()))
    assert report.ok
    assert report.verdict == "nothing is wrong by itself: 5 parameters, 5,041 elements"
    assert report.rows[0][:2] == ("0.weight", "80x60")
    assert report.rows[0][3].startswith("mean ")
    assert report.rows[2][3] == "all 1"


def test_a_nan_in_a_buffer_is_found_and_a_mask_of_infinities_is_not() -> None:
    model = nn.BatchNorm1d(3)
    model.register_buffer("mask", torch.full((3, 3), -math.inf))
    assert check_init(model).ok
    model.running_var[1] = math.nan
    assert check_init(model).failures[0].name == "running_var"


def test_a_nan_in_a_buffer_is_found_beside_planned_parameters() -> None:
    model = nn.BatchNorm1d(3)
    model.running_mean[0] = math.nan
    assert only_failure(model, {"weight": 1, "bias": 0}).name == "running_mean"


def test_a_std_that_makes_activations_explode_is_remarked() -> None:
    torch.manual_seed(0)
    model = nn.Linear(400, 400)
    nn.init.normal_(model.weight)
    assert check_init(model).rows[0][-1].startswith("large: its std is 20")


class Hiding(nn.Module):
    """A model with a layer in a list, and a constant beside its buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(64, 64)
        self.layers = [nn.Linear(64, 64)]
        self.constant = torch.zeros(3)


@pytest.mark.parametrize("rules", [None, "torch_default"])
def test_a_layer_that_is_not_registered_fails_with_or_without_a_plan(rules: str | None) -> None:
    report = check_init(Hiding(), rules)
    (failure,) = report.failures
    assert (failure.name, failure.kind) == ("layers[0]", "unregistered")
    assert str(failure).startswith(
        "layers[0] is a Linear in a list of Hiding, not registered, with"
    )
    assert not report.ok and "FAILS: unregistered" in report.text()
