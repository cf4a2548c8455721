"""Values that no randomness made, read off the tensor that holds them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..distributions import Constant, Distribution, Table
from .expression import Expression


def exact(tensor: Tensor, distribution: Distribution | None) -> tuple[Distribution | None, str]:
    """Return the distribution of fixed values, and what is to be said where there is none.

    ``distribution`` is what the operations said; the values have the last word.
    """
    if not tensor.numel():
        return distribution or Constant(0.0), ""
    if (
        distribution is not None and distribution.placed
    ):  # an identity that a function of torch.nn.init set
        return distribution, ""
    value = tensor.reshape(-1)[0]
    if bool((tensor == value).all()):
        return _constant(value, distribution), ""
    if tensor.layout is not torch.strided or bool(tensor.isnan().any()):
        return None, "values that are no numbers"
    return Table.of(tensor), ""


def _constant(value: Tensor, distribution: Distribution | None) -> Constant:
    """Return the constant as the code wrote it, where it is that once rounded."""
    number = float(value.real if value.is_complex() else value)
    if isinstance(distribution, Constant):
        if distribution.value == number and not value.is_complex():
            return distribution
        rounded = torch.tensor(distribution.value, dtype=torch.float64, device="cpu").to(
            value.dtype
        )
        if bool(rounded == value.cpu()):
            return distribution
    return Constant(_shortest(number, value.dtype))


def _shortest(number: float, dtype: torch.dtype) -> float:
    """Return the number of fewest digits that the dtype holds as this one."""
    for digits in range(1, 17):
        short = float(f"{number:.{digits}g}")
        if float(torch.tensor(short, dtype=torch.float64, device="cpu").to(dtype).real) == number:
            return short
    return number


def table_of(present: Sequence[Expression], tensor: Tensor) -> Expression | None:
    """Return the expression of fixed values that only the tensor itself tells, or None."""
    if not all(e.fixed for e in present) or (
        len(present) == 1 and present[0].distribution is not None
    ):
        return None
    distribution, _ = exact(tensor, None)
    return (
        None if distribution is None else Expression("table", distribution=distribution, fixed=True)
    )
