"""The one distribution of a tensor whose elements hold these expressions, where there is one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..distributions import Blocks, Distribution, Orthogonal
from .expression import UNWRITTEN, Expression
from .memory import Held, Memory
from .tables import exact

_BLOCKS = 64  # equal blocks that a plan may show


@dataclass(frozen=True)
class Found:
    """What a tensor holds: its distribution, or why there is none, and the expressions in it."""

    distribution: Distribution | None
    note: str = ""
    present: tuple[Expression, ...] = ()
    tensor: Tensor | None = None

    @property
    def draws(self) -> frozenset[int]:
        """The numbers of the draws that it came from."""
        return frozenset().union(*(e.draws for e in self.present))


def unexplained(why: str, tensor: Tensor | None = None) -> Found:
    """Return what is not known, and why."""
    return Found(None, why, tensor=tensor)


def explain(memory: Memory, held: Held, tensor: Tensor) -> Found:
    """Return the distribution of a tensor that holds these expressions."""
    present = memory.present(held)
    distribution, note = _one(present, tensor)
    if distribution is None and isinstance(held, Tensor) and not note:
        distribution, note = _by_blocks(memory, held, tensor)
    if (
        distribution is not None
        and len(present) > 1
        and (note := _shared(memory, held, tensor, present))
    ):
        distribution = None
    return Found(distribution, note, tuple(present), tensor)


def _one(present: Sequence[Expression], tensor: Tensor) -> tuple[Distribution | None, str]:
    """Return the distribution of all elements, and what is to be said where there is none."""
    if any(e is UNWRITTEN for e in present):
        return None, "memory that was never written" + (" in part" if len(present) > 1 else "")
    if all(e.fixed for e in present):
        return _fixed(present, tensor)
    unknown = [e for e in present if e.distribution is None and not e.fixed]
    if unknown:
        return None, unknown[0].describe()
    distributions = {e.distribution for e in present}
    if len(distributions) > 1 or None in distributions:
        return None, ""
    distribution = distributions.pop()
    assert distribution is not None
    if distribution.elementwise:
        return distribution, ""
    return _whole(distribution, tensor) if len(present) == 1 else (None, "")


def _fixed(present: Sequence[Expression], tensor: Tensor) -> tuple[Distribution | None, str]:
    distribution = present[0].distribution if len(present) == 1 else None
    if tensor.is_meta:
        return (
            distribution,
            "" if distribution is not None else "values that were computed, on the meta device",
        )
    return exact(tensor, distribution)


def _whole(distribution: Distribution, tensor: Tensor) -> tuple[Distribution | None, str]:
    """Fit what is drawn as a whole to the shape that it ended in."""
    if isinstance(distribution, Orthogonal) and distribution.shape != tuple(tensor.shape):
        rows = tensor.shape[0] if tensor.dim() else 1
        columns = tensor.numel() // max(rows, 1)
        if distribution.grid[0] != 1 or {rows, columns} != set(distribution.grid[1:]):
            return None, f"a part of a matrix: {distribution.describe()}"
        return replace(distribution, shape=tuple(tensor.shape), grid=(1, rows, columns)), ""
    if getattr(distribution, "shape", tuple(tensor.shape)) != tuple(tensor.shape):
        return None, f"{distribution.describe()}, in another shape"
    return distribution, ""


def _by_blocks(memory: Memory, held: Tensor, tensor: Tensor) -> tuple[Distribution | None, str]:
    """Return equal blocks of dimension 0 with one distribution each."""
    rows = tensor.shape[0] if tensor.dim() else 0
    flat = held.reshape(rows, -1)
    changes = (flat[1:] != flat[:-1]).any(1).nonzero().flatten() + 1
    # Blocks begin where rows change; as many equal ones as their greatest common divisor allows.
    size = math.gcd(rows, *changes.tolist()) if len(changes) <= _BLOCKS else 1
    mixed = _mixture(memory, held)
    if not len(changes) or rows // max(size, 1) > _BLOCKS:
        return None, mixed
    parts: list[Distribution] = []
    for start in range(0, rows, size):
        present = memory.present(held[start : start + size])
        distribution, _ = _one(present, tensor[start : start + size])
        if distribution is None:
            return None, mixed
        parts.append(distribution)
    return Blocks(tuple(parts), tensor.numel()), ""


def _mixture(memory: Memory, held: Tensor) -> str:
    kinds = dict.fromkeys(e.describe() for e in memory.present(held))
    return "by place " + " or ".join(list(kinds)[:4])


def _shared(memory: Memory, held: Held, tensor: Tensor, present: Sequence[Expression]) -> str:
    """Say where elements of one draw come twice, as in rows that were copied from one."""
    random = [e for e in present if e.draws]
    for i, one in enumerate(random):
        for other in random[:i]:
            if one.draws & other.draws and isinstance(held, Tensor) and not tensor.is_meta:
                a = tensor[held == memory.number(one)]
                b = tensor[held == memory.number(other)]
                if a.shape == b.shape and torch.equal(a, b):
                    return f"one draw in two places: {one.describe()}"
    return ""
