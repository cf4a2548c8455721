"""Fill tensors from a distribution: the public face of the stream."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import OptionError
from .bounds import trunc_bounds
from .keys import Key
from .runs import Runs
from .spec import BERNOULLI, CHOICE, NORMAL, TRUNC_NORMAL, UNIFORM, WORDS, Spec
from .write import write

_MAX = 3.4028234663852886e38  # the largest float32


def uniform_spec(low: float, high: float, threshold: float = 0.0) -> Spec:
    """Return what makes words uniform, for :func:`write_many`; errors as in `uniform_`."""
    if not (low <= high and low >= -_MAX and high <= _MAX and threshold >= 0):
        raise OptionError(f"a uniform needs finite low <= high; got low={low:g}, high={high:g}")
    return UNIFORM, low, high, threshold


def normal_spec(mean: float, std: float) -> Spec:
    """Return what makes words normal."""
    if not (-_MAX <= mean <= _MAX and 0 <= std <= _MAX):
        raise OptionError(
            f"a normal needs finite mean and std >= 0; got mean={mean:g}, std={std:g}"
        )
    return NORMAL, mean, std


def trunc_normal_spec(mean: float, std: float, low: float, high: float) -> Spec:
    """Return what makes words normal between absolute bounds."""
    return TRUNC_NORMAL, mean, std, low, high, *trunc_bounds(mean, std, low, high)


def uniform_(
    out: Tensor,
    key: Key,
    low: float,
    high: float,
    runs: Runs = 0,
    *,
    threshold: float = 0.0,
    path: str | None = None,
    bump: bool = True,
) -> Tensor:
    """Fill ``out`` uniformly between ``low`` and ``high``; below ``threshold`` it becomes zero.

    ``runs`` says which global elements ``out`` holds, in its logical order: the index of the first,
    or a list of (start, length), or those as an int64 tensor of shape (n, 2). ``path`` chooses an
    implementation (see :func:`paths`); ``bump=False`` leaves the tensor's version alone, for
    callers who write one tensor in pieces and raise it once. Raises
    :class:`~initkit.errors.OptionError` for numbers that make no sense, and
    :class:`~initkit.errors.TargetError` or :class:`~initkit.errors.TensorProblem` for what cannot
    be filled.

    >>> uniform_(torch.empty(2), key(0, "fc.weight"), 0.0, 1.0)
    tensor([0.1516, 0.1670])
    """
    return write(out, key, uniform_spec(low, high, threshold), runs, path, bump)


def normal_(
    out: Tensor,
    key: Key,
    mean: float,
    std: float,
    runs: Runs = 0,
    *,
    path: str | None = None,
    bump: bool = True,
) -> Tensor:
    """Fill ``out`` from the normal distribution; ``runs``, ``path``, ``bump`` as in `uniform_`.

    >>> normal_(torch.empty(2), key(0, "fc.weight"), 1.0, 0.5)
    tensor([0.8052, 0.7842])
    """
    return write(out, key, normal_spec(mean, std), runs, path, bump)


def trunc_normal_(
    out: Tensor,
    key: Key,
    mean: float,
    std: float,
    low: float,
    high: float,
    runs: Runs = 0,
    *,
    path: str | None = None,
    bump: bool = True,
) -> Tensor:
    """Fill ``out`` from a normal distribution cut off at the absolute bounds ``low``, ``high``.

    ``mean`` and ``std`` are those before the cut; ``runs``, ``path``, ``bump`` as in `uniform_`.

    >>> trunc_normal_(torch.empty(2), key(0, "fc.weight"), 0.0, 0.02, -0.04, 0.04)
    tensor([-0.0074, -0.0082])
    """
    return write(out, key, trunc_normal_spec(mean, std, low, high), runs, path, bump)


def words(
    key: Key,
    runs: Runs,
    count: int,
    *,
    device: torch.device | str = "cpu",
    path: str | None = None,
) -> Tensor:
    """Return the 32-bit words of ``count`` elements as int64.

    >>> [f"{w:08x}" for w in words(key(0, "fc.weight"), 255, 2).tolist()]
    ['4508b478', '9d0194ca']
    """
    out = torch.empty(count, dtype=torch.int64, device=device)
    return write(out, key, (WORDS,), runs, path, False)


def bernoulli(
    key: Key,
    p: float,
    runs: Runs,
    count: int,
    *,
    device: torch.device | str = "cpu",
    path: str | None = None,
) -> Tensor:
    """Return ``count`` bools, true with probability ``p``; by custom from a key of stream 1.

    >>> bernoulli(key(0, "fc.weight", 1), 0.5, 0, 4)
    tensor([False,  True,  True, False])
    """
    if not 0 <= p <= 1:
        raise OptionError(f"a probability lies between 0 and 1; got {p:g}")
    out = torch.empty(count, dtype=torch.bool, device=device)
    # Memory of our own making, whose version nobody has seen: no bump.
    return write(out, key, (BERNOULLI, round(p * 2.0**32)), runs, path, False)


def choice(
    key: Key,
    m: int,
    runs: Runs,
    count: int,
    *,
    device: torch.device | str = "cpu",
    path: str | None = None,
) -> Tensor:
    """Return ``count`` whole numbers in ``[0, m)`` as int64; by custom from a key of stream 1.

    >>> choice(key(0, "fc.weight", 1), 10, 0, 4)
    tensor([6, 2, 2, 5])
    """
    if not 1 <= m <= 1 << 32:
        raise OptionError(f"a choice is among 1 to 2^32 things; got {m}")
    out = torch.empty(count, dtype=torch.int64, device=device)
    return write(out, key, (CHOICE, m), runs, path, False)
