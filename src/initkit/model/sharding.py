"""What this process holds of a sharded tensor, and why a tensor has no elements to write here."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from ..numbers import loaded
from ..torch_compat import strides_over_chunks
from .tensors import FAKE, is_fake, storage_problem

Range: TypeAlias = tuple[int, int]
Ranges: TypeAlias = tuple[Range, ...]
"""Indices along one dimension as (first, count), in the order in which they are held."""


@dataclass(frozen=True)
class LocalShard:
    """The part of a global tensor that lies in this process.

    ``local`` is the memory, ``shape`` the global shape, and ``ranges`` say for every dimension
    which global indices the local ones stand for.
    """

    local: Tensor
    shape: tuple[int, ...]
    ranges: tuple[Ranges, ...]

    def as_real(self) -> LocalShard:
        """Return the same part of a complex tensor's ``view_as_real``."""
        local = torch.view_as_real(self.local)
        return replace(self, local=local, shape=(*self.shape, 2), ranges=(*self.ranges, ((0, 2),)))

    def runs(self, offset: int, count: int) -> int | Tensor:
        """Return which global elements ``count`` local ones are, from the ``offset``-th on.

        Elements count in row-major order. Where they are one run the answer is its first global
        index, else a tensor of (start, length), dtype int64.
        """
        if self._first is not None:
            return self._first + offset
        starts, lengths = self._rows(offset, count)
        return torch.stack((starts, lengths), dim=1)

    def indices(self, offset: int, count: int) -> Tensor:
        """Return the global index of ``count`` local elements, dtype int64."""
        places = torch.arange(count, device="cpu")
        if self._first is not None:
            return places + (self._first + offset)
        starts, lengths = self._rows(offset, count)
        before = lengths.cumsum(0) - lengths  # how many local elements each run comes after
        return torch.repeat_interleave(starts - before, lengths) + places

    def cut(self, whole: Tensor) -> Tensor:
        """Return this process's part of the whole tensor, given in any shape."""
        part = whole.reshape(self.shape)
        for dim, ranges in enumerate(self.ranges):
            if ranges != ((0, self.shape[dim]),):
                parts = [part.narrow(dim, *one) for one in ranges or ((0, 0),)]
                part = parts[0] if len(parts) == 1 else torch.cat(parts, dim)
        return part

    def place(self, index: int) -> int | None:
        """Return where the global ``index`` of the first dimension is held, or None."""
        before = 0
        for first, count in self.ranges[0]:
            if first <= index < first + count:
                return before + index - first
            before += count
        return None

    def places(self, start: int, stop: int) -> list[int]:
        """Return where those of some indices of the first dimension are held that are held."""
        found = map(self.place, range(start, stop))
        return [place for place in found if place is not None]

    # ---- rows: the last dimension that is held in part, and all within it

    @cached_property
    def _dim(self) -> int:
        return _split_dim(self.ranges, self.shape)

    @cached_property
    def _tail(self) -> int:
        """How many elements stand behind one index of that dimension."""
        return math.prod(self.shape[self._dim + 1 :])

    @cached_property
    def _first(self) -> int | None:
        """The global index of the first element where everything held is one run, else None."""
        return _first_of(self.ranges, self.shape)

    def _rows(self, offset: int, count: int) -> tuple[Tensor, Tensor]:
        """Return starts and lengths of the runs of some local elements."""
        # A row is all that is held at one place of the outer dimensions: a run for each range of
        # the split one. Rows that the elements touch are listed, then cut to the elements.
        inner = torch.tensor(self.ranges[self._dim], device="cpu") * self._tail
        row = int(inner[:, 1].sum())
        number, skip = divmod(offset, row)
        rows = torch.arange(number, -(-(offset + count) // row), device="cpu")
        starts = (self._base(rows)[:, None] + inner[:, 0]).reshape(-1)
        lengths = inner[:, 1].expand(len(rows), -1).reshape(-1)
        ends = lengths.cumsum(0)
        begins = ends - lengths
        low, high = begins.clamp(min=skip), ends.clamp(max=skip + count)
        kept = high > low
        return (starts + low - begins)[kept], (high - low)[kept]

    def _base(self, rows: Tensor) -> Tensor:
        """Return the global index at which each row of the outer dimensions begins."""
        # The row's number has a digit for each outer dimension, the last one first, in the base of
        # what is held of it; the global index counts whole dimensions.
        base = torch.zeros_like(rows)
        step = self._tail * self.shape[self._dim]
        for dim in range(self._dim - 1, -1, -1):
            known = _spread(self.ranges[dim])
            base += known[rows % len(known)] * step
            rows = rows // len(known)
            step *= self.shape[dim]
        return base


def _split_dim(ranges: Sequence[Ranges], shape: Sequence[int]) -> int:
    """Return the last dimension of which not everything is held; -1 where everything is."""
    partly = [dim for dim, held in enumerate(ranges) if held != ((0, shape[dim]),)]
    return max(partly, default=-1)


@lru_cache(maxsize=4096)  # as of the ranges: a model has a few shapes
def _first_of(ranges: tuple[Ranges, ...], shape: tuple[int, ...]) -> int | None:
    """Return the index of the first element held, where all of them are one run; else None."""
    last = _split_dim(ranges, shape)
    if last < 0 or not all(ranges):
        return 0
    # One run, where each dimension before the split one is held at a single index.
    first, step = 0, math.prod(shape[last + 1 :])
    for dim in range(last, -1, -1):
        if len(ranges[dim]) > 1 or (dim < last and ranges[dim][0][1] > 1):
            return None
        first += ranges[dim][0][0] * step
        step *= shape[dim]
    return first


def _spread(ranges: Ranges) -> Tensor:
    return torch.cat([torch.arange(first, first + count, device="cpu") for first, count in ranges])


# -------------------------------------------------------------------------------- from DTensors


def local_shard(tensor: Tensor) -> LocalShard | None:
    """Return what this process holds of a sharded tensor; None where the tensor is not sharded."""
    if not is_sharded(tensor):
        return None
    shape = tuple(tensor.shape)
    return LocalShard(local_part(tensor), shape, _ranges(tensor, shape))


def local_part(tensor: Any) -> Tensor:
    """Return the memory of a sharded tensor in this process, without a history."""
    # What to_local leads to; asking that, which is differentiable, takes thirty times as long.
    local = getattr(tensor, "_local_tensor", None)
    if type(local) is Tensor:
        return local.detach() if local.requires_grad else local
    with torch.no_grad():
        found: Tensor = tensor.to_local()
    return found


def whole_values(tensor: Tensor) -> Tensor | None:
    """Return all values of a tensor, gathered from every process that holds a part of it.

    None where they cannot be: all processes must ask, and in one order.
    """
    if not is_sharded(tensor):
        return tensor.detach()
    gather: Callable[[], Tensor] | None = getattr(tensor, "full_tensor", None)
    return gather().detach() if gather is not None else None


def is_sharded(tensor: object) -> bool:
    """Say whether a tensor is a ``DTensor``; cheap, and imports nothing."""
    # Who made a DTensor has loaded its module, so that where it is not loaded there is none.
    kind = loaded("torch.distributed.tensor", "DTensor")
    return kind is not None and isinstance(tensor, kind)


def rank_count(tensor: Tensor) -> int:
    """Return over how many processes a tensor is spread; 1 where it is not sharded."""
    return int(tensor.device_mesh.size()) if is_sharded(tensor) else 1  # type: ignore[attr-defined]


def is_elsewhere(tensor: Tensor) -> bool:
    """Say whether a tensor is sharded over processes of which this one is none."""
    return is_sharded(tensor) and tensor.device_mesh.get_coordinate() is None  # type: ignore[attr-defined]


def device_type(tensor: Tensor) -> str:
    """Return on which kind of device the parts of a sharded tensor live."""
    return str(tensor.device_mesh.device_type)  # type: ignore[attr-defined]


class _Cut(NamedTuple):
    """How one placement splits a dimension: in so many parts, of which this process holds one."""

    parts: int
    held: int
    factor: int


def _ranges(tensor: Any, shape: tuple[int, ...]) -> tuple[Ranges, ...]:
    """Return which indices this process holds: each placement splits what those before it left."""
    # From left to right, unless the spec says otherwise, which no public attribute tells.
    order = getattr(getattr(tensor, "_spec", None), "shard_order", None)
    sizes, place = _place_in(tensor.device_mesh)
    if place is None:  # this process is not part of the mesh
        return tuple(() for _ in shape)
    return _held(sizes, place, tensor.placements, order, shape)


_Coordinates: TypeAlias = "tuple[tuple[int, ...], tuple[int, ...] | None]"
# By identity: equal meshes may stand for other processes.
_places: dict[int, tuple[weakref.ref[Any], _Coordinates]] = {}


def _place_in(mesh: Any) -> _Coordinates:
    """Return a mesh's shape, and this process's place in it; asked for every tensor."""
    known = _places.get(id(mesh))
    if known is not None and known[0]() is mesh:
        return known[1]
    place = mesh.get_coordinate()
    found = tuple(mesh.shape), None if place is None else tuple(place)
    for key in [key for key, (ref, _) in list(_places.items()) if ref() is None]:
        _places.pop(key, None)
    _places[id(mesh)] = weakref.ref(mesh), found
    return found


@lru_cache(maxsize=4096)  # a model has a few shapes, and each tensor is asked several times
def _held(
    sizes: tuple[int, ...],
    place: tuple[int, ...],
    placements: tuple[Any, ...],
    order: Any,
    shape: tuple[int, ...],
) -> tuple[Ranges, ...]:
    dims = range(len(placements)) if order is None else [d for e in order for d in e.mesh_dims]
    ranges: list[Ranges] = [((0, size),) for size in shape]
    for i in dims:
        # Shard, strided or not, has a dimension; Replicate and Partial split nothing.
        if hasattr(p := placements[i], "dim"):
            cut = _Cut(sizes[i], place[i], _split_factor(p))
            ranges[p.dim % len(shape)] = _shard(ranges[p.dim % len(shape)], cut)
    return tuple(ranges)


def _shard(ranges: Ranges, cut: _Cut) -> Ranges:
    """Split indices as a placement does; a strided one splits each of ``factor`` pieces."""
    # DTensor's _StridedShard: FSDP2 on a dimension that tensor parallelism splits as well.
    pieces = [split(ranges, cut.factor, i) for i in range(cut.factor)]
    return _joined([r for piece in pieces for r in split(piece, cut.parts, cut.held)])


def _split_factor(placement: Any) -> int:
    return int(getattr(placement, "split_factor", 1))


def split(ranges: Ranges, parts: int, index: int) -> Ranges:
    """Return one of ``parts`` chunks, of which the last ones may be smaller or empty.

    >>> split(((0, 5), (10, 3)), 3, 1)
    ((3, 2), (10, 1))
    """
    # An equal share rounded up, as torch.chunk and DTensor have it: the last may be short or empty.
    total = sum(count for _, count in ranges)
    size = -(-total // parts)
    low, high = size * index, size * (index + 1)
    found, before = [], 0
    for first, count in ranges:
        start, stop = max(low - before, 0), min(high - before, count)
        if stop > start:
            found.append((first + start, stop - start))
        before += count
    return tuple(found)


def _joined(ranges: Sequence[Range]) -> Ranges:
    """Join ranges that continue one another."""
    found: list[Range] = []
    for first, count in ranges:
        if found and sum(found[-1]) == first:
            found[-1] = found[-1][0], found[-1][1] + count
        else:
            found.append((first, count))
    return tuple(found)


# ------------------------------------------------------------------------------------- problems


def placement_problem(tensor: Tensor) -> str:
    """Return why this process cannot tell which elements of the tensor it holds, or nothing."""
    if is_sharded(tensor):
        return _unsupported_placement(tensor) or _local_shape_problem(tensor)
    if is_fake(tensor):
        return FAKE
    return shape_problem(tensor)


def values_problem(tensor: Tensor) -> str:
    """Return why a tensor holds no values that could be read, or nothing."""
    if is_lazy(tensor) or tensor.is_nested:
        return shape_problem(tensor)
    if tensor.is_meta:
        return "it is on the meta device and holds no values; materialize the model first"
    return FAKE if is_fake(tensor) else storage_problem(tensor)


def shape_problem(tensor: Tensor) -> str:
    """Return why a tensor lacks the shape that it stands for (lazy, nested, ZeRO-3), or nothing."""
    if is_lazy(tensor):
        return "it is lazy and has no shape yet; run one forward pass first"
    if tensor.is_nested:
        return "it is a nested tensor, whose rows have shapes of their own; start its parts"
    return "" if tensor.numel() else _placeholder_problem(tensor)


def _unsupported_placement(tensor: Any) -> str:
    for mesh_dim, placement in enumerate(tensor.placements):
        if placement.is_partial():
            return (
                f"its placement {placement} means that every rank holds a summand, not elements; "
                "redistribute it to Replicate() or Shard() first"
            )
        if not (hasattr(placement, "dim") or placement.is_replicate()):
            return f"its placement {placement} is unknown here"
        if _split_factor(placement) > 1 and not _strides_agree(tensor, mesh_dim):
            return (
                f"its placement {placement} splits {tensor.shape[placement.dim]} unevenly, which "
                f"torch {torch.__version__} does in one way under FSDP2 and in another in "
                "distribute_tensor; choose a size that divides, or a newer torch"
            )
    return ""


def _strides_agree(tensor: Any, strided: int) -> bool:
    """Say whether this torch has one reading of a strided placement: the same on every rank."""
    if not strides_over_chunks():
        return True
    mesh, dim = tensor.device_mesh, tensor.placements[strided].dim
    cut = [i for i, p in enumerate(tensor.placements) if getattr(p, "dim", None) == dim]
    sizes = [mesh.size(mesh_dim) for mesh_dim in cut]
    own = mesh.size(strided) * _split_factor(tensor.placements[strided])
    return int(tensor.shape[dim]) % math.lcm(math.prod(sizes), own) == 0


def _local_shape_problem(tensor: Tensor) -> str:
    shape, local = tuple(tensor.shape), local_part(tensor).shape
    expected = _counts(_ranges(tensor, shape))
    # Where a rank holds nothing, torch gives its empty part any shape.
    if local == expected or (0 in local and 0 in expected):
        return ""
    return (
        f"this rank holds {list(local)} of {list(shape)} where its placements "
        f"{tensor.placements} mean {list(expected)}"  # type: ignore[attr-defined]
    )


@lru_cache(maxsize=4096)
def _counts(ranges: tuple[Ranges, ...]) -> tuple[int, ...]:
    """Return how many indices of each dimension are held."""
    return tuple(sum(count for _, count in held) for held in ranges)


def _placeholder_problem(tensor: Tensor) -> str:
    # DeepSpeed keeps the true shape in an attribute, `ds_shape`, of an empty parameter.
    for name, value in getattr(tensor, "__dict__", {}).items():
        if name.endswith("shape") and isinstance(value, Sequence) and math.prod(value) > 0:
            return (
                f"it is an empty placeholder of a tensor of shape {list(value)} that is "
                "partitioned elsewhere (ZeRO-3); gather it first, or initialise before partitioning"
            )
    return ""
