"""Which tensors hold memory that values can be written into."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import TargetError, TensorProblem

FILLABLE = frozenset(
    {
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
        torch.complex32,
        torch.complex64,
        torch.complex128,
    }
)


def refuse(out: Tensor) -> None:
    """Raise where ``out`` is nothing that can hold values."""
    if not isinstance(out, Tensor):
        raise TargetError(f"values go into a torch.Tensor; got {type(out).__name__}")
    if out.dtype not in FILLABLE:
        raise TargetError(
            f"a tensor of {_short(out.dtype)} cannot be filled: the stream writes float16, "
            "bfloat16, float32, float64 and complex numbers"
        )
    if out.layout is not torch.strided:
        raise TensorProblem(
            f"a tensor of layout {_short(out.layout)} cannot be filled: it must be strided"
        )
    if out.is_meta:
        raise TensorProblem(
            "a tensor on the meta device has no memory to fill; materialize it first"
        )
    if _overlapping(out):
        raise TensorProblem(
            f"a tensor of shape {tuple(out.shape)} and strides {out.stride()} holds one memory "
            "location several times (expand makes such tensors); fill what it was made from"
        )
    if _too_short(out):
        raise TensorProblem(
            f"the memory of a tensor of shape {tuple(out.shape)} has been freed or is too short"
        )


def owns_memory(out: Tensor) -> bool:
    """Tell whether the tensor's own pointer is its memory (wrappers such as DTensor's is not)."""
    return type(out).__torch_dispatch__ is Tensor.__torch_dispatch__


def _overlapping(out: Tensor) -> bool:
    """Tell whether two elements may share memory (rare strides that don't count as if they did)."""
    # By ascending stride: each must step over all that the smaller ones reach.
    reach = 0
    for stride, size in sorted(zip(out.stride(), out.shape, strict=True)):
        if size > 1:
            if stride <= reach:
                return out.numel() > 0
            reach += stride * (size - 1)
    return False


def _too_short(out: Tensor) -> bool:
    if out.numel() == 0 or not owns_memory(out):
        return False
    # A storage can be resized under its tensors, as FSDP does to free it: they don't notice.
    last = sum((n - 1) * s for n, s in zip(out.shape, out.stride(), strict=True))
    end = (out.storage_offset() + last + 1) * out.element_size()
    return end > out.untyped_storage().nbytes()


def _short(name: object) -> str:
    return str(name).removeprefix("torch.")
