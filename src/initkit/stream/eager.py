"""The stream in plain torch operations: any device, the reference, and the fallback."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .keys import Key
from .runs import RunTable
from .spec import Spec
from .table import table

# Threefry2x32-20 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"; Random123).
# Words are int32, since torch has no arithmetic on uint32: sums and products wrap alike.
_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_PARITY = 0x1BD11BDA
_MASK = 0xFFFFFFFF
_BLOCK = 512  # elements that share 256 counters, each of which yields two words
_EPOCH = 1 << 33  # so many elements share the counter's upper word
_SHORT = 1 << 13  # runs shorter than this are faster with their indices spelled out
CHUNK = 1 << 18  # elements at a time, so that scratch stays small; fewer launches elsewhere
_CHUNK_ELSEWHERE = 1 << 20


def fill(out: Tensor, spec: Spec, key: Key, runs: RunTable) -> None:
    """Fill the one-dimensional, contiguous ``out`` with what ``spec`` makes of the runs' words."""
    done = 0
    for w in drawn(key, runs, out.device):
        out[done : done + len(w)].copy_(value(w, spec))
        done += len(w)


def drawn(key: Key, runs: RunTable, device: torch.device) -> Iterator[Tensor]:
    """Yield the words of all runs, in order, as int32 pieces of bounded size."""
    limit = CHUNK if device.type == "cpu" else _CHUNK_ELSEWHERE
    if len(runs) > 1 and runs.total < _SHORT * len(runs):
        yield from _scattered(key, runs, device, limit)
        return
    for start, length in runs:
        end = start + length
        while start < end:
            stop = min(end, start + limit, (start // _EPOCH + 1) * _EPOCH)
            yield words(key, start, stop - start, device)
            start = stop


def _scattered(key: Key, runs: RunTable, device: torch.device, limit: int) -> Iterator[Tensor]:
    """Yield the words of many short runs, all indices spelled out."""
    for offset in range(0, runs.total, limit):
        part = runs.cut(offset, min(limit, runs.total - offset))
        # An element's index is its place in the part plus what its run's start is ahead of it.
        starts, lengths = (torch.tensor(part.pairs[n::2].tolist()).to(device) for n in (0, 1))
        shifts = starts - lengths.cumsum(0) + lengths
        index = torch.arange(part.total, device=device) + shifts.repeat_interleave(lengths)
        yield words_at(key, index)


def words(key: Key, start: int, count: int, device: torch.device) -> Tensor:
    """Return the words of ``count`` elements from ``start`` on, as int32; one epoch at most."""
    # Whole blocks are made and what is too much is cut off: within them the counters ascend.
    first, last = start // _BLOCK, (start + count - 1) // _BLOCK
    counter, keys = first << 8, _key_words(key)
    x1 = (counter >> 32) + keys[1] & _MASK
    x0 = torch.arange((last + 1 - first) << 8, dtype=torch.int32, device=device)
    x0 += _signed((counter & _MASK) + keys[0] + x1)
    # In the first round x1 is still one number for the whole piece.
    x0, t = _rounds(x0, x0 ^ _signed(x1 << 13 | x1 >> 19), keys, 2)
    # A block is the first words of its 256 counters, then their second words.
    both = torch.stack((x0.view(-1, 256), t.view(-1, 256)), 1).view(-1)
    skip = start - first * _BLOCK
    return both[skip : skip + count]


def words_at(key: Key, index: Tensor) -> Tensor:
    """Return the words of the elements ``index`` (int64, one dimension), as int32."""
    keys = _key_words(key)
    # The counter without the bit that chooses between its two words.
    c = index >> 9 << 8 | index & 255
    x0, x1 = _low(c).add_(_signed(keys[0])), _low(c >> 32).add_(_signed(keys[1]))
    x0, x1 = _rounds(x0, x1, keys, 1)
    return torch.where((index >> 8 & 1).bool(), x1, x0)


def _low(x: Tensor) -> Tensor:
    """Return the low 32 bits of int64 as int32, through values that fit."""
    return ((x + (1 << 31) & _MASK) - (1 << 31)).to(torch.int32)


def _key_words(key: Key) -> tuple[int, int, int]:
    return key[0], key[1], key[0] ^ key[1] ^ _PARITY


def _rounds(
    x0: Tensor, x1: Tensor, keys: tuple[int, int, int], first: int
) -> tuple[Tensor, Tensor]:
    """Carry out the rounds of Threefry2x32-20 from ``first`` (1 is the first) on, in place."""
    spare = torch.empty_like(x1)
    for n in range(first, 21):
        x1, spare = _round(x0, x1, spare, _ROTATIONS[(n - 1) % 8])
        if n % 4 == 0:  # a key after every fourth round
            x0 += _signed(keys[n // 4 % 3])
            x1 += _signed(keys[(n // 4 + 1) % 3] + n // 4)
    return x0, x1


def _round(x0: Tensor, x1: Tensor, spare: Tensor, rotation: int) -> tuple[Tensor, Tensor]:
    """Carry out one round: ``x0 + x1``, and x1 rotated to the left, XORed with that.

    The new x1 is in ``spare``, and the old one's memory is the next round's spare.
    """
    x0 += x1
    # The shift of a signed number brings copies of its sign: masked away. The other half of the
    # rotation is added rather than ORed: one operation, and the two halves share no bit.
    torch.bitwise_right_shift(x1, 32 - rotation, out=spare)
    spare &= (1 << rotation) - 1
    spare.add_(x1, alpha=1 << rotation)
    spare ^= x0
    return spare, x1


def _signed(x: int) -> int:
    x &= _MASK
    return x - (x >> 31 << 32)


def value(w: Tensor, spec: Spec) -> Tensor:
    """Turn words (int32) into values."""
    return _MAPS[int(spec[0])](w, *spec[1:])


def _unsigned(w: Tensor) -> Tensor:
    return w.to(torch.int64) & _MASK


def _uniform(w: Tensor, low: float, high: float, threshold: float) -> Tensor:
    m = f32((low + high) / 2)
    # An odd number of 24 bits with its sign: exact in float32, as likely as its negative.
    x = (w >> 8 | 1).to(torch.float32)
    x *= f32((high - low) * 2.0**-24)
    if m != 0:
        x += m
        x.clamp_(f32(low), f32(high))  # the sum may be rounded past an end
    if threshold > 0:
        x.masked_fill_(x.abs() < f32(threshold), 0.0)
    return x


def standard_normal(w: Tensor) -> Tensor:
    """Return the standard normals z(w) as float32."""
    a, b = table(w.device)
    f = (w | 1).to(torch.float32)  # odd, so never 0
    bits = f.view(torch.int32)
    # Five bits of the exponent and eight of the mantissa: the octave and the piece in it.
    ix = ((bits >> 15) & 8191).to(torch.int64)
    signed = a.index_select(0, ix) ^ (bits & -(1 << 31))
    # Not addcmul, nor any other fused operation: each of the two rounds by itself.
    product = b.index_select(0, ix) * f
    return product.add_(signed.view(torch.float32))


def _normal(w: Tensor, mean: float, std: float) -> Tensor:
    z = standard_normal(w)
    z *= f32(std)
    return z.add_(f32(mean)) if f32(mean) != 0 else z


def _trunc_normal(
    w: Tensor, mean: float, std: float, low: float, high: float, top: float, span: float
) -> Tensor:
    # w span would not fit into int64; span is even, so half of it can be taken out exactly.
    u = _unsigned(w).sub_(1 << 31).mul_(int(span))
    u >>= 32
    u += int(top) + int(span) // 2
    return _normal(_low(u), mean, std).clamp_(f32(low), f32(high))


def _bernoulli(w: Tensor, limit: float) -> Tensor:
    return _unsigned(w) < int(limit)


def _choice(w: Tensor, m: float) -> Tensor:
    u = _unsigned(w).sub_(1 << 31).mul_(int(m))
    u += (int(m) & 1) << 31  # w m = u m + 2^31 m, kept below 2^63
    u >>= 32
    return u.add_(int(m) >> 1)


def f32(x: float) -> float:
    """Round to float32; too large becomes infinite."""
    try:
        return float(_F32.unpack(_F32.pack(x))[0])
    except OverflowError:
        return float("inf") if x > 0 else float("-inf")


_F32 = struct.Struct("f")
# In the order of the operations' numbers in `spec`.
_MAPS: tuple[Callable[..., Tensor], ...] = (
    _unsigned,
    _uniform,
    _normal,
    _trunc_normal,
    _bernoulli,
    _choice,
)
