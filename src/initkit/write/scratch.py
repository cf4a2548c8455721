"""Where users' functions write: scratch full of NaN, under a generator keyed by a name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..distributions import Source
from ..model import Slot, rank_count

_WIDE = (torch.float64, torch.complex64, torch.complex128)


ELSEWHERE = (
    "draws from a generator of its own, whose state may differ from rank to rank; draw from "
    "torch's global generator, which stands at the parameter's own seed here"
)


class OwnGenerator(Exception):
    """An operation draws from a generator that was passed to it."""


class _OwnGenerators(TorchFunctionMode):
    """Refuse operations that draw from a generator passed to them."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        for value in (*args, *kwargs.values()):
            # The global one stands at the parameter's seed on every rank and does no harm.
            if isinstance(value, torch.Generator) and value is not torch.default_generator:
                raise OwnGenerator
        return func(*args, **kwargs)


def one_generator(slots: Iterable[Slot]) -> AbstractContextManager[object]:
    """Return what refuses other generators where ranks must draw alike."""
    shared = any(slot.tensor is not None and rank_count(slot.tensor) > 1 for slot in slots)
    return _OwnGenerators() if shared else nullcontext()


def scratch_like(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Return scratch for a tensor, wide enough to round once.

    NaN tells what was not written, and what was computed from values that should not be read.
    """
    wide = dtype if dtype in _WIDE else torch.float32
    return torch.full(tuple(shape), torch.nan, dtype=wide, device="cpu")


@contextmanager
def keyed_generator(source: Source) -> Iterator[None]:
    """Let torch's global generator stand at a state of its own, and put it back."""
    # On the CPU, so that a function draws the same values wherever its parameter lives.
    generator = torch.default_generator
    state = generator.get_state()
    try:
        generator.manual_seed(source.values.k1 << 32 | source.values.k0)
        yield
    finally:
        generator.set_state(state)
