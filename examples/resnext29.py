"""ResNeXt-29 (8x64d) for CIFAR, in plain torch.

Xie et al., "Aggregated Residual Transformations for Deep Neural Networks" (2017): three stages of
three bottleneck blocks, whose middle convolution has 8 groups of 64 channels, doubled after each
stage. 34.4 million parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Bottleneck(nn.Module):
    """Reduce, convolve in groups, expand; add the input."""

    def __init__(self, channels: int, width: int, out: int, groups: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.shortcut = nn.Sequential()
        if channels != out:
            self.shortcut.append(nn.Conv2d(channels, out, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        return torch.relu(self.bn3(self.conv3(y)) + self.shortcut(x))


class ResNeXt29(nn.Module):
    """A stem, three stages of three blocks, a linear classifier."""

    def __init__(self, groups: int = 8, base_width: int = 64, classes: int = 10) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(64)
        channels = 64
        for stage in range(3):
            width, out = groups * base_width * 2**stage, 256 * 2**stage
            blocks = nn.Sequential()
            for block in range(3):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(Bottleneck(channels, width, out, groups, stride))
                channels = out
            self.add_module(f"stage{stage + 1}", blocks)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn(self.conv(x)))
        for stage in ("stage1", "stage2", "stage3"):
            x = self.get_submodule(stage)(x)
        return torch.as_tensor(self.fc(x.mean(dim=(2, 3))))
