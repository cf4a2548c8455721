"""A value is shown as the Python that its author wrote, as far as anybody can tell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from initkit.python_text import Code, python_text


class Style(Enum):
    SMALL = 1


@dataclass
class Options:
    std: float = 0.02


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (nn.init.zeros_, "nn.init.zeros_"),
        (torch.zeros, "torch.zeros"),
        (math.sqrt, "math.sqrt"),
        (partial(nn.init.normal_, std=0.02), "partial(nn.init.normal_, std=0.02)"),
        (partial(math.pow, 2), "partial(math.pow, 2)"),
        (lambda t, a=1: t, "lambda t, a: ..."),
        (nn.Linear(2, 3), "nn.Linear(in_features=2, out_features=3, bias=True)"),
        (nn.Sequential(nn.ReLU()), "nn.Sequential(...)"),
        (nn.ReLU().forward, "nn.ReLU().forward"),
        (torch.ones(2), "torch.tensor([1., 1.])"),
        (torch.ones(2, 9), "tensor(...)"),
        (np.array([1, 2]), "np.array([1, 2])"),
        (np.float32(0.5), "np.float32(0.5)"),
        (Style.SMALL, "Style.SMALL"),
        (Options(), "Options(std=0.02)"),
        (Path("a/b"), "Path('a/b')"),
        (object(), "object(...)"),
        (Code("model.fc"), "model.fc"),
        ({nn.Linear: {"weight": (1, [None, True])}}, "{nn.Linear: {'weight': (1, [None, True])}}"),
    ],
)  # fmt: skip
def test_a_value_is_shown_as_python(value: Any, text: str) -> None:
    assert python_text(value) == text


def test_values_on_meta_are_not_looked_at() -> None:
    assert python_text(torch.empty(2, device="meta")) == "tensor(...)"
