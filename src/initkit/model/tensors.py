"""Look at tensors piece by piece and bit by bit, whatever their layout."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from ..numbers import loaded

CHUNK = 1 << 18  # elements: few enough for the cache, enough that a thread is worth while


def chunks(tensor: Tensor, size: int = CHUNK) -> Iterator[tuple[Tensor, int]]:
    """Yield views of a tensor of at most ``size`` elements, each with its first element's index.

    In row-major order, and never a copy: what is not contiguous comes as rows, in its own shape.

    >>> [(part.shape, start) for part, start in chunks(torch.zeros(4, 3).T, 5)]
    [(torch.Size([1, 4]), 0), (torch.Size([1, 4]), 4), (torch.Size([1, 4]), 8)]
    """
    yield from _chunks(tensor, size, 0)


def _chunks(tensor: Tensor, size: int, start: int) -> Iterator[tuple[Tensor, int]]:
    if tensor.numel() <= size or tensor.dim() == 0:
        yield tensor, start
        return
    if tensor.is_contiguous():
        flat = tensor.view(-1)
        for at in range(0, flat.numel(), size):
            yield flat.narrow(0, at, min(size, flat.numel() - at)), start + at
        return
    # Rows too large are cut in turn, small ones come several at a time; narrowing never copies.
    row = tensor.numel() // tensor.shape[0]
    if row > size:
        for i in range(tensor.shape[0]):
            yield from _chunks(tensor[i], size, start + i * row)
        return
    rows = max(1, size // row)
    for i in range(0, tensor.shape[0], rows):
        yield tensor.narrow(0, i, min(rows, tensor.shape[0] - i)), start + i * row


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Say whether two tensors are the same bit by bit, NaN and the sign of zero included.

    Tensors on meta have no bits, and are the same where shape and dtype are.

    >>> same_bits(torch.tensor(0.0), torch.tensor(-0.0))
    False
    """
    if one.shape != other.shape or one.dtype != other.dtype or one.is_meta != other.is_meta:
        return False
    return one.is_meta or not bool(differing(one, other).any())


def differing(one: Tensor, other: Tensor) -> Tensor:
    """Return which elements of two tensors of one shape and dtype differ in a bit, flat."""
    # Bytes, since a comparison of floats takes NaN for unlike and the two zeros for alike. What a
    # conjugate or negative view flips stands in a flag, and is put into the bytes first.
    a, b = (
        t.detach().resolve_conj().resolve_neg().reshape(-1).contiguous().view(torch.uint8)
        for t in (one, other)
    )
    return (a != b).view(one.numel(), one.dtype.itemsize).any(1)


def components(tensor: Tensor) -> list[Tensor]:
    """Return the strided tensors that a tensor consists of; of almost all, the tensor itself."""
    if is_lazy(tensor):
        return []
    flatten = getattr(type(tensor), "__tensor_flatten__", None)
    try:  # these may be any subclass, fake, or of a layout that torch can't look into
        if flatten is not None:
            inner = [getattr(tensor, name) for name in flatten(tensor)[0]]
        elif tensor.is_nested:
            inner = [tensor.values()]
        elif tensor.layout is torch.strided:
            return [tensor]
        else:
            inner = _sparse_components(tensor)
    except (RuntimeError, NotImplementedError, TypeError, AttributeError):
        return []  # an opaque tensor has only its identity
    return [leaf for part in inner if isinstance(part, Tensor) for leaf in components(part)]


def _sparse_components(tensor: Tensor) -> list[Tensor]:
    with torch.no_grad():
        if tensor.layout is torch.sparse_coo:
            return [tensor._indices(), tensor._values()]
        if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
            return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
        return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]


def is_fake(tensor: Tensor) -> bool:
    """Say whether this is a fake tensor: it claims a device and has no memory there."""
    kind = loaded("torch._subclasses.fake_tensor", "FakeTensor")
    return kind is not None and isinstance(tensor, kind)
