"""What differs between the releases of torch, asked of torch itself wherever it can be asked."""

from __future__ import annotations

import ast
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


def module_path(told: str) -> str:
    """Return the path of a module, which a graph may tell as the expression that reached it.

    ``torch.export`` of the oldest releases writes the source code of a way from a local variable.

    >>> module_path("getattr(L['fn'], '2').heads['a'][0].proj")
    '2.heads.a.0.proj'
    >>> module_path("2.heads.a.0.proj")
    '2.heads.a.0.proj'
    """
    try:
        step: ast.AST = ast.parse(told, mode="eval").body
    except SyntaxError:  # a path is none where it has a number
        return told
    names: list[str] = []
    while True:
        match step:
            case ast.Subscript(value=ast.Name(id="L")):
                return ".".join(reversed(names))
            case ast.Attribute(value=step, attr=name):
                names.append(name)
            case ast.Subscript(value=step, slice=ast.Constant(value=name)):
                names.append(str(name))
            case ast.Call(func=ast.Name(id="getattr"), args=[step, ast.Constant(value=name)]):
                names.append(str(name))
            case _:
                return told
