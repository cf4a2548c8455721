"""Write values into tensors: by the C kernel where it can, else through scratch or plain torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import ModuleType
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import Parameter

from . import eager, gpu, native
from .keys import Key
from .keys import key as key_of
from .memory import owns_memory, refuse
from .runs import Runs, RunTable
from .spec import CONSTANT, VALUES, Spec, bounds_of

WIDE = (torch.float64, torch.complex128)
# Elements of scratch for memory that is not written as it lies; elsewhere a launch is dear.
SCRATCH, SCRATCH_ELSEWHERE = 1 << 20, 1 << 26

Row: TypeAlias = tuple[Tensor, str, Spec, int]
"""A tensor to fill, the name that its key is made of, what becomes of its words, and the global
index of its first element, after which the others follow."""

_EAGER = -1  # the kernel's paths count from 0
# Unset until `_wake`: without a code for the dtype nobody calls them.
_fill: Callable[..., None]
_fill_many: Callable[..., None]
_best = _EAGER
_codes: dict[torch.dtype, int] = {}
_increment_version: Callable[[Sequence[Tensor]], None] = torch._C._increment_version


def write(out: Tensor, key: Key, spec: Spec, runs: Runs, path: str | None, bump: bool) -> Tensor:
    """Write contiguous CPU memory in one call of the kernel; leave the rest to `_write_slowly`."""
    kind = type(out)
    if path is None and type(runs) is int and (kind is Parameter or kind is Tensor) and out.is_cpu:
        code = _codes.get(out.dtype)
        try:
            if code is not None and out.is_contiguous() and not out.is_neg():
                memory = out.untyped_storage()
                base, size = memory.data_ptr(), memory.nbytes()
                _fill(_best, code, out.data_ptr(), out.numel(), base, size, runs, None, key, spec)
                if bump:
                    _bump(out)
                return _within(out, spec) if out.dtype in WIDE else out
        except (ValueError, OverflowError, RuntimeError):
            pass  # the slow way writes it, or says in the user's words why it can't
    _write_slowly(out, key, spec, runs, path)
    if bump:
        _bump(out)
    return _within(out, spec) if out.dtype in WIDE else out


def _within(out: Tensor, spec: Spec) -> Tensor:
    """Keep values within the bounds as float64 holds them: float32 may have rounded them outwards.

    In a detached view, whose version nobody has seen.
    """
    bounds = bounds_of(spec)
    if bounds is not None:
        real = torch.view_as_real(out.detach()) if out.is_complex() else out.detach()
        with torch.inference_mode(out.is_inference()):
            real.clamp_(*bounds)
    return out


def write_many(rows: Sequence[Row], seed: int) -> None:
    """Fill many tensors, each from its own name, in one call of the kernel."""
    _wake()
    packed: list[tuple[int, int, int, int, int, int, str, Spec]] = []
    written: list[Row] = []
    others: list[Row] = []
    codes = {dtype: code for dtype, code in _codes.items() if dtype not in WIDE}
    for row in rows:  # of which there are thousands
        out, name, spec, start = row
        kind, code = type(out), codes.get(out.dtype)
        if (
            code is None
            or not (kind is Parameter or kind is Tensor)
            or not (out.is_cpu and out.is_contiguous())
            or out.is_neg()
        ):
            others.append(row)
            continue
        memory = out.untyped_storage()
        ends = memory.data_ptr(), memory.nbytes()
        packed.append((code, out.data_ptr(), out.numel(), *ends, start, name, spec))
        written.append(row)
    try:
        if packed:
            _fill_many(_best, seed, packed)
            _increment_version([row[0] for row in written])
    except (ValueError, OverflowError, RuntimeError):
        # Nothing was written where the kernel refused a row: one by one says which, and why.
        others += written
    for row in _write_on_gpu(others, seed):
        _write_row(row, seed)


def _write_on_gpu(rows: Sequence[Row], seed: int) -> Sequence[Row]:
    """Fill what the GPU's kernel fills in one launch; return the other rows."""
    if not any(row[0].is_cuda for row in rows):
        return rows
    there: dict[ModuleType, list[Row]] = {}
    others: list[Row] = []
    known: dict[tuple[int, torch.dtype, torch.device], ModuleType | None] = {}
    for row in rows:
        out, _, spec, _ = row
        plain = type(out) in (Parameter, Tensor) and out.is_contiguous() and not out.is_neg()
        plain = plain and not out.data_ptr() % out.element_size()
        kernel = None
        if plain and out.dtype in native.FLOATS and out.dtype not in WIDE and spec[0] in VALUES:
            kind = id(spec), out.dtype, out.device  # many rows share a spec
            kernel = known[kind] if kind in known else known.setdefault(kind, gpu.kernel(out, spec))
        (others if kernel is None else there.setdefault(kernel, [])).append(row)
    for kernel, here in there.items():
        kernel.fill_many(items_of(here, seed))
        for row in here:
            _bump(row[0])
    return others


def items_of(rows: Sequence[Row], seed: int) -> list[gpu.Item]:
    """Return rows as the GPU's kernel takes them."""
    return [
        (out.detach(), spec, key_of(seed, name), RunTable.read(start, out.numel()))
        for out, name, spec, start in rows
    ]


def _write_row(row: Row, seed: int) -> None:
    out, name, spec, start = row
    if spec[0] == CONSTANT:
        out.fill_(spec[1])
    else:
        write(out, key_of(seed, name), spec, start, None, bump=True)


def _bump(out: Tensor) -> None:
    """Raise the version that autograd compares; tensors made in inference mode have none."""
    try:
        _increment_version((out,))
    except RuntimeError:
        if not out.is_inference():
            raise


def _write_slowly(out: Tensor, key: Key, spec: Spec, runs: Runs, path: str | None) -> None:
    """Write any memory there is; refuse what has none, or holds an element twice."""
    _wake()
    if spec[0] in VALUES:  # words, masks and choices go into memory made for them
        refuse(out)
    fill = _filler(out, path)
    words = 2 if out.is_complex() else 1  # a complex element i has the real ones 2 i and 2 i + 1
    table = RunTable.read(runs, out.numel()).scaled(words)
    # Inference tensors may be changed in inference mode alone; others are viewed outside of it.
    with torch.inference_mode(out.is_inference()), torch.no_grad():
        if _direct(out):
            _write_flat(out, key, spec, table, fill)
            return
        # Strided, conjugate or wrapped: contiguous scratch is filled, and torch copies it there.
        for part, offset in _slabs(out):
            scratch = torch.empty(part.shape, dtype=part.dtype, device=part.device)
            cut = table.cut(words * offset, words * part.numel())
            _write_flat(scratch, key, spec, cut, fill)
            part.copy_(scratch)


def _write_flat(out: Tensor, key: Key, spec: Spec, runs: RunTable, fill: gpu.Fill) -> None:
    fill((torch.view_as_real(out) if out.is_complex() else out).view(-1), spec, key, runs)


def _filler(out: Tensor, path: str | None) -> gpu.Fill:
    """Return what fills contiguous memory on a tensor's device."""
    number = _best if path is None else _EAGER if path == "eager" else native.number(path)
    if out.is_cuda and path != "eager":
        return gpu.fill
    return eager.fill if number == _EAGER or not out.is_cpu else partial(_fill_by, number)


def _fill_by(number: int, out: Tensor, spec: Spec, key: Key, runs: RunTable) -> None:
    """Fill by the C kernel, which reads and writes whole elements at aligned addresses."""
    ptr = out.data_ptr()
    if ptr % out.element_size():
        eager.fill(out, spec, key, runs)
        return
    memory = out.untyped_storage()  # its bounds, so that the kernel can refuse to write beyond
    where = (ptr, out.numel(), memory.data_ptr(), memory.nbytes())
    _fill(number, _codes[out.dtype], *where, 0, runs.pairs, key, spec)


def _direct(out: Tensor) -> bool:
    """Tell whether the memory can be written as it lies."""
    return owns_memory(out) and out.is_contiguous() and not out.is_neg() and not out.is_conj()


def _slabs(out: Tensor, offset: int = 0) -> Iterator[tuple[Tensor, int]]:
    """Cut a tensor along its leading dimensions; in logical order each piece is one range."""
    size = SCRATCH if out.is_cpu else SCRATCH_ELSEWHERE
    if out.numel() <= size:
        yield out, offset
        return
    row = out.numel() // len(out)
    step = size // row
    for i in range(0, len(out), step or 1):
        at = offset + i * row
        if step:
            yield out[i : i + step], at
        else:
            yield from _slabs(out[i], at)


def backend() -> str:
    """Say in one line which implementation is used, and why.

    >>> backend().startswith(("C kernel", "eager torch"))
    True
    """
    loaded = native.load()
    wrong = f"; wrong answers from {', '.join(loaded.wrong)}" if loaded.wrong else ""
    if loaded.paths:
        return f"C kernel, {next(iter(loaded.paths))}{wrong}"
    return f"eager torch, several times slower: {loaded.reason or 'no usable kernel'}{wrong}"


def paths() -> tuple[str, ...]:
    """Return the names of the usable implementations, best first; ``"eager"`` is always there."""
    return (*native.load().paths, "eager")


def _wake() -> None:
    """Load the kernel at the first write; until then there are no dtypes for the fast way."""
    global _fill, _fill_many, _best, _codes  # noqa: PLW0603 - read on every write, so plain names
    loaded = native.load()
    if loaded.kernel is not None and loaded.paths:
        _fill, _fill_many = loaded.kernel.fill, loaded.kernel.fill_many
        _best = next(iter(loaded.paths.values()))
        _codes = native.CODES  # last: a thread that finds a code here finds the others set, too
