"""The stream as one Triton kernel, for memory on a GPU; imported only where Triton is.

A launch fills many pieces of memory of one dtype by one operation: words, map, truncation, clamp
and conversion in one pass. Nothing is read but the table, whose 64 KiB a GPU's first cache holds.
Two tables of int64 say what to do: ``pieces`` where, and ``jobs`` what, as the C kernel's Job does.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache

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

_COUNTERS = 1024  # of a program: four blocks, and 2,048 elements
_PIECE = 5  # columns of `pieces`: programs before it, address, count, first index, job
_JOB = 9  # columns of `jobs`: see _job
_INFINITY = float("inf")

# The constants that the kernel reads, as the compiler wants them.
_WORDS, _UNIFORM = tl.constexpr(WORDS), tl.constexpr(UNIFORM)
_TRUNC_NORMAL, _BERNOULLI = tl.constexpr(TRUNC_NORMAL), tl.constexpr(BERNOULLI)
_CHOICE = tl.constexpr(CHOICE)
_F32, _F64 = tl.constexpr(CODES[torch.float32]), tl.constexpr(CODES[torch.float64])
_BF16 = tl.constexpr(CODES[torch.bfloat16])
_COLUMNS, _NUMBERS = tl.constexpr(_PIECE), tl.constexpr(_JOB)


def fill(out: Tensor, spec: Spec, key: Key, runs: RunTable) -> None:
    """Fill the one-dimensional, contiguous ``out`` with what ``spec`` makes of the runs' words."""
    fill_many([(out, spec, key, runs)])


def fill_many(items: Iterable[Item]) -> None:
    """Fill many tensors: one launch for each device, dtype and operation."""
    groups: defaultdict[tuple[torch.device, torch.dtype, int], list[Item]] = defaultdict(list)
    for item in items:
        groups[item[0].device, item[0].dtype, int(item[1][0])].append(item)
    for (device, dtype, op), group in groups.items():
        _launch(group, device, dtype, op)


def _launch(group: Sequence[Item], device: torch.device, dtype: torch.dtype, op: int) -> None:
    pieces, programs = _pieces(group)
    if not programs:
        return
    jobs = torch.tensor([_job(spec, key) for _, spec, key, _ in group], dtype=torch.int64)
    steps = (len(pieces) - 1).bit_length()
    tables = pieces.to(device), jobs.to(device), _table(device)
    options = {"op": op, "dtype": CODES[dtype], "counters": _COUNTERS}
    with torch.cuda.device(device) if device.type == "cuda" else torch.no_grad():
        # A fused multiply-add would round once where the contract rounds twice.
        _kernel[programs,](*tables, len(pieces), steps, **options, enable_fp_fusion=False)


@cache
def _table(device: torch.device) -> Tensor:
    """Return A, then B, as float32."""
    return torch.frombuffer(bytearray(native_bytes()), dtype=torch.float32).to(device)


def _pieces(group: Sequence[Item]) -> tuple[Tensor, int]:
    """Return the table of all runs that have elements, and how many programs they take."""
    parts = []
    for number, (out, _, _, runs) in enumerate(group):
        pairs = torch.tensor(runs.pairs.tolist(), dtype=torch.int64).view(-1, 2)
        start, count = pairs[pairs[:, 1] > 0].unbind(1)
        address = out.data_ptr() + (count.cumsum(0) - count) * out.element_size()
        parts.append(torch.stack((address, count, start, torch.full_like(start, number)), 1))
    rows = torch.cat(parts)
    # A block, 512 elements, is 256 counters; whole blocks are made, and what is too much is masked.
    blocks = (rows[:, 2] + (rows[:, 1] - 1) >> 9) - (rows[:, 2] >> 9) + 1
    programs = (blocks * 256 + _COUNTERS - 1) // _COUNTERS
    before = programs.cumsum(0) - programs
    return torch.cat((before[:, None], rows), 1).contiguous(), int(programs.sum())


def _job(spec: Spec, key: Key) -> list[int]:
    """Return the key, two whole numbers, and scale, addend, low, high, threshold as bits."""
    op, *x = spec
    whole, floats = [0, 0], [0.0, -0.0, -_INFINITY, _INFINITY, 0.0]
    if op == UNIFORM:
        floats = [(x[1] - x[0]) * 2.0**-24, (x[0] + x[1]) / 2, -_INFINITY, _INFINITY, x[2]]
        if f32(floats[1]) != 0:  # only then may the sum be rounded past an end
            floats[2:4] = x[:2]
    elif op in (NORMAL, TRUNC_NORMAL):
        floats[:2] = x[1], x[0]
        if op == TRUNC_NORMAL:
            floats[2:4], whole = x[2:4], [int(x[4]), int(x[5])]
    elif op in (BERNOULLI, CHOICE):
        whole = [int(x[0]), 0]
    if f32(floats[1]) == 0:
        floats[1] = -0.0  # x + -0 is x for every x
    return [key[0], key[1], *whole, *(_bits(f32(value)) for value in floats)]


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
def _threefry(counter, k0, k1):
    """Return both words of int64 counters."""
    k2 = k0 ^ k1 ^ 0x1BD11BDA
    x0 = counter.to(tl.uint32) + k0
    x1 = (counter >> 32).to(tl.uint32) + k1
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
def _value(w, job, table, op: tl.constexpr):
    """Turn words into float32 values."""
    if op == _UNIFORM:
        raw = ((w.to(tl.int32, bitcast=True) >> 8) | 1).to(tl.float32)
    else:
        if op == _TRUNC_NORMAL:
            top, span = tl.load(job + 2).to(tl.uint32), tl.load(job + 3).to(tl.uint64)
            w = top + ((w.to(tl.uint64) * span) >> 32).to(tl.uint32)
        f = (w | 1).to(tl.int32, bitcast=True).to(tl.float32)
        bits = f.to(tl.uint32, bitcast=True)
        at = ((bits >> 15) & 8191).to(tl.int32)
        a = tl.load(table + at).to(tl.uint32, bitcast=True) ^ (bits & 0x80000000)
        raw = a.to(tl.float32, bitcast=True) + tl.load(table + 8192 + at) * f
    x = raw * _number(job, 4) + _number(job, 5)
    low, high = _number(job, 6), _number(job, 7)
    x = tl.where(x < low, low, x)
    x = tl.where(x > high, high, x)
    return tl.where(tl.abs(x) < _number(job, 8), 0.0, x)


@triton.jit
def _store(address, place, count, w, job, table, op: tl.constexpr, dtype: tl.constexpr):
    """Write what becomes of words, where they have a place."""
    inside = (place >= 0) & (place < count)
    if op == _WORDS:
        tl.store(address.to(tl.pointer_type(tl.int64)) + place, w.to(tl.int64), mask=inside)
    elif op == _BERNOULLI:
        below = w.to(tl.uint64) < tl.load(job + 2).to(tl.uint64)
        tl.store(address.to(tl.pointer_type(tl.int8)) + place, below.to(tl.int8), mask=inside)
    elif op == _CHOICE:
        chosen = (w.to(tl.uint64) * tl.load(job + 2).to(tl.uint64)) >> 32
        tl.store(address.to(tl.pointer_type(tl.int64)) + place, chosen.to(tl.int64), mask=inside)
    else:
        x = _value(w, job, table, op)
        if dtype == _F32:
            tl.store(address.to(tl.pointer_type(tl.float32)) + place, x, mask=inside)
        elif dtype == _F64:
            wide = x.to(tl.float64)
            tl.store(address.to(tl.pointer_type(tl.float64)) + place, wide, mask=inside)
        elif dtype == _BF16:
            bits = x.to(tl.uint32, bitcast=True)  # to nearest even, by the bits
            half = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).to(tl.uint16)
            tl.store(address.to(tl.pointer_type(tl.uint16)) + place, half, mask=inside)
        else:
            half = x.to(tl.float16)
            tl.store(address.to(tl.pointer_type(tl.float16)) + place, half, mask=inside)


# Sizes change from launch to launch: a kernel compiled for some would be compiled again for others.
@triton.jit(do_not_specialize=["length", "steps"])
def _kernel(
    pieces,
    jobs,
    table,
    length,
    steps,
    op: tl.constexpr,
    dtype: tl.constexpr,
    counters: tl.constexpr,
):
    """Find this program's piece by halving, then make and store the words of its counters."""
    program = tl.program_id(0)
    left = program * 0
    right = left + length - 1
    for _ in range(steps):
        middle = (left + right + 1) // 2
        begun = tl.load(pieces + middle * _COLUMNS) <= program
        left = tl.where(begun, middle, left)
        right = tl.where(begun, right, middle - 1)
    piece = pieces + left * _COLUMNS
    address, count = tl.load(piece + 1), tl.load(piece + 2)
    start, job = tl.load(piece + 3), jobs + tl.load(piece + 4) * _NUMBERS
    k0, k1 = tl.load(job).to(tl.uint32), tl.load(job + 1).to(tl.uint32)
    first = ((start >> 9) << 8) + (program - tl.load(piece)) * counters
    counter = first + tl.arange(0, counters)
    x0, x1 = _threefry(counter, k0, k1)
    # In 64 bits differences are right even where an index beyond the last one wraps.
    place = ((counter >> 8) << 9 | (counter & 255)) - start
    _store(address, place, count, x0, job, table, op, dtype)
    _store(address, place + 256, count, x1, job, table, op, dtype)
