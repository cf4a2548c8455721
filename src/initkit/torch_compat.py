"""What differs between the releases of torch, asked of torch itself wherever it can be asked."""

from __future__ import annotations

from functools import cache

import torch


@cache
def strides_over_chunks() -> bool:
    """Say whether DTensor deals the chunks of a strided shard out in turn.

    Releases up to 2.9 do, where later ones split each of ``split_factor`` pieces, as FSDP2 does in
    all of them. The two are one where sizes divide.
    """
    from torch.distributed.tensor.placement_types import _StridedShard

    placement = _StridedShard(0, split_factor=2)
    try:
        shards, _ = placement._split_tensor(torch.arange(5), 2, with_padding=False)
    except AssertionError:  # the oldest ones deal out what divides, and nothing else
        return False
    return [int(i) for i in shards[0]] == [0, 1, 4]


@cache
def grain(dtype: torch.dtype) -> float:
    """Return the smallest chance by which torch's own random numbers of a dtype differ.

    Older releases draw numbers of 16 bits from as many random bits as their mantissa has, so that
    zeros and repeats are common; later ones round from float32.
    """
    fine = 2.0**-24
    if not dtype.is_floating_point or dtype.itemsize != 2:
        return fine
    generator = torch.Generator("cpu").manual_seed(0)
    drawn = torch.empty(1 << 16, dtype=dtype, device="cpu").uniform_(generator=generator)
    smallest = float(drawn[drawn > 0].min())
    # Of so many fine numbers one lies below this for certain.
    return smallest if smallest > 2.0**-13 else fine
