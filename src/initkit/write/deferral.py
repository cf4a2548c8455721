"""Construct without values: parameters on the meta device, buffers real; rules wait until later."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.nn.parameter import is_lazy

from ..errors import DeferredError
from ..model import is_sharded
from ..wording import checks_calls
from .copies import CopyWatch, copies_text
from .materializer import DEVICES, swap
from .recorded_rules import leave_plan
from .value_reads import ValueReads

_weak: Any = StorageWeakRef
_cuda: Any = torch.cuda
_RECORD_ONCE = "record it once with values, by initkit.record_init, and apply that plan"


@checks_calls
@contextmanager
def deferred(*, record: bool = False) -> Iterator[None]:
    """Construct models in this block without values: parameters on meta, buffers real.

    Each parameter moves to the meta device as soon as a module registers it, as the same object, so
    ties made in constructors are kept. Buffers are computed as usual. The block leaves torch's
    global generators as it found them. :func:`initkit.apply_init` or :func:`initkit.materialize`
    gives each parameter its memory and its values, once. With ``record=True`` the block also sees
    what the constructors draw, as :func:`initkit.record_init` does, and :func:`initkit.materialize`
    draws the same distributions, whatever the model's sharding by then.

    Raises :class:`DeferredError` where a constructor reads the values of its parameters, or makes
    one parameter of another's: a target network, a momentum encoder.

    >>> from torch import nn
    >>> with deferred():
    ...     model = nn.Sequential(nn.Linear(1000, 1000), nn.BatchNorm1d(1000))
    >>> model[0].weight.device, model[1].running_var.device
    (device(type='meta'), device(type='cpu'))
    """
    devices = list(range(torch.cuda.device_count())) if _cuda.is_initialized() else []
    defer = _RecordedDefer() if record else _WatchedDefer()
    handle = register_module_parameter_registration_hook(defer)
    reads = ValueReads()
    try:
        # Constructors draw all the same. CUDA is not woken only to put its generators back.
        with torch.random.fork_rng(devices=devices), defer.watching(), reads:
            yield
    except Exception as error:
        # Any other error is the constructor's own and passes unchanged.
        if not reads.caused(error):
            raise
        way_out = f"; {_RECORD_ONCE}" if record else ""
        raise DeferredError(
            f"a constructor needs the values of its parameters, which are deferred: {error}"
            f"{way_out}"
        ) from error
    finally:
        handle.remove()


class _Defer:
    """Move each parameter to the meta device as a module of this thread registers it."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.storages: dict[int, tuple[Any, torch.UntypedStorage]] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Run the block that constructs."""
        yield

    def __call__(self, module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        # The hook is global: models that other threads build are none of this block's business. A
        # lazy parameter has no shape to defer.
        if parameter is None or threading.get_ident() != self.thread or is_lazy(parameter):
            return
        self._note(module, parameter)
        home = parameter.device
        if not parameter.is_meta and not self._move(parameter):
            return
        known = module.__dict__.setdefault(DEVICES, {})
        # The first registration says where the constructor put it; a tie made later does not.
        known.setdefault(name, "cpu" if home.type == "meta" else str(home))

    def _note(self, module: nn.Module, parameter: nn.Parameter) -> None:
        """Take note of a parameter that is about to move."""

    def _move(self, parameter: nn.Parameter) -> bool:
        """Take the memory from a parameter; False where something else needs it (a view of it)."""
        if parameter.layout is not torch.strided or is_sharded(parameter):
            return False
        # Past the modes that watch the constructor, whose work this is not.
        with torch.no_grad(), torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
            empty = torch.empty(0, dtype=parameter.dtype, device="meta")
            # Offset and strides are kept, so that views of one storage stay views of its stand-in.
            place = parameter.storage_offset(), parameter.shape, parameter.stride()
            empty.set_(self._meta_storage(parameter), *place)
        return swap(parameter, empty)

    def _meta_storage(self, tensor: Tensor) -> torch.UntypedStorage:
        """Return the stand-in of a storage: the same one while the storage lives, so ties last."""
        # The key is an address, which a new storage may take over: the weak reference tells that.
        real = tensor.untyped_storage()
        known = self.storages.get(real._cdata)
        if known is None or known[0].expired():
            known = _weak(real), self._stand_in(real)
            self.storages[real._cdata] = known
        return known[1]

    def _stand_in(self, real: torch.UntypedStorage) -> torch.UntypedStorage:
        empty = torch.empty(real.nbytes(), dtype=torch.uint8, device="meta")
        return empty.untyped_storage()


class _WatchedDefer(_Defer):
    """Refuse besides what constructors make of one parameter for another: there are no values."""

    def __init__(self) -> None:
        super().__init__()
        self.watch = CopyWatch()

    @contextmanager
    def watching(self) -> Iterator[None]:
        handle = register_module_module_registration_hook(self._child)
        try:
            with self.watch:
                yield
        finally:
            handle.remove()
        if copies := self.watch.copies():
            raise DeferredError(copies_text(copies))

    def _note(self, module: nn.Module, parameter: nn.Parameter) -> None:
        self.watch.register(module, parameter)

    def _child(self, module: nn.Module, _name: str, _child: nn.Module | None) -> None:
        # Names begin at a module around others.
        if threading.get_ident() == self.thread:
            self.watch.modules.add(module)


class _RecordedDefer(_Defer):
    """See besides what constructors draw, and leave each model that they built its plan."""

    def __init__(self) -> None:
        super().__init__()
        from ..record import Recording  # upward, and lazy: few models are recorded

        self.record = Recording()
        self.modules: dict[int, nn.Module] = {}  # kept while the block lasts, so ids are their own
        self.inner: set[int] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        handle = register_module_module_registration_hook(self._child)
        try:
            with self.record.watching():
                yield
        finally:
            handle.remove()
        for module in self.modules.values():
            if id(module) not in self.inner:
                plan = self.record.plan(module)
                leave_plan(module, plan.without_targets())

    def __call__(self, module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        super().__call__(module, name, parameter)
        self._seen(module)

    def _child(self, module: nn.Module, name: str, child: nn.Module | None) -> None:
        if child is not None and threading.get_ident() == self.thread:
            self._seen(module)
            self.inner.add(id(child))
            self.modules[id(child)] = child

    def _seen(self, module: nn.Module) -> None:
        if threading.get_ident() == self.thread:
            self.modules[id(module)] = module

    def _move(self, parameter: nn.Parameter) -> bool:
        self.record.keep_values(parameter)
        return super()._move(parameter)

    def _stand_in(self, real: torch.UntypedStorage) -> torch.UntypedStorage:
        made = super()._stand_in(real)
        self.record.move(real, made)
        return made
