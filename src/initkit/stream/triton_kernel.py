"""The stream as one Triton kernel, for memory on a GPU; imported only where Triton is.

A launch fills many pieces of memory of one dtype by one map: words, map, truncation, clamp and
conversion in one pass. Each program makes one block, 512 elements. What a GPU does in its time is
issue instructions, some 40 to 55 for an element, rather than write memory; so steps that would
change nothing are left out when the kernel is compiled. Nothing is read but a row of a table that
says what to do, as the C kernel's Job does, and A and B, whose 64 KiB a GPU's first cache holds.
"""

from __future__ import annotations

import struct
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache, partial
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from .eager import f32
from .keys import Key
from .native import CODES
from .runs import RunTable
from .spec import BERNOULLI, CHOICE, NORMAL, TRUNC_NORMAL, UNIFORM, WORDS, Spec
from .table import native_bytes

Item = tuple[Tensor, Spec, Key, RunTable]

_INFINITY = float("inf")

# The constants that the kernel reads, as the compiler wants them.
_WORDS, _UNIFORM = tl.constexpr(WORDS), tl.constexpr(UNIFORM)
_TRUNC_NORMAL, _BERNOULLI = tl.constexpr(TRUNC_NORMAL), tl.constexpr(BERNOULLI)
_CHOICE = tl.constexpr(CHOICE)
_F64, _BF16 = tl.constexpr(CODES[torch.float64]), tl.constexpr(CODES[torch.bfloat16])
_F16 = tl.constexpr(CODES[torch.float16])
# A row about a piece: the blocks before it, address, count, first index; its key, and _numbers.
_PIECE = tl.constexpr(4)
_COLUMNS = tl.constexpr(13)


class Variant(NamedTuple):
    """What one compiled kernel does: a map, and the steps after it that change anything."""

    op: int
    shifted: bool = False  # an addend that is not 0
    clamped: bool = False
    masked: bool = False  # below a threshold it is 0


def fill(out: Tensor, spec: Spec, key: Key, runs: RunTable) -> None:
    """Fill the one-dimensional, contiguous ``out`` with what ``spec`` makes of the runs' words."""
    fill_many([(out, spec, key, runs)])


def fill_many(items: Iterable[Item]) -> None:
    """Fill many tensors: one launch for each device, dtype and variant."""
    groups: defaultdict[tuple[torch.device, torch.dtype, Variant], list[Item]] = defaultdict(list)
    kinds: dict[int, Variant] = {}  # by the id of a spec, which many items share
    for item in items:
        out, spec, _, _ = item
        if not out.numel():
            continue
        kind = kinds.get(id(spec)) or kinds.setdefault(id(spec), variant(spec))
        groups[out.device, out.dtype, kind].append(item)
    for (device, dtype, kind), group in groups.items():
        _launch(group, device, dtype, kind)


def variant(spec: Spec) -> Variant:
    """Return which of the compiled kernels a spec needs."""
    op = int(spec[0])
    if op not in (UNIFORM, NORMAL, TRUNC_NORMAL):
        return Variant(op)
    _, addend, low, high, threshold = _floats(spec)
    return Variant(op, addend != 0, low > -_INFINITY or high < _INFINITY, threshold > 0)


def _launch(group: Sequence[Item], device: torch.device, dtype: torch.dtype, kind: Variant) -> None:
    pieces, blocks = _pieces(group)
    code = CODES[dtype], dtype.itemsize
    with torch.cuda.device(device) if device.type == "cuda" else torch.no_grad():
        # A fused multiply-add would round once where the contract rounds twice.
        launch = partial(_kernel[blocks,], num_warps=1, enable_fp_fusion=False)
        launch(pieces.to(device), _table(device), len(pieces), *kind, *code)


@cache
def _table(device: torch.device) -> Tensor:
    """Return pairs of A and B, each pair as one int64, so that it is looked up at once."""
    both = torch.frombuffer(bytearray(native_bytes()), dtype=torch.int32).view(2, -1)
    return both.t().contiguous().view(torch.int64).view(-1).to(device)


def _pieces(group: Sequence[Item]) -> tuple[Tensor, int]:
    """Return a row for each run that has elements, and how many blocks they take."""
    pairs, jobs = array("q"), array("q")
    numbers: dict[int, list[int]] = {}  # by the id of a spec, which many items share
    for out, spec, key, runs in group:
        pairs.extend(runs.pairs)
        jobs.extend((out.data_ptr(), *key))
        jobs.extend(numbers.get(id(spec)) or numbers.setdefault(id(spec), _numbers(spec)))
    lengths = torch.tensor([len(runs) for _, _, _, runs in group])
    job = torch.frombuffer(jobs, dtype=torch.int64).view(len(group), -1)
    job = job.repeat_interleave(lengths, 0)
    start, count = torch.frombuffer(pairs, dtype=torch.int64).view(-1, 2).unbind(1)
    before = count.cumsum(0) - count
    within = before - before[lengths.cumsum(0) - lengths].repeat_interleave(lengths)
    address = job[:, 0] + within * group[0][0].element_size()
    blocks = (start + (count - 1) >> 9) - (start >> 9) + 1
    blocks = torch.where(count > 0, blocks, 0)
    rows = torch.stack((blocks.cumsum(0) - blocks, address, count, start), 1)
    return torch.cat((rows, job[:, 1:]), 1)[count > 0], int(blocks.sum())


def _numbers(spec: Spec) -> list[int]:
    """Return two whole numbers, and scale, addend, low, high, threshold as bits."""
    op, *x = spec
    whole = [int(x[4]), int(x[5])] if op == TRUNC_NORMAL else [int(x[0]) if x else 0, 0]
    return [*whole, *map(_bits, _floats(spec))]


def _floats(spec: Spec) -> tuple[float, ...]:
    """Return scale, addend, low, high and threshold."""
    op, *x = spec
    scale, addend, low, high, threshold = 0.0, 0.0, -_INFINITY, _INFINITY, 0.0
    if op == UNIFORM:
        scale, addend, threshold = (x[1] - x[0]) * 2.0**-24, (x[0] + x[1]) / 2, x[2]
        if f32(addend) != 0:  # only then may the sum be rounded past an end
            low, high = x[:2]
    elif op in (NORMAL, TRUNC_NORMAL):
        addend, scale = x[:2]
        if op == TRUNC_NORMAL:
            low, high = x[2:4]
    return tuple(map(f32, (scale, addend, low, high, threshold)))


def _bits(x: float) -> int:
    return int.from_bytes(struct.pack("<f", x), "little", signed=True)


@triton.jit
def _four(x0, x1, a: tl.constexpr, b: tl.constexpr, c: tl.constexpr, d: tl.constexpr):
    """Carry out four rounds of Threefry2x32, by their rotations."""
    x0 += x1
    x1 = ((x1 << a) | (x1 >> (32 - a))) ^ x0
    x0 += x1
    x1 = ((x1 << b) | (x1 >> (32 - b))) ^ x0
    x0 += x1
    x1 = ((x1 << c) | (x1 >> (32 - c))) ^ x0
    x0 += x1
    x1 = ((x1 << d) | (x1 >> (32 - d))) ^ x0
    return x0, x1


@triton.jit
def _threefry(x0, x1, k0, k1):
    """Return both words of the counters whose halves are ``x0`` and ``x1``."""
    k2 = k0 ^ k1 ^ 0x1BD11BDA
    x0, x1 = x0 + k0, x1 + k1
    x0, x1 = _four(x0, x1, 13, 15, 26, 6)
    x0, x1 = x0 + k1, x1 + k2 + 1
    x0, x1 = _four(x0, x1, 17, 29, 16, 24)
    x0, x1 = x0 + k2, x1 + k0 + 2
    x0, x1 = _four(x0, x1, 13, 15, 26, 6)
    x0, x1 = x0 + k0, x1 + k1 + 3
    x0, x1 = _four(x0, x1, 17, 29, 16, 24)
    x0, x1 = x0 + k1, x1 + k2 + 4
    x0, x1 = _four(x0, x1, 13, 15, 26, 6)
    return x0 + k2, x1 + k0 + 5


@triton.jit
def _number(job, column: tl.constexpr):
    """Read one of a job's floats."""
    return tl.load(job + column).to(tl.int32).to(tl.float32, bitcast=True)


@triton.jit
def _value(
    w,
    job,
    table,
    op: tl.constexpr,
    shifted: tl.constexpr,
    clamped: tl.constexpr,
    masked: tl.constexpr,
):
    """Turn words into float32 values."""
    if op == _UNIFORM:
        raw = ((w.to(tl.int32, bitcast=True) >> 8) | 1).to(tl.float32)
    else:
        if op == _TRUNC_NORMAL:
            top, span = tl.load(job + 2).to(tl.uint32), tl.load(job + 3).to(tl.uint64)
            w = top + ((w.to(tl.uint64) * span) >> 32).to(tl.uint32)
        f = (w | 1).to(tl.int32, bitcast=True).to(tl.float32)
        bits = f.to(tl.uint32, bitcast=True)
        pair = tl.load(table + ((bits >> 15) & 8191).to(tl.int32))
        a = pair.to(tl.uint32) ^ (bits & 0x80000000)
        b = (pair >> 32).to(tl.uint32)
        raw = a.to(tl.float32, bitcast=True) + b.to(tl.float32, bitcast=True) * f
    x = raw * _number(job, 4)
    if shifted:
        x += _number(job, 5)
    if clamped:
        low, high = _number(job, 6), _number(job, 7)
        x = tl.where(x < low, low, x)  # unlike max, it keeps the sign of a zero
        x = tl.where(x > high, high, x)
    if masked:
        x = tl.where(tl.abs(x) < _number(job, 8), 0.0, x)
    return x


@triton.jit
def _element(
    w,
    job,
    table,
    op: tl.constexpr,
    shifted: tl.constexpr,
    clamped: tl.constexpr,
    masked: tl.constexpr,
    dtype: tl.constexpr,
):
    """Return what becomes of words, as memory of the dtype holds it."""
    if op == _WORDS:
        y = w.to(tl.int64)
    elif op == _BERNOULLI:
        y = (w.to(tl.uint64) < tl.load(job + 2).to(tl.uint64)).to(tl.int8)
    elif op == _CHOICE:
        y = ((w.to(tl.uint64) * tl.load(job + 2).to(tl.uint64)) >> 32).to(tl.int64)
    else:
        y = _value(w, job, table, op, shifted, clamped, masked)
        if dtype == _F64:
            y = y.to(tl.float64)
        elif dtype == _BF16:
            bits = y.to(tl.uint32, bitcast=True)  # to nearest even, by the bits
            y = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).to(tl.uint16)
        elif dtype == _F16:
            y = y.to(tl.float16)
    return y


# Lengths change from launch to launch; one is not to be compiled into the kernel.
@triton.jit(do_not_specialize=["length"])
def _kernel(
    pieces,
    table,
    length,
    op: tl.constexpr,
    shifted: tl.constexpr,
    clamped: tl.constexpr,
    masked: tl.constexpr,
    dtype: tl.constexpr,
    element_size: tl.constexpr,
):
    """Find this program's piece by halving, then make and store one block of it."""
    program = tl.program_id(0)
    left = program * 0
    right = left + length - 1
    while left < right:
        middle = (left + right + 1) // 2
        begun = tl.load(pieces + middle * _COLUMNS) <= program
        left = tl.where(begun, middle, left)
        right = tl.where(begun, right, middle - 1)
    piece = pieces + left * _COLUMNS
    address, count, start = tl.load(piece + 1), tl.load(piece + 2), tl.load(piece + 3)
    job = piece + _PIECE
    k0, k1 = tl.load(job).to(tl.uint32), tl.load(job + 1).to(tl.uint32)
    block = (start >> 9) + (program - tl.load(piece))
    counter = block << 8  # the lowest byte is 0, so that 256 counters share the upper word
    at = tl.arange(0, 256)
    x0, x1 = _threefry(counter.to(tl.uint32) + at, (counter >> 32).to(tl.uint32), k0, k1)
    y0 = _element(x0, job, table, op, shifted, clamped, masked, dtype)
    y1 = _element(x1, job, table, op, shifted, clamped, masked, dtype)
    # In 64 bits differences are right even where an index beyond the last one wraps.
    before = (block << 9) - start
    memory = address + before * element_size
    out = memory.to(tl.pointer_type(y0.dtype)) + at
    if (before >= 0) & (before + 512 <= count) & (memory % 16 == 0):
        out = tl.max_contiguous(tl.multiple_of(out, 16), 256)  # stored 16 bytes at a time
        tl.store(out, y0)
        tl.store(out + 256, y1)
    else:
        begin = tl.maximum(-before, 0).to(tl.int32)
        end = tl.minimum(count - before, 512).to(tl.int32)
        tl.store(out, y0, mask=(at >= begin) & (at < end))
        tl.store(out + 256, y1, mask=(at + 256 >= begin) & (at + 256 < end))
