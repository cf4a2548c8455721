"""Models of which the signal is known, shared by the tests of probes and calibrations."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from initkit.signal.report import Probe


def mlp(
    depth: int, width: int, act: Callable[[], nn.Module] | None = None, bias: bool = False
) -> nn.Sequential:
    """A deep network of equal layers: what mean-field theory is about."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(width, width, bias=bias), *([act()] if act is not None else [])]
    return nn.Sequential(*layers)


class Block(nn.Module):
    """A residual block with its norm in front, as transformers have."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(torch.relu(self.up(self.norm(x))))


def residual(depth: int, width: int, classes: int = 10) -> nn.Sequential:
    """A trunk of residual blocks, and a head."""
    return nn.Sequential(*[Block(width) for _ in range(depth)], nn.Linear(width, classes))


class Attention(nn.Module):
    """Attention written out, with a projection each."""

    def __init__(self, width: int, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.v_proj, self.o_proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        q, k, v = (
            part(h).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        found = nn.functional.scaled_dot_product_attention(q, k, v)
        return x + self.o_proj(found.transpose(1, 2).flatten(2))


class Language(nn.Module):
    """A language model with a tied or an untied head."""

    def __init__(self, width: int = 32, depth: int = 4, classes: int = 64, tied: bool = True):
        super().__init__()
        self.embed = nn.Embedding(classes, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(Attention(width), Block(width)) for _ in range(depth)
        )
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes, bias=False)
        if tied:
            self.head.weight = self.embed.weight

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.norm(x))
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), ids.flatten())
        return {"loss": loss, "logits": logits}


def kinds(probe: Probe) -> set[str]:
    """Return the kinds of a probe's problems."""
    return {finding.kind for finding in probe.problems}
