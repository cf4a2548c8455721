"""One tensor started by itself, without a model around it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ..errors import ReadError, TargetError
from ..schemes import Scheme, read_scheme_of
from ..wording import Entry, checks_calls, show
from ..write import apply_init


@checks_calls
def init_(
    tensor: Tensor,
    scheme: str | float | Scheme | Callable[[Tensor], object],
    *,
    seed: int | None = None,
    name: str = "",
) -> Tensor:
    """Start one bare tensor by any scheme, in place, and return it.

    Fans are those of the shape, as in ``torch.nn.init``. The numbers are those that a state_dict
    with this one entry called ``name`` would get under ``seed``; ``seed=None`` draws a seed from
    torch's global generator.

    Raises :class:`TargetError` for what is no tensor, :class:`ReadError` for a scheme that cannot
    be read, and :class:`PlanError` where the scheme cannot start this tensor.

    >>> import torch
    >>> w = init_(torch.empty(3, 5), "xavier_uniform(gain='relu')", seed=0)
    >>> entry = torch.empty(3, 5)
    >>> _ = apply_init({"": entry}, {"*": "xavier_uniform(gain='relu')"}, seed=0)
    >>> torch.equal(w, entry)
    True
    """
    if not isinstance(tensor, Tensor):
        raise TargetError(f"init_ starts a tensor, and got a {type(tensor).__name__}")
    if not isinstance(name, str):
        raise TargetError(f"name is a text that the numbers depend on, not {name!r}")
    alone = Entry((), scheme)
    try:
        read = _scheme_of(alone)
    except ReadError as error:
        show(error, alone, _scheme_of)
        raise
    apply_init({name: tensor}, {"*": read}, seed=seed)
    return tensor


def _scheme_of(alone: Entry) -> Scheme:
    return read_scheme_of(alone.value, 1)
