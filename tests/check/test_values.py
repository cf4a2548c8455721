"""Memory without values is no failure of the values."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from checked import RULES, net
from torch import nn
from torch.nn.utils import parametrizations

from initkit import apply_init, check_init


def test_memory_without_values_is_told() -> None:
    with torch.device("meta"):
        model = net()
    text = "it is on the meta device and holds no values; materialize the model first"
    assert check_init(model, RULES).failures[0].text == text
    lazy = nn.Sequential(nn.LazyLinear(3))
    assert check_init(lazy).failures[0].text.startswith("it is lazy and has no shape yet")


@pytest.mark.parametrize("name", ["uint4", "int4", "float4_e2m1fn_x2"])
def test_values_that_torch_turns_into_no_numbers_are_not_compared(name: str) -> None:
    if (dtype := getattr(torch, name, None)) is None:
        pytest.skip(f"this torch has no {name}")
    model = nn.Linear(3, 3)
    model.packed = nn.Parameter(torch.empty(4, dtype=dtype), requires_grad=False)
    rules = {"packed": "keep", "weight": "normal", "bias": 0}
    apply_init(model, rules, seed=0)
    for report in (check_init(model, rules), check_init(model)):
        assert report.ok
        said = f"not checked: its dtype is torch.{name}, whose numbers torch cannot read"
        assert said in report.text()


@pytest.mark.parametrize("norm", [parametrizations.spectral_norm, nn.utils.spectral_norm])
def test_a_weight_of_which_a_step_makes_nan_is_found(norm: Any) -> None:
    """A spectral norm divides by the largest singular value, and that of zeros is 0."""
    model = norm(nn.Linear(4, 4))
    apply_init(model, {"*": 0}, seed=0)
    for report in (check_init(model, {"*": 0}), check_init(model)):
        assert "16 of 16 elements of the weight that a forward uses are NaN" in report.text()
