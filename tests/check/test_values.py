"""Memory without values is no failure of the values."""

from __future__ import annotations

import torch
from checked import RULES, net
from torch import nn

from initkit import check_init


def test_memory_without_values_is_told() -> None:
    with torch.device("meta"):
        model = net()
    text = "it is on the meta device and holds no values; materialize the model first"
    assert check_init(model, RULES).failures[0].text == text
    lazy = nn.Sequential(nn.LazyLinear(3))
    assert check_init(lazy).failures[0].text.startswith("it is lazy and has no shape yet")
