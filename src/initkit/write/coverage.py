"""How much of each tensor was written: what every way of tracking writes reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..errors import CheckError, visible
from ..model import Slot, every_module, is_sharded, local_part, require_module, walk
from ..render import text_table


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of one tensor was written: ``written`` of ``total`` elements.

    ``first`` is the flat index of the first element that was not; None where all were. Of a sharded
    tensor these count what this process holds. ``judged`` is false where nobody can tell.
    """

    name: str
    kind: str
    written: int
    total: int
    first: int | None = None
    judged: bool = True

    @property
    def complete(self) -> bool:
        """Whether every element was written."""
        return self.judged and self.written == self.total

    def __str__(self) -> str:
        if not self.judged:
            dtype = "its dtype has no value to spare for poison"
            why = dtype if self.total else "it is lazy and has no elements yet"
            return f"{visible(self.name)} ({self.kind}): {why}"
        wrote = f"{self.written:,} of {self.total:,} elements written"
        text = f"{visible(self.name)} ({self.kind}): {wrote}"
        return text if self.first is None else f"{text}; element {self.first} is the first left out"


class Writes:
    """What was written in a block of :func:`track_writes`; complete when the block has ended.

    Attribute: ``rows``, a :class:`Coverage` for every parameter and buffer.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.rows: list[Coverage] = []

    @property
    def missing(self) -> list[Coverage]:
        """The tensors that were not written, or not wholly."""
        return [row for row in self.rows if not row.complete]

    def assert_complete(self, *, buffers: bool = True) -> None:
        """Raise :class:`CheckError`, with names and counts, unless every element was written.

        ``buffers=False`` looks at parameters alone.
        """
        missing = [row for row in self.missing if buffers or row.kind != "buffer"]
        if missing:
            lines = "\n".join(f"  {row}" for row in missing)
            alone = all(row.kind == "buffer" for row in missing)
            hint = " (buffers=False leaves these out)" if alone else ""
            raise CheckError(f"{len(missing)} tensors were not wholly written{hint}:\n{lines}")

    def __str__(self) -> str:
        rows = [(r.name, r.kind, f"{r.written:,}", f"{r.total:,}") for r in self.rows]
        return text_table(("name", "kind", "written", "elements"), rows)

    def close(self) -> None:
        """Judge every tensor of the model."""
        with torch.no_grad():
            self.rows = [self._judged(slot, tensor) for slot, tensor in _held(self.model)]

    def _judged(self, slot: Slot, tensor: Tensor | None) -> Coverage:
        if tensor is None:
            return Coverage(slot.name, slot.kind, 0, 0, judged=False)
        if tensor.is_meta:  # it holds no elements to write
            total = tensor.numel()
            return Coverage(slot.name, slot.kind, 0, total, 0 if total else None)
        return self._row(slot, tensor)

    def _row(self, slot: Slot, tensor: Tensor) -> Coverage:  # each way of tracking has its own
        raise NotImplementedError


def _held(model: nn.Module) -> Iterator[tuple[Slot, Tensor | None]]:
    """Yield every slot with the tensor that this process holds of it, or None where it is lazy."""
    for slot in walk(model, buffers=True, raw=True):
        if slot.tensor is None:
            continue
        yield slot, None if is_lazy(slot.tensor) else _local(slot.tensor)


def _local(tensor: Tensor) -> Tensor:
    return local_part(tensor) if is_sharded(tensor) else tensor


def tensors_of(model: nn.Module) -> Iterator[Tensor]:
    """Yield what this process holds of every parameter and buffer, without the names of a walk."""
    require_module(model)
    for module in every_module(model):
        for held in (module._parameters, module._buffers):
            for _, tensor in held.items() if held else ():
                if isinstance(tensor, Tensor) and not is_lazy(tensor):
                    yield _local(tensor)


def held_tensors(model: nn.Module) -> Iterator[tuple[Slot, Tensor]]:
    """Yield every slot that has its shape, with the tensor that this process holds of it."""
    return ((slot, tensor) for slot, tensor in _held(model) if tensor is not None)


def count_written(slot: Slot, mask: Tensor, tensor: Tensor) -> Coverage:
    """Return what a mask says of a tensor; a last dimension more is that of an element's bytes."""
    # An element counts when all of its bytes were written.
    done = mask.all(-1) if mask.dim() > tensor.dim() else mask
    done = done.reshape(-1)
    written = int(done.sum())
    # argmax takes no bool, and of several largest values it returns the first.
    first = None if written == len(done) else int((~done).int().argmax())
    return Coverage(slot.name, slot.kind, written, tensor.numel(), first)
