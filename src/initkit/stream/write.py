"""Write values into tensors: by the C kernel where it can, else through scratch or plain torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import Parameter

from . import eager, native
from .keys import Key
from .memory import owns_memory, refuse
from .runs import Runs, RunTable
from .spec import VALUES, Spec

SCRATCH = 1 << 20  # elements of scratch for memory that is not written as it lies

_EAGER = -1  # the kernel's paths count from 0
_fill: Callable[..., None]  # unset until `_wake`: without a code for the dtype nobody calls it
_best = _EAGER
_codes: dict[torch.dtype, int] = {}
_increment_version: Callable[[tuple[Tensor]], None] = torch._C._increment_version


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
                return out
        except (ValueError, OverflowError, RuntimeError):
            pass  # the slow way writes it, or says in the user's words why it can't
    _write_slowly(out, key, spec, runs, path)
    if bump:
        _bump(out)
    return out


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
    number = _best if path is None else _EAGER if path == "eager" else native.number(path)
    words = 2 if out.is_complex() else 1  # a complex element i has the real ones 2 i and 2 i + 1
    table = RunTable.read(runs, out.numel()).scaled(words)
    # Inference tensors may be changed in inference mode alone; others are viewed outside of it.
    with torch.inference_mode(out.is_inference()), torch.no_grad():
        if _direct(out):
            _write_flat(out, key, spec, table, number)
            return
        # Strided, conjugate or wrapped: contiguous scratch is filled, and torch copies it there.
        for part, offset in _slabs(out):
            scratch = torch.empty(part.shape, dtype=part.dtype, device=part.device)
            cut = table.cut(words * offset, words * part.numel())
            _write_flat(scratch, key, spec, cut, number)
            part.copy_(scratch)


def _write_flat(out: Tensor, key: Key, spec: Spec, runs: RunTable, number: int) -> None:
    flat = (torch.view_as_real(out) if out.is_complex() else out).view(-1)
    ptr = flat.data_ptr()
    # The kernel reads and writes whole elements, so that their addresses must be aligned.
    if number == _EAGER or not flat.is_cpu or ptr % flat.element_size():
        eager.fill(flat, spec, key, runs)
        return
    memory = flat.untyped_storage()  # its bounds, so that the kernel can refuse to write beyond
    where = (ptr, flat.numel(), memory.data_ptr(), memory.nbytes())
    _fill(number, _codes[flat.dtype], *where, 0, runs.pairs, key, spec)


def _direct(out: Tensor) -> bool:
    """Tell whether the memory can be written as it lies."""
    return owns_memory(out) and out.is_contiguous() and not out.is_neg() and not out.is_conj()


def _slabs(out: Tensor, offset: int = 0) -> Iterator[tuple[Tensor, int]]:
    """Cut a tensor along its leading dimensions; in logical order each piece is one range."""
    if out.numel() <= SCRATCH:
        yield out, offset
        return
    row = out.numel() // len(out)
    step = SCRATCH // row
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
    global _fill, _best, _codes  # noqa: PLW0603 - read on every write, so plain names
    loaded = native.load()
    if loaded.kernel is not None and loaded.paths:
        _fill = loaded.kernel.fill
        _best = next(iter(loaded.paths.values()))
        _codes = native.CODES  # last: a thread that finds a code here finds the others set, too
