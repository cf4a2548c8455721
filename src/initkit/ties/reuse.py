"""Which parameters one forward uses more than once, and where.

A use is an operation that reads bytes of a parameter, other than in a backward inside the forward.
Views, shapes and ``*_like`` read nothing; a copy or a cast is no use of its own: what later reads
the copy uses the parameter. Operations are those that the model's code calls, so an LSTM or an
attention counts once.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..errors import TargetError
from ..model import walk
from ..numbers import loaded
from .byte_regions import Region
from .groups import tie_slots
from .op_trace import OpTrace, Reuse, Use
from .storage import components, is_fake, regions

__all__ = ["Reuse", "Use", "find_reused_parameters"]


def find_reused_parameters(
    model: nn.Module, /, *args: object, **kwargs: object
) -> dict[str, Reuse]:
    """Run one forward and find the parameters whose bytes it uses more than once.

    Keys are the names that ``named_parameters`` shows; tied names count together under their first.
    Generators, buffers, gradients and training modes are left as they were. Raises `TargetError`
    for what is no module or still lazy; what the forward raises comes through.

    >>> class Twice(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.linear = nn.Linear(4, 4, bias=False)
    ...     def forward(self, x):
    ...         return self.linear(self.linear(x).relu())
    >>> print(find_reused_parameters(Twice(), torch.ones(2, 4))["linear.weight"])
    2 times: linear in linear, call 1; linear in linear, call 2
    """
    trace = OpTrace(*_owners(model))
    with ExitStack() as stack:
        for guard in (_generators(model), _state(model), _eager(), trace.following(model)):
            stack.enter_context(guard)
        model(*args, **kwargs)
    return trace.reused()


def _owners(model: nn.Module) -> tuple[list[str], list[tuple[Region, int]]]:
    """Return the parameters' first names, and their regions with the places of the names."""
    slots = walk(model, raw=True)
    for slot in slots:
        if slot.tensor is not None and is_lazy(slot.tensor):
            raise TargetError(
                f"{slot.name} is lazy and would take its shape from this forward; run one first"
            )
    # Slots and groups live as long as this function, so their ids may serve as keys. A parameter
    # with several regions, or names over the same bytes, is entered once for each region.
    tied = {id(slot): group for group in tie_slots(slots) for slot in group.slots}
    names: dict[str, int] = {}
    owned: dict[tuple[Region, int], None] = {}
    for slot in slots:
        if slot.tensor is not None:
            first = tied[id(slot)].names[0] if id(slot) in tied else slot.name
            place = names.setdefault(first, len(names))
            owned.update(dict.fromkeys((region, place) for region in regions(slot.tensor)))
    return list(names), list(owned)


# ---- leaving everything as it was


@contextmanager
def _generators(model: nn.Module) -> Iterator[None]:
    """Put back the states of the generators of torch, Python and numpy."""
    devices = {t.device for t in (*model.parameters(), *model.buffers()) if t.is_cuda}
    get_state, set_state = (loaded("numpy.random", f"{verb}_state") for verb in ("get", "set"))
    state = random.getstate()
    # Looked up and not imported: without it no code of the model can have drawn from it.
    legacy = get_state() if set_state is not None else None
    try:
        with torch.random.fork_rng(devices=sorted(devices, key=str)):
            yield
    finally:
        random.setstate(state)
        if set_state is not None:
            set_state(legacy)


@contextmanager
def _state(model: nn.Module) -> Iterator[None]:
    """Put back buffers (which objects, which values), training modes and gradients."""
    modules = list(model.modules())
    before = [(module, dict(module._buffers.items()), module.training) for module in modules]
    buffers = {id(t): t for _, own, _ in before for t in own.values() if isinstance(t, Tensor)}
    strided = [
        part for t in buffers.values() for part in components(t)
    ]  # of a sparse one, its indices and values
    values = [(t, t.detach().clone()) for t in strided if not (t.is_meta or is_fake(t))]
    gradients = [(p, p.grad) for p in model.parameters()]
    for parameter, _ in gradients:
        parameter.grad = None  # a forward with a backward inside would add to it
    try:
        yield
    finally:
        for module, own, training in before:
            if isinstance(module._buffers, dict):  # a scripted module keeps its buffers elsewhere
                module._buffers.clear()
                module._buffers.update(own)
            module.training = training
        for tensor, value in values:
            if not torch.equal(tensor, value):  # unchanged ones keep their version, too
                with torch.no_grad():
                    tensor.copy_(value)
        for parameter, gradient in gradients:
            if parameter.grad is not gradient:
                parameter.grad = gradient


@contextmanager
def _eager() -> Iterator[None]:
    """Run compiled parts as they are written, and forget casts that autocast has cached."""
    # A cast that was cached before would be read in place of the parameter; compiled code calls
    # no operations that a mode could see.
    torch.clear_autocast_cache()
    if "torch._dynamo" in sys.modules:
        with torch.compiler.set_stance("force_eager"):
            yield
    else:
        yield
