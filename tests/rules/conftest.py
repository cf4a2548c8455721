"""What the tests of rules match: a convolution, a norm, a body and a head, under plain names."""

from __future__ import annotations

import pytest
from torch import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3)
        self.bn1 = nn.BatchNorm2d(8)
        self.body = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8, bias=False))
        self.head = nn.Linear(8, 4)


@pytest.fixture
def net() -> nn.Module:
    return Net()
