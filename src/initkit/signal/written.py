"""Write what is planned for a while, and seed what a forward draws from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ..model import ModelView, same_bits
from ..plan import Plan
from .tracer import Tracer


@contextmanager
def written(
    plan: Plan | None, model: nn.Module, tracer: Tracer, seed: int | None
) -> Iterator[int | None]:
    """Write a plan's values, yield the seed that was used, and put back what was there.

    Without a plan nothing is written, and the seed is what was given. It goes around the guard,
    which puts back what was written here.
    """
    if plan is None:
        yield seed
        return
    raw = {id(t): t for memory in tracer.memories.values() for t in memory.slot.raw}
    # The kernel writes memory that no mode sees, so copies are made of all.
    copies = [(t, t.detach().clone()) for t in raw.values()]
    state = torch.get_rng_state()
    try:
        used = plan.apply(model, seed=seed).seed
        torch.set_rng_state(state)  # a seed may have been drawn from it
        yield used
    finally:
        torch.set_rng_state(state)
        with torch.no_grad():
            for tensor, copy in copies:
                if not same_bits(tensor, copy):
                    tensor.copy_(copy)


def seeded(view: ModelView, seed: int) -> None:
    """Seed the generators that the model can draw from; the guard puts them back."""
    torch.default_generator.manual_seed(seed)
    tensors = (slot.tensor for slot in view.slots)
    for index in {t.device.index for t in tensors if t is not None and t.is_cuda}:
        with torch.cuda.device(index):
            torch.cuda.manual_seed(seed)
