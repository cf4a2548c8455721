"""A table of given values, which no formula and no randomness makes."""

from __future__ import annotations

import ctypes
import hashlib
import math
from dataclasses import field
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor

from ..errors import SchemeMismatch
from ..numbers import frozen
from .base import WRITTEN
from .digits import short
from .indexed import Indexed
from .maps import through
from .source import Runs, Source, spans

INLINE = 4096
"""So many values stand in a saved plan or a recipe file; larger tables are refused there."""


@frozen
class Held(Indexed):
    """Base of distributions whose values are held somewhere: ``tensor`` has them as they are."""

    bounds_must_fit = True

    @property
    def tensor(self) -> Tensor:
        """The values, before the maps; for reading alone."""
        raise NotImplementedError

    @property
    def complex_valued(self) -> bool:
        return self.tensor.is_complex()

    @property
    def _real(self) -> Tensor:
        """All values as real numbers, complex ones as pairs."""
        return torch.view_as_real(self.tensor) if self.complex_valued else self.tensor

    def values(self, index: Tensor) -> Tensor:
        return self.tensor.reshape(-1)[index].double()

    def ends(self) -> tuple[float, float]:
        low, high = self._real.double().aminmax()
        return float(low), float(high)

    def table(self) -> Tensor:
        return through(self._real.reshape(-1), self.maps)

    def mapped(self, name: str, number: float = 0.0) -> Self:
        if self.complex_valued and name != "times":
            raise SchemeMismatch(f"{name} is defined for real numbers here, not for {self}")
        return super().mapped(name, number)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        if self.maps and not self.complex_valued:
            super().write(out, source, runs)
        else:
            self._write_as_held(out, runs)

    def _write_as_held(self, out: Tensor, runs: Runs) -> None:
        """Write without a way through float64, which holds neither every integer nor pairs."""
        factor = math.prod(number for _, number in self.maps)  # all that complex numbers allow
        flat = self.tensor.reshape(-1)
        for local, start, length in spans(runs, out.numel()):
            values = flat.narrow(0, start, length)
            out.narrow(0, local, length).copy_(values * factor if self.maps else values)


@frozen
class Table(Held):
    """Values that are given one by one; two tables are equal where their bits are.

    ``bits`` are those of a tensor of ``shape`` and ``dtype`` (torch's name of it), row by row.

    >>> Table.of(torch.tensor([[0, 1], [1, 0]]))
    Table(shape=(2, 2), dtype='int64', digest='4738f56a')
    >>> print(Table.of(torch.tensor([0.5, 0.25])))
    table (0.5, 0.25)
    """

    dtype: str
    bits: bytes = field(repr=False)

    def __post_init__(self) -> None:
        bits: object = self.bits
        if isinstance(bits, str):  # as plain data hold it
            object.__setattr__(self, "bits", bytes.fromhex(bits))

    def misfit(self, shape: tuple[int, ...]) -> str:
        dtype = getattr(torch, self.dtype, None)
        if not isinstance(dtype, torch.dtype):
            return f"{self.dtype!r} is no dtype"
        full = len(self.bits) == math.prod(shape) * dtype.itemsize
        text = f"{len(self.bits)} bytes are not {list(shape)} values of {self.dtype}"
        return super().misfit(shape) or ("" if full else text)

    @classmethod
    def of(cls, tensor: Tensor) -> Self:
        """Return the table of a tensor's values, which it copies."""
        plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
        bits = ctypes.string_at(plain.data_ptr(), plain.numel() * plain.element_size())
        return cls(tuple(plain.shape), str(plain.dtype).removeprefix("torch."), bits)

    @cached_property
    def tensor(self) -> Tensor:
        """The values, before the maps; for reading alone."""
        dtype: torch.dtype = getattr(torch, self.dtype)
        if not self.bits:
            return torch.empty(self.shape, dtype=dtype, device="cpu")
        # A copy of the bits, since torch warns of memory that it must not write.
        flat = torch.frombuffer(bytearray(self.bits), dtype=torch.uint8)
        return flat.view(dtype).view(self.shape)

    @cached_property
    def digest(self) -> str:
        """A short text that is equal for equal tables before the maps."""
        head = f"{list(self.shape)} {self.dtype} ".encode()
        return hashlib.blake2b(head + self.bits, digest_size=16).hexdigest()

    @property
    def uncarried(self) -> str:
        values = math.prod(self.shape)
        if values <= INLINE:
            return ""
        why = f"{INLINE:,} at most; a scheme of the index such as sinusoids has no limit"
        return f"the table of {values:,} values ({why})"

    def describe_table(self) -> str:
        if self.tensor.numel() <= 4 and not self.complex_valued:
            return f"table ({', '.join(short(float(x)) for x in self.tensor.view(-1))})"
        size = "x".join(map(str, self.shape))
        return f"table of {size} {self.dtype} values ({self.digest[:8]})"

    def to_dict(self) -> dict[str, Any]:
        if not self.serializable:
            return {"kind": WRITTEN, "table": f"{self.describe()} {self.digest}"}
        return {**super().to_dict(), "bits": self.bits.hex()}

    def __repr__(self) -> str:
        maps = f", maps={self.maps!r}" if self.maps else ""
        shown = f"shape={self.shape!r}, dtype={self.dtype!r}, digest={self.digest[:8]!r}"
        return f"Table({shown}{maps})"
