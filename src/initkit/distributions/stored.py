"""Values that stand in a file."""

from __future__ import annotations

from dataclasses import field, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from ..errors import FileError
from ..files import StoredTensor, stored_tensors
from ..numbers import frozen
from .table import Held


@frozen
class Stored(Held):
    """The values of the tensor ``key`` in a file: all of it, or its first rows.

    Nothing is read before it is written or compared, and then no more than is asked for.
    ``content`` is a digest of shape, dtype and every bit, for a plan that is saved; where it is
    given, the file is compared with it before anything is written.
    """

    path: str
    key: str
    dtype: str
    stored_shape: tuple[int, ...]
    content: str = field(default="", compare=False, repr=False)

    def misfit(self, shape: tuple[int, ...]) -> str:
        if text := super().misfit(shape):
            return text
        if not isinstance(getattr(torch, self.dtype, None), torch.dtype):
            return f"{self.dtype!r} is no dtype"
        first = (*shape[:1], *self.stored_shape[1:]) == shape and shape <= self.stored_shape
        return "" if first else f"{list(shape)} is no part of {list(self.stored_shape)}"

    @property
    def _stored(self) -> StoredTensor:
        """The tensor as the file has it now."""
        found = stored_tensors(self.path).get(self.key)
        if found is None or (found.shape, found.dtype) != (self.stored_shape, self.held_in):
            raise FileError(self._changed, path=self.path)
        return found

    @property
    def _changed(self) -> str:
        return f"{self.path}: {self.key!r} was changed since it was planned"

    def require(self) -> None:
        """Raise :class:`~initkit.errors.FileError` where the file is not as it was planned."""
        stored = self._stored  # which compares shape and dtype
        if self.content and stored.digest != self.content:
            raise FileError(self._changed, path=self.path)

    @property
    def tensor(self) -> Tensor:
        stored = self._stored.tensor
        return stored[: self.shape[0]] if self.shape else stored

    @cached_property
    def held_in(self) -> torch.dtype:
        """The dtype of the values in the file."""
        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype

    @property
    def complex_valued(self) -> bool:
        return self.held_in.is_complex

    @property
    def whole_numbers(self) -> bool:
        return not self.held_in.is_floating_point and not self.held_in.is_complex

    @property
    def reach(self) -> tuple[float, float]:
        # By the dtype, so that planning needs no value of the file.
        if self.maps or self.whole_numbers:
            return super().reach
        limit = torch.finfo(self.held_in).max
        return -limit, limit

    def describe_table(self) -> str:
        return f"{self.key or 'tensor'} of {self.path}"

    def sealed(self) -> Self:
        return self if self.content else replace(self, content=self._stored.digest)
