"""Where a tensor's values lie, in units of their root mean square."""

from __future__ import annotations

import torch
from torch import Tensor

from ..model import untraced

LIMIT = 4.0
_BINS = 33
_MOST = 4096  # elements: the picture of a layer needs no more


@untraced
def histogram(tensor: Tensor, rms: float) -> tuple[float, ...]:
    """Return the shares of a tensor's elements in equal bins from -4 to 4 rms; of some, if many.

    >>> histogram(torch.zeros(3), 1.0).index(1.0)
    16
    """
    x = tensor.detach()
    if not x.numel() or not rms or x.is_complex():
        return ()
    # In the order of memory, whatever the layout, so that nothing is copied but what is counted.
    flat = x.permute(sorted(range(x.dim()), key=x.stride, reverse=True)).reshape(-1)
    step = -(-x.numel() // _MOST) | 1  # odd, lest it meets some channels alone
    x = flat[::step].double() / rms
    x = x[x.isfinite()]
    counts = torch.histc(x.clamp(-LIMIT, LIMIT), _BINS, -LIMIT, LIMIT)
    total = max(x.numel(), 1)
    return tuple((counts / total).tolist())
