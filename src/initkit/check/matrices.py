"""The matrices of a tensor, found for checking: not by the way on which they are written."""

from __future__ import annotations

import math

from torch import Tensor

from ..numbers import Layout


def stacked(tensor: Tensor, layout: Layout) -> Tensor:
    """Return a tensor as (how many, rows, columns, window ...); a copy where they lie apart.

    Each dimension says how far one step along it leads in the result, and torch copies along
    these strides.

    >>> import torch
    >>> w = torch.arange(8).view(2, 2, 2)
    >>> stacked(w, Layout.parse("out in out"))[0].tolist()
    [[0, 2], [1, 3], [4, 6], [5, 7]]
    """
    words, sizes = list(layout.words(tensor.dim())), list(tensor.shape)
    at = layout.copies
    if layout.blocks > 1:
        cut = (*sizes[:at], layout.blocks, sizes[at] // layout.blocks, *sizes[at + 1 :])
        tensor = tensor.reshape(cut)
        words.insert(at, "")
        sizes = list(tensor.shape)
    kinds = [word if word in ("out", "in", "k") else "" for word in words]
    sides = ["", "out", "in", "k"]
    if _is_transposed(kinds):
        sides = ["", "in", "out", "k"]
    steps, step = [0] * len(sizes), 1
    # From the innermost side outwards, and within a side from its last dimension.
    for side in reversed(sides):
        for dim in reversed(range(len(sizes))):
            if kinds[dim] == side:
                steps[dim], step = step, step * sizes[dim]
    of = {side: [n for n, kind in zip(sizes, kinds, strict=True) if kind == side] for side in sides}
    shape = [*(math.prod(of[side]) for side in sides[:3]), *of["k"]]
    if tensor.is_contiguous() and steps == [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]:
        return tensor.view(shape)
    found = tensor.new_empty(shape)
    found.as_strided(sizes, steps).copy_(tensor)
    return found


def _is_transposed(kinds: list[str]) -> bool:
    """Whether the window belongs to the outputs: inputs come first and the window last."""
    counted = [kind for kind in kinds if kind]
    ordered = sorted(counted, key=("in", "out", "k").index)
    return counted == ordered and len(set(counted)) == 3
