"""How names read the memory of their group, written down so that it can be read so again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import TieError
from ..model import components
from .byte_regions import Region
from .storage import self_overlapping


@dataclass(frozen=True, slots=True)
class Outline:
    """How a name reads the memory of its group; ``offset`` counts bytes from the group's first."""

    shape: torch.Size
    stride: tuple[int, ...]
    offset: int
    dtype: torch.dtype

    @property
    def stop(self) -> int:
        """The byte behind the last that the name reads; it reads one at least."""
        last = sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        return self.offset + (last + 1) * self.dtype.itemsize


def outlines_of(
    tensors: Sequence[Tensor], regions: Sequence[tuple[Region, ...]]
) -> tuple[Outline | None, ...]:
    """Return how tensors read the memory that they share; None for what is not plainly strided."""
    base = min((region.start for own in regions for region in own), default=0)
    return tuple(
        Outline(tensor.shape, tensor.stride(), own[0].start - base, tensor.dtype)
        if len(own) == 1 and _plainly_strided(tensor)
        else None
        for tensor, own in zip(tensors, regions, strict=True)
    )


def _plainly_strided(tensor: Tensor) -> bool:
    return not (tensor.is_conj() or tensor.is_neg()) and components(tensor)[0] is tensor


def read_as(
    source: Tensor, here: Outline | None, there: Outline | None, names: tuple[str, str]
) -> Tensor:
    """Read the memory of ``source``, which lies as ``here`` says, as ``there`` says.

    ``source`` may have come to another dtype: what read it in its own dtype follows. Raises
    `TieError`, which calls the two by their ``names``.
    """
    if here is None or there is None:
        raise TieError(f"how {names[1]} lay over {names[0]} is not known", names=names)
    # Of another shape or stride it may be shorter than it was, and reading would run past its end.
    if source.shape != here.shape or source.stride() != here.stride:
        raise TieError(
            f"{names[1]} cannot be laid over {names[0]} again: {names[0]} had shape "
            f"{tuple(here.shape)} and stride {here.stride}, and has now {tuple(source.shape)} and "
            f"{source.stride()}",
            names=names,
        )
    was, now = here.dtype, source.dtype
    if was != now and there.dtype != was:
        raise TieError(
            f"{names[1]} read the bytes of {names[0]} as {there.dtype}; {names[0]} is now {now}",
            names=names,
        )
    dtype = now if there.dtype == was else there.dtype
    # Offsets count bytes of the old dtype; in another one elements lie as many elements apart.
    gap = (there.offset - here.offset) * now.itemsize // was.itemsize
    start = (source.storage_offset() * now.itemsize + gap) // dtype.itemsize
    empty = torch.empty(0, dtype=dtype, device=source.device)
    return empty.set_(source.untyped_storage(), start, there.shape, there.stride)


def copied_together(
    tensors: Sequence[Tensor], outlines: Sequence[Outline | None]
) -> list[Tensor] | None:
    """Copy tensors to one new memory in which they lie as the outlines say, the first on top.

    None where they can't: of unlike dtypes, of other shapes than they had, or expanded.
    """
    known = [outline for outline in outlines if outline is not None]
    if not _fit(tensors, known):
        return None
    unit = known[0].dtype.itemsize
    end = max(outline.stop for outline in known)
    memory = torch.empty(end // unit, dtype=tensors[0].dtype, device=tensors[0].device)
    views = [memory.as_strided(o.shape, o.stride, o.offset // unit) for o in known]
    if any(map(self_overlapping, views)):
        return None
    with torch.no_grad():
        # The first comes last, so that where they overlap its values stay.
        for tensor, view in reversed(list(zip(tensors, views, strict=True))):
            view.copy_(tensor)
    return views


def _fit(tensors: Sequence[Tensor], outlines: Sequence[Outline]) -> bool:
    """Whether tensors have the shapes of the outlines, and one dtype as those had."""
    now = {(tensor.dtype, tensor.device, tensor.layout) for tensor in tensors}
    then = {outline.dtype for outline in outlines}
    return (
        [tensor.shape for tensor in tensors] == [outline.shape for outline in outlines]
        and len(now) == len(then) == 1
        and all(outline.offset % outline.dtype.itemsize == 0 for outline in outlines)
    )
