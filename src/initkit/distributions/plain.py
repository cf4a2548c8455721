"""Distributions read back from plain data, as files hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..errors import ReadError
from ..numbers import check_fields
from .base import CLASSES, Distribution
from .source import Source


def from_dict(data: Mapping[str, Any], shape: tuple[int, ...] | None = None) -> Distribution:
    """Return the distribution that :meth:`Distribution.to_dict` wrote, of tensors of a ``shape``.

    Raises :class:`ReadError` for anything else: what comes from a file may have been changed.

    >>> from initkit.distributions import Normal
    >>> from_dict(Normal(0.0, 0.02).to_dict())
    Normal(mean=0.0, std=0.02)
    """
    try:
        made = _made(data)
        # Sizes come first: they may be any, and all that follows would reckon with them.
        if shape is not None and (text := made.misfit(shape)):
            raise ReadError(f"no distribution of the shape {list(shape)}: {text}")
        _try_out(made)
    except ReadError:
        raise
    except Exception as error:
        raise ReadError(f"no distribution that initkit wrote: {error!r}") from None
    return made


def _made(data: Mapping[str, Any]) -> Distribution:
    options = {k: _rich(v) for k, v in data.items() if k != "kind"}
    made = CLASSES[data["kind"]](**options)
    check_fields(made)
    return made


def _try_out(made: Distribution) -> None:
    """Ask for all that numbers which mean nothing would spoil, at a cost that no size raises."""
    for part in made.inner():
        _try_out(part)
    _ = made.describe(), made.note(), made.reach
    if not made.shape_matters:
        _ = made.mean, made.std, made.bounds
        if made.elementwise:
            made.write(torch.empty(1, device="cpu"), Source(0, ""))


def _rich(value: Any) -> Any:
    """Undo `_plain`; lists become tuples again, which have a hash."""
    if isinstance(value, Mapping) and "kind" in value:
        return _made(value)
    return tuple(_rich(v) for v in value) if isinstance(value, list) else value
