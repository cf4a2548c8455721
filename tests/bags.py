"""Small modules whose slots hold whatever tensors a test of ties wants."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from initkit.ties import TieGroup


class Bag(nn.Module):
    """A module with whatever it is given: parameters, buffers (plain tensors), children."""

    def __init__(self, **given: object) -> None:
        super().__init__()
        for name, value in given.items():
            if isinstance(value, Tensor) and not isinstance(value, Parameter):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)


def param(*shape: int) -> Parameter:
    """Return a new parameter with memory of its own."""
    return Parameter(torch.zeros(*shape))


def over(tensor: Tensor) -> Parameter:
    """Return a new parameter over this very memory."""
    return Parameter(tensor.detach(), requires_grad=False)


def embedding_and_head() -> nn.Module:
    """Return the tie that everybody knows: one object in two slots."""
    model = Bag(emb=nn.Embedding(5, 3), head=nn.Linear(3, 5))
    model.head.weight = model.emb.weight
    return model


def shown(groups: Iterable[TieGroup]) -> list[str]:
    """Return the kinds and the names of groups, as a table of expectations writes them."""
    return [f"{group.kind}: {' '.join(group.names)}" for group in groups]
