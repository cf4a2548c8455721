"""Small modules whose slots hold whatever tensors a test of ties wants."""

from __future__ import annotations

from collections.abc import Iterable

import hypothesis.strategies as st
import torch
from hypothesis import HealthCheck, settings
from torch import Tensor, nn
from torch.nn import Parameter

from initkit.ties import TieGroup

EXAMPLES = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
DTYPES = (torch.uint8, torch.int16, torch.float32, torch.complex64)


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


class Tied(nn.Module):
    """The tie that everybody knows: one object in two slots."""

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5)
        self.head.weight = self.emb.weight


def untied() -> nn.Module:
    """Return the same with equal values in two memories."""
    model = Tied()
    model.head.weight = Parameter(model.emb.weight.detach().clone())
    return model


def shown(groups: Iterable[TieGroup]) -> list[str]:
    """Return the kinds and the names of groups, as a table of expectations writes them."""
    return [f"{group.kind}: {' '.join(group.names)}" for group in groups]


@st.composite
def windows(draw: st.DrawFn, bases: list[Tensor]) -> Tensor:
    """Draw any strided window into one of a few memories, as any dtype."""
    base = draw(st.sampled_from(bases)).view(draw(st.sampled_from(DTYPES)))
    sides = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 7)), max_size=3))
    reach = sum((n - 1) * s for n, s in sides if n)
    start = draw(st.integers(0, 6))
    if start + reach >= base.numel():
        sides, start = [], start % base.numel()
    return base.as_strided([n for n, _ in sides], [s for _, s in sides], start)
