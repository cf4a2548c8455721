"""How spread out attention is: the entropy of softmax over the logarithm of its places."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..model import untraced

_ROWS = 16  # of each head: enough for a mean, and no copy of all probabilities
_MASKED = -1e4  # what models add to a score, at least, to mask it


@untraced
def softmax_entropy(probabilities: Tensor, scores: Tensor, dim: int) -> tuple[float, float]:
    """Return the mean of entropy / ln n over rows, and the mean of n; NaN where no row has two.

    Rows are some, evenly spaced; places whose scores were masked do not count.

    >>> even = torch.full((1, 4), 0.25)
    >>> softmax_entropy(even, torch.zeros(1, 4), -1)
    (1.0, 4.0)
    """
    p, s = (_rows(t.detach().movedim(dim, -1)) for t in (probabilities, scores))
    return _mean_entropy(p, s > _MASKED)


@untraced
def attention_entropy(
    query: Tensor,
    key: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> tuple[float, float]:
    """Return the same of scaled-dot-product attention, whose probabilities nobody has seen.

    >>> attention_entropy(torch.zeros(1, 4, 8), torch.zeros(1, 4, 8))
    (1.0, 4.0)
    """
    query, key = query.detach(), key.detach()
    rows = _spaced(query.shape[-2], query.device)
    queries = query.index_select(-2, rows).float()
    if query.dim() > 3 and key.shape[-3] != query.shape[-3]:  # groups of heads share keys
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
    scores = queries @ key.float().transpose(-2, -1)
    scores *= 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    if causal:
        later = torch.arange(key.shape[-2], device=rows.device) > rows[:, None]
        scores = scores.masked_fill(later, -math.inf)
    if mask is not None:
        part = mask if mask.shape[-2] == 1 else mask.index_select(-2, rows)
        boolean = part.dtype is torch.bool
        scores = scores.masked_fill(~part, -math.inf) if boolean else scores + part
    return _mean_entropy(scores.softmax(-1), scores > _MASKED)


def _mean_entropy(p: Tensor, open_: Tensor) -> tuple[float, float]:
    places = open_.sum(-1)
    several = places > 1
    if not bool(several.any()):
        return math.nan, math.nan
    entropy = torch.special.entr(p.double()).sum(-1)[several]
    n = places[several].double()
    return float((entropy / n.log()).mean()), float(n.mean())


def _rows(tensor: Tensor) -> Tensor:
    if tensor.dim() < 2:
        return tensor
    return tensor.index_select(-2, _spaced(tensor.shape[-2], tensor.device))


def _spaced(n: int, device: torch.device) -> Tensor:
    """Return some of ``n`` indices, evenly spaced, both ends among them."""
    count = min(n, _ROWS)
    return torch.linspace(0, n - 1, count, device=device).round().long()
