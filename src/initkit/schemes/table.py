"""The scheme of exact values, and how a rule writes them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from .. import distributions
from ..errors import RuleError
from ..numbers import frozen
from .base import Scheme
from .options import option_error
from .site import Site

_SHOWN = 16  # values that a reader is shown; a file holds all of them


@frozen
class Table(
    Scheme,
    name="table",
    formula="the values, one by one",
    source="initkit",
    moments="those of the values",
    positional=("values",),
    reads="shape",
):
    """Write exact values, which no formula makes: a tensor's, or those of nested lists.

    The tensor that it starts must have their shape; other dtypes get them cast. ``dtype`` is the
    one that they are held in: without it, that of the tensor, or of lists ``int64``, ``float64``
    or ``bool``. Complex numbers stand in lists as pairs.

    >>> from initkit import schemes
    >>> print(schemes.Table([[0, 1], [2, 3]]))
    table([[0, 1], [2, 3]])
    >>> print(schemes.Table(torch.tensor([0.1, 0.2])))
    table([0.1, 0.2], dtype='float32')
    """

    values: Any
    dtype: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        dtype = self._read_dtype()
        found = self.values
        if not isinstance(found, distributions.Table):
            found = distributions.Table.of(_read(found, dtype))
        elif dtype is not None and found.dtype != self.dtype:
            found = distributions.Table.of(found.tensor.to(dtype))
        if not found.bits:
            raise option_error(self.name, "values", "must hold at least one")
        if bool(found.tensor.isnan().any()):
            raise option_error(self.name, "values", "hold NaN, which starts nothing")
        object.__setattr__(self, "values", found)
        object.__setattr__(self, "dtype", found.dtype)

    def resolve(self, site: Site) -> distributions.Distribution:
        table: distributions.Table = self.values
        if site.shape != table.shape:
            wanted = f"it holds values of shape {list(table.shape)}"
            raise site.mismatch(f"{wanted}, and the shape is {list(site.shape)}")
        return table

    def spell(self) -> str:
        table: distributions.Table = self.values
        if table.uncarried:
            raise RuleError(f"a file cannot carry {table.uncarried}")
        return _spell(table.tensor)

    def __str__(self) -> str:
        table: distributions.Table = self.values
        if table.tensor.numel() <= _SHOWN:
            return _spell(table.tensor)
        size = "x".join(map(str, table.shape))
        return f"table({size} {table.dtype}, {table.digest[:8]})"

    def _read_dtype(self) -> torch.dtype | None:
        dtype = getattr(torch, self.dtype.removeprefix("torch."), None) if self.dtype else None
        if self.dtype and not isinstance(dtype, torch.dtype):
            what = f"must be the name of one, such as 'float32', not {self.dtype!r}"
            raise option_error(self.name, "dtype", what)
        return dtype


def _read(values: object, dtype: torch.dtype | None) -> Tensor:
    """Return values as a tensor of their dtype, or raise in the user's words."""
    if isinstance(values, Tensor):
        if values.is_meta:
            raise option_error("table", "values", "are on the meta device, which holds none")
        return values if dtype is None else values.to(dtype)
    paired = dtype is not None and dtype.is_complex
    try:
        found = torch.as_tensor(values, device="cpu")
        if isinstance(values, Sequence) and found.is_floating_point():
            # Again, or the numbers would go through torch's default dtype.
            found = torch.tensor(values, dtype=torch.float64, device="cpu")
        if paired and not found.is_complex():
            found = torch.view_as_complex(found.double().contiguous())
    except (TypeError, ValueError, RuntimeError) as error:
        what = f"must be a tensor, or lists of numbers of one length: {error}"
        raise option_error("table", "values", what) from None
    return found if dtype is None else found.to(dtype)


# ------------------------------------------------------------------------------- how it is written


def _spell(tensor: Tensor) -> str:
    """Return the scheme of a tensor's values, which reads back to the bit."""
    real = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    floating = real.is_floating_point()
    texts = _float_texts(real) if floating else [str(x) for x in real.reshape(-1).tolist()]
    values = _nested(iter(texts), real.shape)
    dtype = str(tensor.dtype).removeprefix("torch.")
    # What lists of such numbers are read as, unless they are told.
    fractions = floating and any(not text.lstrip("-").isdecimal() for text in texts)
    natural = "float64" if fractions else "bool" if real.dtype is torch.bool else "int64"
    return f"table({values})" if dtype == natural else f"table({values}, dtype={dtype!r})"


def _nested(texts: Iterator[str], shape: Sequence[int]) -> str:
    if not shape:
        return next(texts)
    return f"[{', '.join(_nested(texts, shape[1:]) for _ in range(shape[0]))}]"


def _float_texts(tensor: Tensor) -> list[str]:
    """Return the shortest text of each number that the tensor's dtype reads back to the bit."""
    flat = tensor.reshape(-1)
    numbers = flat.double().tolist()
    texts = [_float_text(x, 17) for x in numbers]
    for digits in (9, 6, 5, 4, 3, 2, 1):
        shorter = [_float_text(x, digits) for x in numbers]
        read = torch.tensor([float(text) for text in shorter], dtype=torch.float64, device="cpu")
        same = (read.to(flat.dtype) == flat).tolist()
        texts = [b if ok else a for a, b, ok in zip(texts, shorter, same, strict=True)]
    return texts


def _float_text(x: float, digits: int) -> str:
    if math.isinf(x):
        return "1e999" if x > 0 else "-1e999"  # which Python reads as infinite; it knows no "inf"
    text = format(x, f".{digits}g")
    return "-0.0" if text == "-0" else text  # -0 is read as an integer, which has no sign there
