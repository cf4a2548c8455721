"""Construct without values: parameters on the meta device, buffers real; rules wait until later."""

from __future__ import annotations

import re
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
from .copies import CopyWatch, copies_text
from .materializer import DEVICES, swap

_weak: Any = StorageWeakRef
_OF_META = re.compile(r"\bmeta\b|set_data|Tensor\.__format__|_share_fd_", re.IGNORECASE)
"""What torch's errors name where a tensor on the meta device is asked for its values."""
_cuda: Any = torch.cuda


@contextmanager
def deferred() -> Iterator[None]:
    """Construct models in this block without values: parameters on meta, buffers real.

    Each parameter moves to the meta device as soon as a module registers it, as the same object, so
    ties made in constructors are kept. Buffers are computed as usual. The block leaves torch's
    global generators as it found them. :func:`initkit.apply_init` or :func:`initkit.materialize`
    gives each parameter its memory and its values, once.

    Raises :class:`DeferredError` where a constructor reads the values of its parameters, or makes
    one parameter of another's: a target network, a momentum encoder.

    >>> from torch import nn
    >>> with deferred():
    ...     model = nn.Sequential(nn.Linear(1000, 1000), nn.BatchNorm1d(1000))
    >>> model[0].weight.device, model[1].running_var.device
    (device(type='meta'), device(type='cpu'))
    """
    devices = list(range(torch.cuda.device_count())) if _cuda.is_initialized() else []
    watch = CopyWatch()
    defer = _Defer(watch)
    handles = [
        register_module_parameter_registration_hook(defer),
        register_module_module_registration_hook(defer.see_module),
    ]
    try:
        # Constructors draw all the same. CUDA is not woken only to put its generators back.
        with torch.random.fork_rng(devices=devices), watch:
            yield
        if copies := watch.copies():
            raise DeferredError(copies_text(copies))
    except (NotImplementedError, RuntimeError, TypeError, BufferError) as error:
        # Any other error is the constructor's own and passes unchanged.
        if not _OF_META.search(str(error)):
            raise
        raise DeferredError(
            f"a constructor needs the values of its parameters, which are deferred: {error}"
        ) from error
    finally:
        for handle in handles:
            handle.remove()


class _Defer:
    """Move each parameter to the meta device as a module of this thread registers it."""

    def __init__(self, watch: CopyWatch) -> None:
        self.watch = watch
        self.thread = threading.get_ident()
        self.storages: dict[int, tuple[Any, torch.UntypedStorage]] = {}

    def __call__(self, module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        # The hook is global: models that other threads build are none of this block's business. A
        # lazy parameter has no shape to defer.
        if parameter is None or threading.get_ident() != self.thread or is_lazy(parameter):
            return
        self.watch.register(module, parameter)
        home = parameter.device
        if not parameter.is_meta and not self._move(parameter):
            return
        known = module.__dict__.setdefault(DEVICES, {})
        # The first registration says where the constructor put it; a tie made later does not.
        known.setdefault(name, "cpu" if home.type == "meta" else str(home))

    def see_module(self, module: nn.Module, _name: str, _child: nn.Module | None) -> None:
        """Note a module around others, from which names begin."""
        if threading.get_ident() == self.thread:
            self.watch.modules.add(module)

    def _move(self, parameter: nn.Parameter) -> bool:
        """Take the memory from a parameter; False where something else needs it (a view of it)."""
        if parameter.layout is not torch.strided or is_sharded(parameter):
            return False
        with torch.no_grad():
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
            empty = torch.empty(real.nbytes(), dtype=torch.uint8, device="meta")
            known = _weak(real), empty.untyped_storage()
            self.storages[real._cdata] = known
        return known[1]
