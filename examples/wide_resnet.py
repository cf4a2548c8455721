"""WRN-28-10 for CIFAR, in plain torch.

Zagoruyko and Komodakis, "Wide Residual Networks" (2016): three groups of four pre-activation
blocks, ten times as wide as a ResNet's. 36.5 million parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class WideBlock(nn.Module):
    """Normalise, rectify, convolve, twice; add the input."""

    def __init__(self, channels: int, out: int, stride: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(channels, out, 1, stride, bias=False) if channels != out else None

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(x))
        kept = x if self.shortcut is None else self.shortcut(y)
        y = self.dropout(torch.relu(self.bn2(self.conv1(y))))
        return torch.as_tensor(self.conv2(y) + kept)


class WideResNet(nn.Module):
    """A stem, three groups of blocks, a linear classifier."""

    def __init__(self, depth: int = 28, widen: int = 10, classes: int = 10) -> None:
        super().__init__()
        if (depth - 4) % 6:
            raise ValueError(f"the depth of a wide ResNet is 6n + 4, not {depth}")
        blocks = (depth - 4) // 6
        self.conv = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        channels = 16
        for group in range(3):
            out = 16 * widen * 2**group
            layers = nn.Sequential()
            for block in range(blocks):
                stride = 2 if group > 0 and block == 0 else 1
                layers.append(WideBlock(channels, out, stride))
                channels = out
            self.add_module(f"group{group + 1}", layers)
        self.bn = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        for group in ("group1", "group2", "group3"):
            x = self.get_submodule(group)(x)
        return torch.as_tensor(self.fc(torch.relu(self.bn(x)).mean(dim=(2, 3))))
