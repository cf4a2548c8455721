"""The C kernel: loaded at first use, tested on known answers, and set aside where it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import string_at
from functools import cache
from hashlib import blake2b
from importlib import import_module
from threading import Lock
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import OptionError
from .bounds import trunc_bounds
from .keys import key
from .spec import BERNOULLI, CHOICE, NORMAL, TRUNC_NORMAL, UNIFORM, WORDS, Spec
from .table import native_bytes

# The order of the enum in csrc/stream.h; the floats come first.
CODES = {
    torch.float32: 0,
    torch.float64: 1,
    torch.bfloat16: 2,
    torch.float16: 3,
    torch.int64: 4,
    torch.bool: 5,
}
FLOATS = tuple(CODES)[:4]
_LOADING = Lock()  # the kernel copies its table once, and no call may read it meanwhile
_BEST_FIRST = ("avx512", "avx2", "baseline")
_NUMBERS = {"baseline": 0, "avx2": 1, "avx512": 2}  # the order of the enum in csrc/stream.h


class Loaded(NamedTuple):
    """What loading gave: the module, or why there is none; usable paths; set-aside paths."""

    kernel: ModuleType | None
    reason: str
    paths: dict[str, int]
    wrong: tuple[str, ...] = ()


@cache
def load() -> Loaded:
    """Load the kernel and test every path this processor has."""
    try:
        kernel = import_module("initkit.stream._kernel")
    except ImportError as error:
        return Loaded(None, str(error), {})
    with _LOADING:
        kernel.load_table(native_bytes())
    here = [name for name in _BEST_FIRST if kernel.has_path(_NUMBERS[name])]
    right = {name: _NUMBERS[name] for name in here if self_check(kernel, _NUMBERS[name])}
    return Loaded(kernel, "", right, tuple(name for name in here if name not in right))


def number(path: str) -> int:
    """Return the kernel's number for a path's name."""
    loaded = load()
    if path not in loaded.paths:
        known = ", ".join(map(repr, (*loaded.paths, "eager")))
        raise OptionError(f"there is no path {path!r} here; there is {known}", option="path")
    return loaded.paths[path]


def self_check(kernel: ModuleType, path: int) -> bool:
    """Tell whether a path gives the answers that are known; one built for other calls does not."""

    def fill(out: Tensor, spec: Spec, start: int) -> None:
        memory = out.untyped_storage()
        where = (out.data_ptr(), out.numel(), memory.data_ptr(), memory.nbytes())
        kernel.fill(path, CODES[out.dtype], *where, start, None, CHECK_KEY, spec)

    try:
        return digest(fill) == KNOWN
    except (TypeError, ValueError):
        return False


def digest(fill: Callable[[Tensor, Spec, int], None]) -> str:
    """Return the hash of what ``fill(out, spec, start)`` writes, over all maps and all dtypes."""
    hashed = blake2b(digest_size=16)
    for spec, dtypes in cases():
        for dtype in dtypes:
            for start, count in RUNS:
                # On the CPU, whatever torch's default device is: the address below is read here.
                out = torch.zeros(count, dtype=dtype, device="cpu")
                fill(out, spec, start)
                hashed.update(string_at(out.data_ptr(), count * out.element_size()))
    return hashed.hexdigest()


CHECK_KEY = key(0, "fc.weight")
KNOWN = "0fe863e849238c4277242656a44a63cc"
# Whole blocks; a piece from within one; across an upper word of the counter; very far out.
RUNS = ((0, 1024), (300, 150), ((1 << 33) - 700, 1301), ((1 << 62) + 3, 7))


def cases() -> tuple[tuple[Spec, tuple[torch.dtype, ...]], ...]:
    """Return every map that the kernel has, with the dtypes that it writes."""
    cut = (0.0, 0.02, -0.04, 0.04)
    return (
        ((WORDS,), (torch.int64,)),
        ((UNIFORM, -0.05, 0.05, 0.0), FLOATS),
        ((UNIFORM, -1e-6, 1.0, 0.25), FLOATS),
        ((NORMAL, 0.0, 0.02), FLOATS),
        ((NORMAL, 1.0, 3e4), FLOATS),
        ((NORMAL, 0.0, 2e-6), FLOATS),
        ((TRUNC_NORMAL, *cut, *trunc_bounds(*cut)), FLOATS),
        ((BERNOULLI, 1 << 30), (torch.bool,)),
        ((CHOICE, 1000003), (torch.int64,)),
    )
