"""Time probe_init against the bare forward and backward that it measures, in the same run.

python benchmarks/probe_cost.py [--rounds 5]

Processor time is the best of some rounds in which both alternate; memory is the peak of a process
of its own, beyond what it held before. The models have the shapes of ResNet-18 and of a GPT-2 of
six layers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from initkit import probe_init


class Residual(nn.Module):
    """A basic block of a ResNet."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)
        self.down = nn.Identity() if stride == 1 else nn.Conv2d(before, after, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch to the shortcut."""
        branch = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        return F.relu(branch + self.down(x), inplace=True)


class ResNet(nn.Sequential):
    """ResNet-18."""

    def __init__(self) -> None:
        widths = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
        stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
        blocks = [b for a, w, s in widths for b in (Residual(a, w, s), Residual(w, w, 1))]
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)]
        super().__init__(*stem, nn.MaxPool2d(3, 2, 1), *blocks, *head)


class Layer(nn.Module):
    """A layer of GPT-2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc, self.out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Add attention and the network of two layers to the trunk."""
        parts = self.attn(self.ln_1(x)).unflatten(-1, (3, -1, 64)).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind()
        found = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.proj(found.transpose(1, 2).flatten(2))
        hidden: Tensor = self.out(F.gelu(self.fc(self.ln_2(x))))
        return x + hidden


class GPT(nn.Module):
    """A GPT-2 of six layers."""

    def __init__(self, width: int = 384) -> None:
        super().__init__()
        self.wte, self.ln_f = nn.Embedding(5000, width), nn.LayerNorm(width)
        self.h = nn.Sequential(*[Layer(width) for _ in range(6)])
        self.head = nn.Linear(width, 5000, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.head(self.ln_f(self.h(self.wte(ids))))
        return logits


WORK: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "ResNet-18, 4 images of 224": (ResNet, lambda: torch.randn(4, 3, 224, 224)),
    "GPT-2 of 6 layers, 4 x 128 words": (GPT, lambda: torch.randint(5000, (4, 128))),
}


def bare(model: nn.Module, x: Tensor) -> None:
    """Run a forward and a backward, and forget the gradients."""
    model(x).square().mean().backward()
    model.zero_grad(set_to_none=True)


def probed(model: nn.Module, x: Tensor) -> None:
    """Run the same under a probe."""
    probe_init(model, x, loss=lambda y: y.square().mean())


def times(work: str, rounds: int) -> tuple[float, float]:
    """Return the least processor time of both, which take turns."""
    build, make = WORK[work]
    model, x = build(), make()
    best = [float("inf")] * 2
    for _ in range(rounds):
        for i, run in enumerate((bare, probed)):
            begin = time.process_time()
            run(model, x)
            best[i] = min(best[i], time.process_time() - begin)
    return best[0], best[1]


def peak() -> int:
    """Return the most bytes that this process has held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def memory(work: str, run: Callable[[nn.Module, Tensor], None]) -> int:
    """Return the most bytes beyond the model that one run needs, in this fresh process."""
    probed(nn.Linear(8, 8), torch.ones(4, 8))  # what a process needs once
    build, make = WORK[work]
    model, x = build(), make()
    before = peak()
    run(model, x)
    return peak() - before


def child(work: str, run: str) -> int:
    """Return what `memory` finds in a process of its own."""
    command = [sys.executable, __file__, "--alone", work, run]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout))


def main() -> None:
    """Print a row for each model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--alone", nargs=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.alone:
        work, run = options.alone
        print(json.dumps(memory(work, {"bare": bare, "probed": probed}[run])))
        return
    for work in WORK:
        one, other = times(work, options.rounds)
        least, most = child(work, "bare"), child(work, "probed")
        print(
            f"{work}: {one:.2f} s bare, {other:.2f} s probed, {other / one:.2f} times; "
            f"peak {least >> 20} MiB bare, {most >> 20} MiB probed, {most / least - 1:+.0%}"
        )


if __name__ == "__main__":
    main()
