"""Tensors of one model that should differ and don't: copies, and runs of values in two places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from ..distributions import Distribution
from ..model import chunks
from .measure import plain
from .native_pass import memory, native
from .slices import CERTAIN, log_chance_of_meeting

_FEWEST = 8  # elements that must vary for two tensors to be compared
_HEAD = 65  # elements that stand for a tensor
_CLOSE = 1 << 12  # elements of two tensors that are compared
_RUN = 16  # elements that stand for a place
_RARE = 1 << 10  # one place in so many is looked at; its values decide whether it is


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two tensors with the same values, and how they are related."""

    first: int
    second: int
    text: str
    p: float


class _Oriented(NamedTuple):
    """One of the tensors, or its transpose."""

    place: int
    upright: Tensor
    transposed: bool = False

    @property
    def tensor(self) -> Tensor:
        """The tensor as it is compared."""
        return self.upright.mT if self.transposed else self.upright


_Key: TypeAlias = tuple[int, ...]


def duplicates(tensors: Sequence[Tensor]) -> list[Duplicate]:
    """Find tensors that hold or begin with the same values, up to scale, shift and transposition.

    A matrix that equals its own transpose is a duplicate of itself.

    >>> x = torch.randn(4, 16, generator=torch.Generator().manual_seed(0))
    >>> [(c.first, c.second, c.text) for c in duplicates([x, x.clone(), x * 2])]
    [(0, 1, 'holds the same values as'), (0, 2, 'holds 2 times the values of')]
    """
    groups: dict[_Key, list[_Oriented]] = {}
    for key, oriented in _keyed([_Oriented(place, t) for place, t in enumerate(tensors)]):
        groups.setdefault(key, []).append(oriented)
    # A transpose is only compared with what stands upright: it joins groups and begins none.
    transposed = [
        _Oriented(place, t, True)
        for place, t in enumerate(tensors)
        if t.dim() == 2 and min(t.shape) > 1
    ]
    for key, oriented in _keyed(transposed):
        if key in groups:
            groups[key].append(oriented)
    # Any two of the tensors may meet: the chance of one pair counts as often as there are pairs.
    log_pairs = math.log(max(len(tensors), 2)) * 2
    found: dict[int, Duplicate] = {}
    # All of a group agree in their key, so each is compared with the first alone.
    for first, *others in groups.values():
        for other in others:
            if other.place not in found and other.place >= first.place:
                duplicate = _duplicate(first, other, log_pairs)
                if duplicate is not None:
                    found[other.place] = duplicate
    return [found[place] for place in sorted(found)]


def _keyed(tensors: Sequence[_Oriented]) -> list[tuple[_Key, _Oriented]]:
    """Return tensors with what scale and shift leave alike: where the first elements rise."""
    module = native()
    if module is not None:
        keys = ((_key_in_c(module, oriented), oriented) for oriented in tensors)
        return [(key, oriented) for key, oriented in keys if key is not None]
    by_length: dict[int, list[tuple[int, Tensor]]] = {}
    for at, oriented in enumerate(tensors):
        head = _head(oriented.tensor, _HEAD)
        if len(head) >= _FEWEST:
            by_length.setdefault(len(head), []).append((at, head.double()))
    found: list[tuple[int, _Key]] = []
    for length, heads in by_length.items():
        # All of one length at once: of a small tensor each look costs more than its elements.
        rises = torch.stack([head for _, head in heads]).diff()
        moving = rises != 0
        up = rises > 0
        # Relative to the first move, since a negative factor turns every rise into a fall.
        first = up.gather(1, moving.int().argmax(1, keepdim=True))
        rows = (up == first).tolist()
        enough = (moving.sum(1) >= min(_FEWEST, length - 1)).tolist()
        found += [
            (at, tuple(row)) for (at, _), row, kept in zip(heads, rows, enough, strict=True) if kept
        ]
    return [(key, tensors[at]) for at, key in sorted(found)]


def _key_in_c(module: ModuleType, oriented: _Oriented) -> _Key | None:
    """Return how many elements stand for a tensor and a bit for each rise, or None for too few."""
    tensor = oriented.upright
    where, transposed = memory(tensor), oriented.transposed
    columns = tensor.shape[-1] if tensor.dim() else 1
    # What one look at the first elements is not enough for, where rows of constants come first.
    each = tensor.shape[0] if transposed else math.prod(tensor.shape[1:])
    if where is None or (tensor.dim() > 1 and each >= 4 * _HEAD):
        head = _head(oriented.tensor, _HEAD).contiguous()
        where, transposed, columns = memory(head), False, 1
    length = min(where[2], _HEAD) if where is not None else 0
    if where is None or length < _FEWEST:
        return None
    rises = module.rises(*where, columns, transposed)
    return None if rises is None else (length, rises)


def _head(tensor: Tensor, count: int) -> Tensor:
    """Return the first elements that vary, in order."""
    tensor = tensor.detach()
    # Each round drops a leading dimension or a row, so this ends.
    while tensor.dim() > 1 and math.prod(tensor.shape[1:]) >= 4 * count:
        lead = tensor[0]
        if bool((lead == lead.reshape(-1)[0]).all()) and tensor.shape[0] > 1:
            tensor = tensor[1:]  # a padding row, or a block of constants
            continue
        tensor = lead
    if tensor.dim() > 1:
        rows = -(-count // max(math.prod(tensor.shape[1:]), 1))
        tensor = tensor[: rows + 1]
    return plain(tensor.reshape(-1)[:count]).cpu()


def _duplicate(first: _Oriented, second: _Oriented, log_pairs: float) -> Duplicate | None:
    a, b = first.tensor, second.tensor
    count = min(a.numel(), b.numel(), _CLOSE)
    x, y = _head(a, count).double(), _head(b, count).double()
    count = min(len(x), len(y))
    x, y = x[:count], y[:count]
    eps = max(_eps(a), _eps(b))
    fit = _fit(x, y)
    if fit is None:
        return None
    scale, shift, gap = fit
    # Two elements went into scale and shift; each other one agrees by chance to some ulps at most.
    log_p = log_pairs + (count - 2) * math.log(min(32 * eps, 0.5))
    if gap > 8 * eps or log_p > CERTAIN:
        return None
    same = a.shape == b.shape
    text = _relation(scale, shift, float(y.abs().max()), "holds" if same else "begins with", eps)
    if second.transposed:
        text = text.replace("values", "values, transposed,", 1)
    # Below e^-740 a float is 0, which would claim that chance is excluded.
    return Duplicate(first.place, second.place, text, math.exp(max(log_p, -740.0)))


def _fit(x: Tensor, y: Tensor) -> tuple[float, float, float] | None:
    """Fit y = scale x + shift; return both, and the largest gap relative to the largest ``y``."""
    # Least squares in float64; both are centred first, so that a large shift costs no digits.
    dx, dy = x - x.mean(), y - y.mean()
    square = float(dx @ dx)
    if not math.isfinite(square) or not square:
        return None
    scale = float(dx @ dy) / square
    reach = float(y.abs().max())
    if not scale or not reach or not math.isfinite(reach):
        return None
    gap = float((dy - scale * dx).abs().max()) / reach
    return scale, float(y.mean() - scale * x.mean()), gap


def _relation(scale: float, shift: float, reach: float, verb: str, eps: float) -> str:
    if abs(shift) > 32 * eps * reach:
        return f"{verb} {scale:.4g} times, shifted by {shift:.4g}, the values of"
    if abs(scale - 1) <= 32 * eps:
        return f"{verb} the same values as"
    return f"{verb} {scale:.4g} times the values of"


def _eps(tensor: Tensor) -> float:
    return float(torch.finfo(tensor.dtype).eps) if tensor.dtype.itemsize <= 4 else 1.2e-7


# ---------------------------------------------------------------------- runs that appear elsewhere


@dataclass(frozen=True, slots=True)
class SharedRun:
    """Runs of values that stand at two places: in which tensors, how many of them, and the chance.

    ``gap`` is how many elements lie between the first two in one tensor.
    """

    first: int
    second: int
    count: int
    gap: int
    p: float


def shared_runs(
    tensors: Sequence[Tensor], distributions: Sequence[Distribution]
) -> list[SharedRun]:
    """Find long runs of values that one tensor has twice or two tensors share, wherever they stand.

    Which places are compared their values decide, so that a copied part is looked at in the copy,
    too. Signs are ignored.

    >>> x = torch.randn(1 << 16, generator=torch.Generator().manual_seed(0))
    >>> from initkit.distributions import Normal
    >>> y = torch.cat([x[-1:], x[1:30_000], x[40_000:]])
    >>> found = shared_runs([x, y], [Normal(0.0, 1.0)] * 2)
    >>> [(run.first, run.second) for run in found]
    [(0, 1)]
    """
    found = [_run_keys(tensor) for tensor in tensors]
    counts = torch.tensor([len(keys) for keys, _ in found], dtype=torch.int64, device="cpu")
    owner = torch.repeat_interleave(counts)
    keys = torch.cat([keys for keys, _ in found] or [_NONE])
    places = torch.cat([places for _, places in found] or [_NONE])
    # Equal keys lie side by side once sorted; stable, so that the earlier place comes first.
    order = keys.argsort(stable=True)
    same = (keys[order[1:]] == keys[order[:-1]]).nonzero().flatten()
    one, two = order[same], order[same + 1]
    pairs: dict[tuple[int, int], list[int]] = {}
    table = torch.stack([owner[one], owner[two], places[two] - places[one]], 1)
    for first, second, gap in table.tolist():
        pairs.setdefault((first, second), []).append(gap)
    result = []
    for (first, second), gaps in sorted(pairs.items()):
        meeting = max(
            log_chance_of_meeting(distributions[i], tensors[i].dtype) for i in (first, second)
        )
        # Any two places, where a whole run must agree but for the two elements that chose it.
        log_p = 2 * math.log(len(keys)) + (_RUN - 2) * meeting
        # A single run may be a coincidence of the keys, whose arithmetic wraps around.
        if len(gaps) > 1 and log_p < CERTAIN:
            result.append(SharedRun(first, second, len(gaps), gaps[0], math.exp(log_p)))
    return result


_NONE = torch.empty(0, dtype=torch.int64, device="cpu")
_MIX = 2 * 0x1B873593, 2 * 0x2E1B2139  # even: the sign goes over the edge
_LOW = -(1 << 31) + (1 << 32) // _RARE


def _run_keys(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Return a key for each run of elements that begins as one in ``_RARE`` does, and its place."""
    found, start = [], 0
    for chunk, _ in chunks(tensor):
        keys, places = _chunk_keys(chunk)
        if len(keys):
            found.append((keys, places + start))
        start += chunk.numel() * (2 if chunk.is_complex() else 1)
    if not found:
        return _NONE, _NONE
    return torch.cat([keys for keys, _ in found]), torch.cat([places for _, places in found])


def _chunk_keys(chunk: Tensor) -> tuple[Tensor, Tensor]:
    module, where = native(), memory(chunk)
    if module is not None and where is not None:
        keys, places = module.runs(*where)
        return (_integers(keys), _integers(places)) if keys else (_NONE, _NONE)
    bits = plain(chunk).float().view(torch.int32)
    mixed = bits[: 1 - _RUN] * _MIX[0]
    if chunk.dtype.itemsize <= 2:  # one value alone is too often the same
        mixed += bits[1 : len(mixed) + 1] * _MIX[1]
    begins = (mixed < _LOW).nonzero().flatten()
    key = torch.zeros_like(begins)
    for step in range(_RUN):
        # A polynomial in the bits without their signs, modulo 2**64.
        key = key * 0x5851F42D4C957F2D + (bits[begins + step] & 0x7FFFFFFF)
    return key.cpu(), begins.cpu()


def _integers(memory: bytes) -> Tensor:
    # Of a copy, since torch takes no memory that cannot be written.
    return torch.frombuffer(bytearray(memory), dtype=torch.int64)
