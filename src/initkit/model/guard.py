"""Leave a model as it was, whatever a forward and a backward do to it."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from ..numbers import loaded
from .calls import FunctionMode, Operation
from .tensors import components, is_fake, same_bits

_WRITERS = ("__setitem__", "__set__")
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Put everything back, bit for bit, also where the block raises.

    Parameters, buffers (which objects, which values), gradients, training modes, hooks, the grad
    mode, and the generators of torch, Python and numpy. Compiled parts run as they are written.

    >>> layer = nn.BatchNorm1d(2)
    >>> with preserved(layer):
    ...     _ = layer(torch.ones(3, 2))
    >>> layer.num_batches_tracked.item()
    0
    """
    with ExitStack() as stack:
        for guard in (_generators(model), _modes(model), _state(model), _weights(model), _eager()):
            stack.enter_context(guard)
        yield


@contextmanager
def _generators(model: nn.Module) -> Iterator[None]:
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
def _modes(model: nn.Module) -> Iterator[None]:
    """Put back training modes, hooks, and whether gradients are recorded."""
    before = [
        (module, module.training, [(key, dict(vars(module).get(key, {}))) for key in _HOOKS])
        for module in model.modules()
    ]
    recorded = torch.is_grad_enabled()
    try:
        yield
    finally:
        torch.set_grad_enabled(recorded)
        for module, training, hooks in before:
            module.training = training
            for key, known in hooks:
                held = vars(module).get(key)
                if held is not None and held != known:
                    held.clear()
                    held.update(known)


@contextmanager
def _state(model: nn.Module) -> Iterator[None]:
    """Put back buffers and gradients, and which parameters the modules hold."""
    modules = list(model.modules())
    before = [(m, dict(m._buffers.items()), dict(m._parameters.items())) for m in modules]
    buffers = {id(t): t for _, own, _ in before for t in own.values() if isinstance(t, Tensor)}
    strided = [
        part for t in buffers.values() for part in components(t)
    ]  # of a sparse one, its indices and values
    values = [(t, t.detach().clone()) for t in strided if not (t.is_meta or is_fake(t))]
    gradients = [(p, p.grad, p.requires_grad) for p in model.parameters()]
    for parameter, _, _ in gradients:
        parameter.grad = None  # a backward would add to it
    try:
        yield
    finally:
        for module, own, parameters in before:
            _put_back(module._buffers, own)
            _put_back(module._parameters, parameters)
        for tensor, value in values:
            if not same_bits(tensor, value):  # unchanged ones keep their version, too
                with torch.no_grad():
                    tensor.copy_(value)
        for parameter, gradient, trained in gradients:
            if parameter.requires_grad is not trained:
                parameter.requires_grad_(trained)
            if parameter.grad is not gradient:
                parameter.grad = gradient


def _put_back(held: Any, known: dict[str, Any]) -> None:
    if isinstance(held, dict):  # a scripted module keeps its tensors elsewhere
        held.clear()
        held.update(known)


class _WriteWatch:
    """Copies of the parameters that something is about to write; of all others nothing is kept."""

    # A copy of all would double what a large model takes; hardly any forward writes parameters.

    def __init__(self, model: nn.Module) -> None:
        self.held = [(p, p.data) for p in model.parameters() if _is_plain(p)]
        self.memory: dict[int, list[Tensor]] = {}
        for _, alias in self.held:
            self.memory.setdefault(alias.untyped_storage().data_ptr(), []).append(alias)
        self.copies: dict[int, Tensor] = {}  # by id of the alias, which `held` keeps

    def handle(self, func: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
        name = getattr(func, "__name__", "")
        if (name[-1:] == "_" and _writes(name)) or "out" in kwargs:
            for tensor in tree_leaves((args, kwargs)):
                if isinstance(tensor, Tensor) and _is_plain(tensor):
                    self._copy(tensor.untyped_storage().data_ptr())
        return func(*args, **kwargs)

    def _copy(self, place: int) -> None:
        for alias in self.memory.get(place, ()):
            if id(alias) not in self.copies:
                self.copies[id(alias)] = alias.clone()

    def put_back(self) -> None:
        with torch.no_grad():
            for parameter, alias in self.held:
                if parameter.data_ptr() != alias.data_ptr():  # `p.data = ...` took other memory
                    parameter.data = alias
                copy = self.copies.get(id(alias))
                if copy is not None and not same_bits(alias, copy):
                    parameter.copy_(copy)


@contextmanager
def _weights(model: nn.Module) -> Iterator[None]:
    """Put back the values of parameters."""
    watch = _WriteWatch(model)
    try:
        with FunctionMode(watch.handle):
            yield
    finally:
        watch.put_back()


def _is_plain(tensor: Tensor) -> bool:
    plain = type(tensor) in (nn.Parameter, Tensor) and tensor.layout is torch.strided
    fake = tensor.is_meta or is_fake(tensor)
    return plain and not (fake or tensor.is_nested) and tensor.numel() > 0


def _writes(name: str) -> bool:
    """Say whether a function that ends in an underscore writes: in-place operators, ``__set__``."""
    # Most of what is called are getters of attributes, so they are asked about first.
    return name != "__get__" and (name[:2] != "__" or name[2] == "i" or name in _WRITERS)


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
