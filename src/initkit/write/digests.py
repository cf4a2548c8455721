"""One line that stands for every bit of a model, whatever its order, wrappers and shards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from .. import stream
from ..errors import TensorProblem
from ..model import (
    LocalShard,
    Model,
    ModelView,
    chunks,
    is_elsewhere,
    is_fake,
    local_shard,
    reading_problem,
)
from ..wording import checks_calls

# Sums of integers modulo 2**64 come out the same in any order, so chunks, threads and ranks may
# add theirs as they finish; a multiplier that is odd loses no bit of a word or an index.
_MIX = (-0x61C8864680B583EB, 0x2545F4914F6CDD1D, 0x5851F42D4C957F2D)


@checks_calls
def model_digest(model: Model, *, buffers: bool = True, contract: Literal[1, 2] = 1) -> str:
    """Return a short text that stands for every bit of a model's parameters and buffers.

    It depends on canonical names, shapes, dtypes and bits alone: not on the order of parameters,
    on wrappers, or on how they are sharded. Of sharded tensors every rank adds what it holds, so
    all ranks must call it; a rank leaves out what is on a mesh that it is not part of.
    ``buffers=False`` looks at parameters alone. ``contract=2`` takes 128 bits instead of 64, and
    goes at the speed of memory where the C kernel is; its texts begin with ``2:``. Either tells
    what differs by accident, neither what somebody made equal on purpose.

    Raises :class:`TensorProblem` where a tensor holds no values.

    >>> from torch import nn
    >>> model_digest(nn.BatchNorm1d(3)), model_digest(nn.BatchNorm1d(4))
    ('4ef3fbc29e8c9397', '77a3b48c107e9276')
    """
    each = tensor_digests(model, buffers=buffers, contract=contract)
    text = "\n".join(f"{name} {digest}" for name, digest in sorted(each.items()))
    return _short(text, contract)


def tensor_digests(
    model: Model, *, buffers: bool = True, contract: Literal[1, 2] = 1
) -> dict[str, str]:
    """Return what stands for the bits of each tensor, under every canonical name that it has.

    It says where two models differ; a part of a model has the same entries as the whole.

    >>> from torch import nn
    >>> with torch.no_grad():
    ...     _ = (a := nn.Linear(2, 2)).load_state_dict((b := nn.Linear(2, 2)).state_dict())
    ...     _ = b.bias.zero_()
    >>> [name for name, digest in tensor_digests(a).items() if digest != tensor_digests(b)[name]]
    ['bias']
    """
    slots = [s for s in ModelView(model).raw_slots if buffers or s.kind != "buffer"]
    found = [(s, s.tensor) for s in slots if s.tensor is not None and not is_elsewhere(s.tensor)]
    _refuse("lazy, without a shape yet", [s.name for s, t in found if is_lazy(t)])
    _refuse("on the meta device, which holds no values", [s.name for s, t in found if t.is_meta])
    _refuse("nested, of rows with shapes of their own", [s.name for s, t in found if t.is_nested])
    _refuse("fake, which holds no values", [s.name for s, t in found if is_fake(t)])
    unread: dict[str, list[str]] = {}
    for slot, tensor in found:
        if text := reading_problem(tensor):
            unread.setdefault(text, []).append(slot.name)
    for text, names in unread.items():
        _refuse(text, names)
    # A tied tensor is summed once. The ids hold, since `found` keeps the tensors.
    unique = {id(tensor): tensor for _, tensor in found}
    texts = dict(zip(unique, _digests(list(unique.values()), contract), strict=True))
    return {name: texts[id(tensor)] for slot, tensor in found for name in slot.canonicals}


def values_digest(tensors: Sequence[Tensor], contract: Literal[1, 2] = 1) -> str:
    """Return a short text that stands for every bit of some tensors, in their order.

    >>> values_digest([torch.zeros(2)]) == values_digest([-torch.zeros(2)])
    False
    """
    return " ".join(_digests([t for t in tensors if not is_elsewhere(t)], contract))


def contract_of(digest: str) -> Literal[1, 2]:
    """Return the contract by which a saved digest was made.

    >>> contract_of("2:00"), contract_of("e117bb322f3b563b")
    (2, 1)
    """
    return 2 if digest.startswith("2:") else 1


def _refuse(what: str, names: Sequence[str]) -> None:
    if names:
        raise TensorProblem(f"{what}: {', '.join(names[:5])}", names=names)


def _digests(tensors: Sequence[Tensor], contract: Literal[1, 2]) -> list[str]:
    # A plain sum is of 64 bits; four of those that are linear in their words make 128.
    totals = [(x,) for x in _sums(tensors)] if contract == 1 else _linear_sums(tensors)
    return [
        _short(f"{list(t.shape)} {t.dtype} {' '.join(str(x % 2**64) for x in total)}", contract)
        for t, total in zip(tensors, totals, strict=True)
    ]


def _short(text: str, contract: Literal[1, 2]) -> str:
    """Return the hash of a text, marked with its contract; the first one has no mark."""
    size, mark = (8, "") if contract == 1 else (16, "2:")
    return mark + hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=size).hexdigest()


def _linear_sums(tensors: Sequence[Tensor]) -> list[tuple[int, ...]]:
    """Return the stream's four sums of each tensor, over all ranks that hold a part of it."""
    parts = [local_shard(tensor) for tensor in tensors]
    found: list[list[tuple[int, ...]]] = [[] for _ in tensors]
    tasks = [
        partial(_add_sums, chunk, part, start, into)
        for tensor, part, into in zip(tensors, parts, found, strict=True)
        for chunk, part, start in _pieces(tensor, part)
    ]
    stream.run(tasks)
    sums = [[sum(each) % 2**64 for each in zip((0,) * 4, *into, strict=True)] for into in found]
    for j in range(4):
        one = [_signed(four[j]) for four in sums]
        for four, total in zip(sums, _over_ranks(tensors, parts, one), strict=True):
            four[j] = total
    return [tuple(four) for four in sums]


def _add_sums(chunk: Tensor, part: LocalShard | None, start: int, into: list[Any]) -> None:
    runs = start if part is None else part.runs(start, chunk.numel())
    into.append(stream.sums(chunk, runs))


def _signed(x: int) -> int:
    """Return the int64 of the same bits, since torch adds no others over ranks."""
    return x - (x >> 63 << 64)


def _sums(tensors: Sequence[Tensor]) -> list[int]:
    """Return the sum of the mixed words of each tensor, over all ranks that hold a part of it."""
    parts = [local_shard(tensor) for tensor in tensors]
    mixed: list[list[int]] = [[] for _ in tensors]
    tasks = [
        task
        for tensor, part, into in zip(tensors, parts, mixed, strict=True)
        for task in _tasks(tensor, part, into)
    ]
    stream.run(tasks)
    # torch's integers wrap, which is the modulus; list.append is safe from any thread.
    sums = [int(torch.tensor(into, dtype=torch.int64).sum()) for into in mixed]
    return _over_ranks(tensors, parts, sums)


def _tasks(
    tensor: Tensor, part: LocalShard | None, into: list[int]
) -> Iterator[Callable[[], None]]:
    """Yield one task for each chunk; it appends the chunk's sum."""
    for chunk, held, start in _pieces(tensor, part):
        yield partial(_mix, chunk, held, start, into)


def _pieces(
    tensor: Tensor, part: LocalShard | None
) -> Iterator[tuple[Tensor, LocalShard | None, int]]:
    """Yield what this process holds of a tensor: flat pieces of integers, and where they begin."""
    local = (tensor if part is None else part.local).detach()
    if local.is_conj() or local.is_neg():  # a flag stands for other values than the memory holds
        local = local.resolve_conj().resolve_neg()
    if local.layout is not torch.strided:
        # One model has one digest, however it is stored: sparse entries have no order to speak of.
        local = local.to_dense()
    # What a conjugate or negative view flips stands in a flag, and is put into the bits first.
    local = local.resolve_conj().resolve_neg()
    if local.is_complex():
        local, part = torch.view_as_real(local), part and part.as_real()
    # Bits and not values: NaNs and both zeros count. Only what is not contiguous is copied.
    words = local.contiguous().view(-1).view(_WORDS[local.element_size()])
    for chunk, start in chunks(words) if words.numel() else ():
        yield chunk, part, start


def _mix(words: Tensor, part: LocalShard | None, start: int, into: list[int]) -> None:
    """Append the sum of a chunk's words, each mixed with its global index."""
    if part is None:
        index = torch.arange(start, start + len(words), device=words.device)
    else:
        index = part.indices(start, len(words)).to(words.device)
    with torch.no_grad():
        x = index.mul_(_MIX[0]).add_(words.long(), alpha=_MIX[1])
        x ^= x >> 29
        x *= _MIX[2]
        x ^= x >> 32
        x *= _MIX[0]
        into.append(int(x.sum()))  # a tensor kept here would break up the memory that x leaves


_WORDS = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.uint8}


def _over_ranks(
    tensors: Sequence[Tensor], parts: Sequence[LocalShard | None], sums: list[int]
) -> list[int]:
    """Add up the sums of sharded tensors along the dimensions of their meshes that split them."""
    split: dict[Any, list[int]] = {}
    for i, (tensor, part) in enumerate(zip(tensors, parts, strict=True)):
        if part is not None:
            mesh, placements = tensor.device_mesh, tensor.placements  # type: ignore[attr-defined]
            dims = tuple(d for d, p in enumerate(placements) if hasattr(p, "dim"))
            split.setdefault((mesh, dims), []).append(i)
    # One sum for all tensors of a mesh, in the order of the model, which is that of all ranks.
    # Where a dimension replicates, each rank has the whole sum already.
    for (mesh, dims), places in split.items():
        import torch.distributed as dist

        vector = torch.tensor([sums[i] for i in places], device=mesh.device_type)
        for dim in dims:
            dist.all_reduce(vector, group=mesh.get_group(dim))
        for i, total in zip(places, vector.tolist(), strict=True):
            sums[i] = total
    return sums
