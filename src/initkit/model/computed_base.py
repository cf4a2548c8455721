"""What a weight that is computed from other tensors can do: its shape, and how it is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

BEFORE = "the distribution holds before {}"
Carried: TypeAlias = "list[tuple[Tensor, Tensor]]"
"""Tensors that carry a weight, each with a value."""


class ComputedWeight:
    """A weight that is computed from raw tensors, and written through them.

    Attributes: ``raw``, the tensors behind it; ``main``, the one that mostly carries the value;
    ``state``, buffers that follow from what is written; ``refusal``, why it can't be written, or
    None; ``note``, what a reader of a plan should know.
    """

    __slots__ = ("_refusal", "_shape", "key", "main", "note", "owner", "raw")

    def __init__(
        self, owner: nn.Module, key: str, raw: tuple[Tensor, ...], main: Tensor | None = None
    ) -> None:
        self.owner, self.key, self.raw = owner, key, raw
        self.main = raw[0] if main is None else main
        self.note = ""
        # Found when first asked for, since a rehearsal takes milliseconds; the tensors behind a
        # weight keep their shapes and their chain for as long as a walk's slots are used.
        self._refusal: str | None = None
        self._shape: torch.Size | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self.owner).__name__}, {self.key!r})"

    @property
    def shape(self) -> torch.Size:
        """Return the public shape, without computing the weight."""
        if self._shape is None:
            self._shape = self._find_shape()
        return self._shape

    @property
    def refusal(self) -> str | None:
        """Return why the weight can't be written, such as a missing ``right_inverse``, or None."""
        if self._refusal is None:
            self._refusal = self._find_refusal()
        return self._refusal or None

    @property
    def dtype(self) -> torch.dtype:
        """Return the dtype of the weight."""
        return self.main.dtype

    @property
    def state(self) -> tuple[Tensor, ...]:
        """Return the buffers that :meth:`write` or :meth:`refresh` makes anew from the weight."""
        return ()

    def write(self, value: Tensor) -> None:
        """Make the weight ``value``, in the memory of the raw tensors; no gradient is recorded.

        What the module keeps besides is old until :meth:`refresh`. Raises ValueError with the
        refusal where there is one.
        """
        if self.refusal:
            raise ValueError(self.refusal)
        with torch.no_grad():
            self._write(value)

    def refresh(self) -> None:
        """Make what the module keeps of the weight that of its raw tensors, whoever wrote these.

        It follows from the raw tensors alone: nothing is drawn, and what was there is not read.
        """

    def read(self) -> Tensor | None:
        """Return the tensor that the weight's distribution describes; None where it can't be read.

        It is the weight itself, or what it was before the steps that ``note`` names.
        """
        with torch.no_grad():
            return self._read()

    def in_use(self) -> Tensor | None:
        """Return the weight that a forward uses in evaluation; None where it can't be computed."""
        with torch.no_grad():
            return self._in_use()

    def gives_back(self, value: Tensor) -> bool:
        """Say whether :meth:`read` would return ``value``, but for rounding, once it is written."""
        return True

    def would_hold(self, value: Tensor) -> Carried:
        """Return each tensor that :meth:`write` sets, with what it would hold; nothing is written.

        Raises what the weight's own inverse raises.
        """
        with torch.no_grad():
            return list(zip(self.raw, self._inverse(value), strict=True))

    def _read(self) -> Tensor | None:
        return self.main.detach()  # hooks are applied to what was drawn

    def _in_use(self) -> Tensor | None:
        return self._read()

    def _find_shape(self) -> torch.Size:
        return self.main.shape

    def _find_refusal(self) -> str:
        return ""

    def _inverse(self, value: Tensor) -> tuple[Tensor, ...]:
        """Return what the raw tensors hold where the weight is ``value``."""
        return (value,)

    def _write(self, value: Tensor) -> None:
        for raw, found in zip(self.raw, self._inverse(value), strict=True):
            raw.copy_(found)


class SharedWeight(ComputedWeight):
    """Write several computed weights that share memory as one, such as two weight_norms of one v.

    Each takes the same value, so what they share is written alike through all of them.
    """

    __slots__ = ("_weights",)

    def __init__(self, weights: Sequence[ComputedWeight]) -> None:
        first = weights[0]
        # Each tensor once; the dictionary keeps them alive, so that an id stands for one of them.
        raw = {id(tensor): tensor for weight in weights for tensor in weight.raw}
        super().__init__(first.owner, first.key, tuple(raw.values()), first.main)
        self._weights = tuple(weights)
        self.note = "; ".join(dict.fromkeys(weight.note for weight in weights if weight.note))

    @property
    def state(self) -> tuple[Tensor, ...]:
        return tuple(tensor for weight in self._weights for tensor in weight.state)

    def refresh(self) -> None:
        for weight in self._weights:
            weight.refresh()

    def gives_back(self, value: Tensor) -> bool:
        return self._weights[0].gives_back(value)

    def would_hold(self, value: Tensor) -> Carried:
        return [pair for weight in self._weights for pair in weight.would_hold(value)]

    def _read(self) -> Tensor | None:
        return self._weights[0].read()

    def _find_refusal(self) -> str:
        return next((weight.refusal for weight in self._weights if weight.refusal), "")

    def _find_shape(self) -> torch.Size:
        return self._weights[0].shape

    def _write(self, value: Tensor) -> None:
        for weight in self._weights:
            weight.write(value)
