"""Whole matrices of sharded tensors, dealt out: each is drawn by one process, and sent to others.

Without ``communicate`` every process of a mesh draws all of them, which needs no word between them.
Dealt out, all must come with the same matrices in the same order: they compare that first, and one
that fails tells the others, which would wait for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from .. import stream
from ..distributions import Copy, Distribution, Joint, Rows, Source
from ..model import LocalShard, local_shard, rank_count
from ..plan import WRITE, Plan, Step
from .distributed import compare_ranks

_AT_ONCE = 4  # matrices that a process draws, each on a thread, before they are sent


class _Matrix(NamedTuple):
    """A tensor that is drawn all at once, and what this process holds of it."""

    name: str
    tensor: Tensor
    part: LocalShard
    distribution: Distribution
    source: Source

    def draw(self) -> Tensor:
        """Return the whole, in the dtype and on the device of the part."""
        local = self.part.local
        values = self.distribution.draw_all(self.source, self.tensor)
        return values.to(local.device, local.dtype).reshape(self.part.shape).contiguous()

    def write(self, values: Tensor) -> None:
        """Keep this process's part of the whole."""
        increment_version(self.tensor)
        out = self.part.local.detach()
        out.copy_(self.part.cut(values).reshape(out.shape))


class Dealer:
    """The matrices of one initialisation that are dealt out."""

    def __init__(self, advance: Callable[[int], object] | None = None) -> None:
        self.advance = advance
        self.matrices: list[_Matrix] = []

    def take(self, step: Step, tensor: Tensor | None, source: Source) -> bool:
        """Take a tensor where dealing it out saves work; False leaves it to the caller."""
        if tensor is None or not _is_whole(step.distribution) or _group(tensor) is None:
            return False
        part, distribution = local_shard(tensor), step.distribution
        assert part is not None
        assert distribution is not None
        self.matrices.append(_Matrix(step.name, tensor, part, distribution, source))
        return True

    def compare(self) -> None:
        """Raise on all processes where they would deal out different matrices.

        To be called before anything is written.
        """
        for mesh, matrices in self._by_mesh():
            hashed = blake2b(digest_size=8)
            for one in matrices:
                key, words = one.source.values, one.distribution.describe()
                hashed.update(repr((one.name, key, one.part.shape, words)).encode())
            compare_ranks(hashed.hexdigest(), matrices[0].source.seed, "", None, _group_of(mesh))

    def deal(self) -> None:
        """Draw, send and write all that was taken."""
        for mesh, matrices in self._by_mesh():
            group = _group_of(mesh)
            size = _AT_ONCE * mesh.size()
            for first in range(0, len(matrices), size):
                self._round(matrices[first : first + size], group)

    def _by_mesh(self) -> list[tuple[Any, list[_Matrix]]]:
        # In the order of the plan, which all processes have in common.
        found: dict[Any, list[_Matrix]] = {}
        for one in self.matrices:
            found.setdefault(one.tensor.device_mesh, []).append(one)  # type: ignore[attr-defined]
        return list(found.items())

    def _round(self, matrices: Sequence[_Matrix], group: Any) -> None:
        import torch.distributed as dist

        ranks = dist.get_process_group_ranks(group)
        mine = dist.get_rank(group)
        drawn: dict[int, Tensor] = {}

        def draw(place: int) -> None:
            with torch.no_grad():
                drawn[place] = matrices[place].draw()

        error: Exception | None = None
        try:
            stream.run([partial(draw, i) for i in range(mine, len(matrices), len(ranks))])
        except Exception as caught:
            error = caught
        compare_ranks("", 0, "", error, group)
        if error is not None:
            raise error
        for place, one in enumerate(matrices):
            local = one.part.local
            values = drawn.pop(place, None)
            if values is None:
                values = torch.empty(one.part.shape, dtype=local.dtype, device=local.device)
            # As bytes: not every backend sends every dtype.
            sent = values.view(-1).view(torch.uint8)
            dist.broadcast(sent, src=ranks[place % len(ranks)], group=group)
            with torch.no_grad():
                one.write(values)
            if self.advance is not None:
                self.advance(values.numel())


def drawn_by_all(plan: Plan, communicate: bool) -> int:
    """Return how many whole matrices every process of a mesh draws for itself."""
    found = 0
    if "torch.distributed.tensor" not in sys.modules:  # who shards a tensor has loaded it
        return found
    whole = {id(distribution) for distribution in plan.distributions if _is_whole(distribution)}
    for step, target in plan.pairs if whole else ():
        tensor = target.writer.tensor
        if step.status == WRITE and tensor is not None and id(step.distribution) in whole:
            found += rank_count(tensor) > 1 and not (communicate and _group(tensor) is not None)
    return found


def _is_whole(distribution: Distribution | None) -> bool:
    """Tell whether values are drawn all at once, of nothing but a name and the seed."""
    if distribution is None or distribution.elementwise or distribution.constant is not None:
        return False
    # What is drawn with others, reads what is there, or runs users' code is made before; so is a
    # copy of it.
    made = distribution.part if isinstance(distribution, Copy) else distribution
    apart = isinstance(made, Joint | Rows)
    return distribution.repeatable and distribution.known and not apart


def _group(tensor: Tensor) -> Any:
    """Return the processes among which a tensor's matrix can be dealt out, or None."""
    if rank_count(tensor) < 2 or tensor.is_complex():
        return None
    return _group_of(tensor.device_mesh)  # type: ignore[attr-defined]


def _group_of(mesh: Any) -> Any:
    import torch.distributed as dist

    if mesh.get_coordinate() is None:
        return None
    if mesh.ndim == 1:
        return mesh.get_group()
    return dist.group.WORLD if mesh.size() == dist.get_world_size() else None
