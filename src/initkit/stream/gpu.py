"""The kernel for memory on a GPU: loaded at first use, compared with the CPU, or left out."""

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
_COMPILING = Lock()  # threads that fill one model wait for the first, rather than compile again
_right: dict[tuple[torch.device, torch.dtype, object], bool] = {}


def kernel(out: Tensor, spec: Spec) -> ModuleType | None:
    """Return the kernel that makes ``spec`` right in such memory; None where there is none.

    Each map is compiled, and compared with the CPU, where it is first needed.
    """
    module = _load() if out.is_cuda and out.dtype in native.CODES else None
    if module is None:
        return None
    kind = out.device, out.dtype, module.variant(spec)
    with _COMPILING:
        if kind not in _right:
            _right[kind] = agrees(module.fill, out.device, out.dtype, spec)
    return module if _right[kind] else None


@cache
def _load() -> ModuleType | None:
    try:  # a Triton that does not fit raises errors of any kind
        return import_module("initkit.stream.triton_kernel")
    except Exception:
        return None


def agrees(fill_there: Fill, device: torch.device, dtype: torch.dtype, spec: Spec) -> bool:
    """Tell whether a kernel gives the bits that plain torch has on the CPU."""
    try:  # a compiler or a driver that does not fit raises errors of any kind
        for start, count in native.RUNS:
            runs = RunTable.read(start, count)
            here, there = (torch.zeros(count, dtype=dtype, device=at) for at in ("cpu", device))
            eager.fill(here, spec, native.CHECK_KEY, runs)
            fill_there(there, spec, native.CHECK_KEY, runs)
            if not torch.equal(here.view(torch.uint8), there.cpu().view(torch.uint8)):
                return False
    except Exception:
        return False
    return True


def fill(out: Tensor, spec: Spec, key: Key, runs: RunTable) -> None:
    """Fill the one-dimensional, contiguous ``out`` by the kernel where it can, else by torch."""
    aligned = not out.data_ptr() % out.element_size()
    module = kernel(out, spec) if aligned else None
    (eager if module is None else module).fill(out, spec, key, runs)
