"""Which bytes a tensor occupies; the only place that touches what torch keeps private.

Nothing reads a value or allocates anything of the tensor's size. Tensors without memory, on meta
or fake, are told apart by the identity of their storage.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import torch
from torch import Tensor
from torch.nn.parameter import Parameter

from ..model import components, is_fake
from .byte_regions import Region, count_bytes, indices_collide, region_at, simplest


def regions(tensor: Tensor) -> tuple[Region, ...]:
    """Return the bytes of a tensor: none if it is empty or lazy, several of several components.

    Sparse tensors have indices and values, wrapper subclasses what they flatten to. Tensors without
    memory (meta, fake) are told apart by the identity of their storage.
    """
    if _strided(tensor):
        found = _region(tensor)
        return () if found is None else (found,)
    several = map(_region, components(tensor))
    return tuple(found for found in several if found is not None)


def regions_of(tensors: Iterable[Tensor]) -> tuple[Region, ...]:
    """Return the bytes of several tensors, one after another."""
    return tuple(region for tensor in tensors for region in regions(tensor))


_ORDINARY = (Parameter, Tensor)  # by identity: a subclass may claim any layout


def _strided(tensor: Tensor) -> bool:
    return type(tensor) in _ORDINARY and tensor.layout is torch.strided and not tensor.is_nested


def _region(tensor: Tensor) -> Region | None:
    try:
        with torch._C.DisableTorchFunctionSubclass():
            if tensor.numel() == 0:
                return None
            size = tensor.element_size()
            place = _place(tensor, size)
            # Contiguous ones, nearly all, are one interval, and their strides need no merging.
            strides = [] if tensor.is_contiguous() else [s * size for s in tensor.stride()]
            counts = list(tensor.shape) if strides else [tensor.numel() * size]
    except (RuntimeError, NotImplementedError):
        return None  # no storage to speak of
    if place is None:
        return None
    space, start = place
    if not strides:
        return Region(space, start, start + counts[0], ((counts[0], 1),))
    return region_at(space, start, simplest([*zip(counts, strides, strict=True), (size, 1)]))


def _place(tensor: Tensor, size: int) -> tuple[Hashable, int] | None:
    """Return the address space and the address of a tensor; None without memory."""
    storage = tensor.untyped_storage()
    if not storage.nbytes():
        return None
    device, offset = tensor.device, int(tensor.storage_offset()) * size
    if device.type == "meta" or is_fake(tensor):
        return ("storage", storage._cdata), offset
    # Addresses and not storages: two arrays, or two storages, may lie over one memory.
    base = storage.data_ptr()
    if base:
        return (device.type, device.index or 0), base + offset
    if device.type in ("cpu", "cuda"):  # a null pointer there is memory that was freed
        return None
    return ("storage", storage._cdata), offset


# torch's own flag for this is private, and "too hard" is one of its answers.
def self_overlapping(tensor: Tensor) -> bool:
    """Say whether two elements of a tensor share a byte, as in an expanded one.

    >>> self_overlapping(torch.zeros(3, 1).expand(3, 4)), self_overlapping(torch.zeros(4, 4).T)
    (True, False)
    """
    with torch._C.DisableTorchFunctionSubclass():
        return any(map(_overlaps_itself, components(tensor)))


def _overlaps_itself(tensor: Tensor) -> bool:
    if tensor.numel() < 2 or tensor.is_contiguous():
        return False
    return indices_collide(list(zip(tensor.shape, tensor.stride(), strict=True)))


def unique_bytes(tensors: Iterable[Tensor]) -> int:
    """Return how many bytes some tensors occupy, each byte counted once.

    >>> whole = torch.zeros(8)
    >>> unique_bytes([whole, whole[2:], whole.view(2, 4).T])
    32
    """
    return count_bytes(regions_of(tensors))


def spanning(tensors: Sequence[Tensor]) -> Tensor | None:
    """Return one flat tensor over exactly the bytes of several; None where there is no such.

    They must be of one dtype, lie in one storage, and leave no gap.

    >>> whole = torch.arange(10)
    >>> spanning([whole[:6], whole[4:8]])
    tensor([0, 1, 2, 3, 4, 5, 6, 7])
    """
    found = regions_of(tensors)
    if not found or not all(_strided(t) and t.dtype == tensors[0].dtype for t in tensors):
        return None
    first, itemsize = tensors[0], tensors[0].element_size()
    start, stop = min(r.start for r in found), max(r.stop for r in found)
    # Counted in the storage of the first, beside which there may be others over one memory.
    offset = first.storage_offset() * itemsize - (regions(first)[0].start - start)
    storage = first.untyped_storage()
    inside = offset >= 0 and offset + stop - start <= storage.nbytes()
    # As many bytes as from first to last: no gap, however they overlap.
    if count_bytes(found) != stop - start or offset % itemsize or not inside:
        return None
    with torch.no_grad():
        flat = torch.empty(0, dtype=first.dtype, device=first.device)
        flat.set_(storage, offset // itemsize, ((stop - start) // itemsize,), (1,))
    return flat
