"""The passes over memory in C, where the extension is built; else each caller has its own loop."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import Parameter

Memory: TypeAlias = tuple[int, int, int, int, int]

# The order of the enum in _pass.c.
_CODES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2, torch.float16: 3}
_ORDINARY = (Tensor, Parameter)  # by identity: a subclass may hold its values anywhere


@cache
def native() -> ModuleType | None:
    """Return the extension; None where it is not built, or was for other calls."""
    try:
        module = import_module("initkit.check._pass")
    except ImportError:
        return None
    return module if module.VERSION == 3 else None


def memory(tensor: Tensor) -> Memory | None:
    """Return the dtype's code, address, number of elements and storage of what lies in a row.

    None stands for memory that is for torch to read: on a device, with gaps, or none at all.
    """
    code = _CODES.get(tensor.dtype)
    if code is None or type(tensor) not in _ORDINARY or not tensor.is_cpu:
        return None
    if not tensor.is_contiguous() or tensor.is_neg() or tensor._is_zerotensor():
        return None
    if not tensor.numel():
        return None
    ptr, storage = tensor.data_ptr(), tensor.untyped_storage()
    if ptr % tensor.element_size():
        return None
    return code, ptr, tensor.numel(), storage.data_ptr(), storage.nbytes()
