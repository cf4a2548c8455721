"""Look at tensors piece by piece and bit by bit, whatever their layout."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor
from torch.nn.parameter import Parameter, is_lazy

from ..numbers import loaded

FAKE = "it is a fake tensor and holds no values; build the model outside of FakeTensorMode"
CHUNK = 1 << 18  # elements: few enough for the cache, enough that a thread is worth while
CHUNK_ELSEWHERE = 1 << 24  # not on the CPU, where each operation on a chunk is a launch


def chunks(tensor: Tensor, size: int = 0) -> Iterator[tuple[Tensor, int]]:
    """Yield views of a tensor of at most ``size`` elements, each with its first element's index.

    By default as many as suit the device. In row-major order, and never a copy: what is not
    contiguous comes as rows, in its own shape.

    >>> [(part.shape, start) for part, start in chunks(torch.zeros(4, 3).T, 5)]
    [(torch.Size([1, 4]), 0), (torch.Size([1, 4]), 4), (torch.Size([1, 4]), 8)]
    """
    yield from _chunks(tensor, size or chunk_size(tensor), 0)


def chunk_size(tensor: Tensor) -> int:
    """Return how many elements to take at a time where a tensor lies."""
    return CHUNK if tensor.is_cpu else CHUNK_ELSEWHERE


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


def reading_problem(tensor: Tensor) -> str:
    """Return why the elements of a tensor that holds values cannot be read one by one, or nothing.

    >>> reading_problem(torch.zeros(1).expand(10**12))
    'it is expanded to 1,000,000,000,000 elements; .clone() it, or look at what it shows'
    """
    if tensor.is_quantized:
        return "it is quantized, in steps of its own; look at what .dequantize() returns"
    if text := storage_problem(tensor):
        return text
    if _is_foreign(tensor):
        try:
            _none_of(tensor).clone()
        except Exception as error:  # whatever the class of a wrapper raises
            return f"its class {type(tensor).__name__} cannot be read: {error!r}"
    if type(tensor) not in _ORDINARY or tensor.numel() <= _MOST_REPEATED:
        return ""
    if tensor.layout is not torch.strided:
        return f"it is stored as {tensor.layout}, for {tensor.numel():,} elements"
    if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        many = f"{tensor.numel():,} elements"
        return f"it is expanded to {many}; .clone() it, or look at what it shows"
    return ""


def writing_problem(tensor: Tensor) -> str:
    """Return why a tensor of another class, or none of its own making, takes no values."""
    if is_fake(tensor):
        return FAKE
    if tensor._is_zerotensor():
        return "it is a zero tensor without memory; .clone() it"
    if library := _quantized_by(tensor):
        what = f"it is quantized by {library}, and {type(tensor).__name__} holds codes, no values"
        return f"{what}; initialise the model before it is quantized, or write 'keep'"
    if _is_foreign(tensor):
        try:
            _none_of(tensor).zero_()
        except Exception as error:  # whatever the class of a wrapper raises
            return f"its class {type(tensor).__name__} takes no values: {error!r}; write 'keep'"
    return storage_problem(tensor)


# Where the classes of tensors stand that libraries put in the place of quantised parameters. Of
# those that train, some (torchao.float8) wrap values in full precision, and are not among them.
_QUANTIZERS = (
    *("torchao.dtypes.", "torchao.quantization.", "torchao.prototype."),
    *("bitsandbytes.", "optimum.quanto.", "quanto."),
)


def _quantized_by(tensor: Tensor) -> str:
    """Return the library whose quantised tensor this is, told by its class, or nothing."""
    if f"{type(tensor).__module__}.".startswith("torch."):  # its own, and DTensor, hold values
        return ""
    modules = (kind.__module__ for kind in type(tensor).__mro__)
    found = next((m for m in modules if f"{m}.".startswith(_QUANTIZERS)), "")
    if found.startswith("bitsandbytes") and not _packed(tensor):
        return ""  # it holds values still, and is quantised on its way to the device
    return found.partition(".")[0]


def _packed(tensor: Tensor) -> bool:
    """Whether a parameter of bitsandbytes has been quantised, whatever dtype its codes lie in."""
    # Its classes say so in one of these, by their kind; codes may be stored as floats.
    state = (getattr(tensor, name, None) for name in ("quant_state", "CB"))
    said = getattr(tensor, "bnb_quantized", False) is True
    return said or not tensor.is_floating_point() or any(each is not None for each in state)


def storage_problem(tensor: Tensor) -> str:
    """Return why there is less memory than a tensor counts on, or nothing.

    >>> tensor = torch.zeros(3)
    >>> _ = tensor.untyped_storage().resize_(0)
    >>> storage_problem(tensor)
    'its memory was freed: 0 bytes are left of 12'
    """
    if type(tensor) not in _ORDINARY or tensor.layout is not torch.strided or not tensor.numel():
        return ""
    if tensor.is_nested or tensor._is_zerotensor() or tensor.is_quantized:
        return ""
    count = tensor.numel()
    if not tensor.is_contiguous():
        steps = zip(tensor.shape, tensor.stride(), strict=True)
        count = 1 + sum((n - 1) * step for n, step in steps)
    need = (tensor.storage_offset() + count) * tensor.element_size()
    held = tensor.untyped_storage().nbytes()
    return "" if held >= need else f"its memory was freed: {held:,} bytes are left of {need:,}"


def _is_foreign(tensor: Tensor) -> bool:
    """Whether a tensor is of a class that may catch operations, and is not a sharded one."""
    return type(tensor) not in _ORDINARY and not hasattr(tensor, "to_local")


def _none_of(tensor: Tensor) -> Tensor:
    """Return none of the elements of a tensor: what fails on them would fail on all."""
    flat = tensor.detach()
    return flat.narrow(0, 0, 0) if flat.dim() else flat.expand(0)


_ORDINARY = (Parameter, Tensor)  # by identity: a subclass may do anything


_MOST_REPEATED = 1 << 28  # elements that no memory stands behind; a second's work


@cache
def number_problem(dtype: torch.dtype) -> str:
    """Return why numbers of a dtype cannot be read, or nothing; torch only stores some dtypes.

    >>> number_problem(torch.bits8)
    'its dtype is torch.bits8, whose numbers torch cannot read'
    """
    try:
        torch.empty(1, dtype=dtype, device="cpu").to(torch.complex128)
    except (RuntimeError, TypeError):
        return f"its dtype is {dtype}, whose numbers torch cannot read"
    return ""


def is_fake(tensor: Tensor) -> bool:
    """Say whether this is a fake tensor: it claims a device and has no memory there."""
    kind = loaded("torch._subclasses.fake_tensor", "FakeTensor")
    return kind is not None and isinstance(tensor, kind)
