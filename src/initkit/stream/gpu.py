"""The kernel for memory on a GPU: loaded at first use, tested on known answers, or left out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from threading import Lock
from types import ModuleType

import torch
from torch import Tensor

from . import eager, native
from .keys import Key
from .runs import RunTable
from .spec import Spec

Fill = Callable[[Tensor, Spec, Key, RunTable], None]
Item = tuple[Tensor, Spec, Key, RunTable]
_LOADING = Lock()  # threads that fill one model wait for the first, rather than compile again


def kernel(device: torch.device) -> ModuleType | None:
    """Return the kernel that is right on ``device``; None where there is none."""
    if device.type != "cuda":
        return None
    with _LOADING:
        return _load(device)


@cache
def _load(device: torch.device) -> ModuleType | None:
    try:  # a Triton, compiler or driver that does not fit raises errors of any kind
        module = import_module("initkit.stream.triton_kernel")
        return module if self_check(module.fill, device) else None
    except Exception:
        return None


def self_check(fill_there: Fill, device: torch.device) -> bool:
    """Tell whether a kernel gives the answers that are known for every map and dtype."""

    def there(out: Tensor, spec: Spec, start: int) -> None:
        copy = out.to(device)
        fill_there(copy, spec, native.CHECK_KEY, RunTable.read(start, out.numel()))
        out.copy_(copy)

    return native.digest(there) == native.KNOWN


def fill(out: Tensor, spec: Spec, key: Key, runs: RunTable) -> None:
    """Fill the one-dimensional, contiguous ``out`` by the kernel where it can, else by torch."""
    module = kernel(out.device)
    aligned = not out.data_ptr() % out.element_size()
    if module is not None and out.dtype in native.CODES and aligned:
        module.fill(out, spec, key, runs)
    else:
        eager.fill(out, spec, key, runs)
