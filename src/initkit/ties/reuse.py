"""Which parameters one forward uses more than once, and where.

A use is an operation that reads bytes of a parameter, other than in a backward inside the forward.
Views, shapes and ``*_like`` read nothing; a copy or a cast is no use of its own: what later reads
the copy uses the parameter. Operations are those that the model's code calls, so an LSTM or an
attention counts once.
"""

from __future__ import annotations

from torch import nn
from torch.nn.parameter import is_lazy

from ..errors import TargetError
from ..model import preserved, walk
from ..wording import checks_calls
from .byte_regions import Region
from .groups import tie_slots
from .op_trace import OpTrace, Reuse, Use
from .storage import regions

__all__ = ["Reuse", "Use", "find_reused_parameters"]


@checks_calls
def find_reused_parameters(
    model: nn.Module, /, *args: object, **kwargs: object
) -> dict[str, Reuse]:
    """Run one forward and find the parameters whose bytes it uses more than once.

    Keys are the names that ``named_parameters`` shows; tied names count together under their first.
    The model and all generators are left as they were. Raises `TargetError`
    for what is no module or still lazy; what the forward raises comes through.

    >>> import torch
    >>> class Twice(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.linear = nn.Linear(4, 4, bias=False)
    ...     def forward(self, x):
    ...         return self.linear(self.linear(x).relu())
    >>> print(find_reused_parameters(Twice(), torch.ones(2, 4))["linear.weight"])
    2 times: linear in linear, call 1; linear in linear, call 2
    """
    trace = OpTrace(*_owners(model))
    with preserved(model), trace.following(model):
        model(*args, **kwargs)
    return trace.reused()


def _owners(model: nn.Module) -> tuple[list[str], list[tuple[Region, int]]]:
    """Return the parameters' first names, and their regions with the places of the names."""
    slots = walk(model, raw=True)
    for slot in slots:
        if slot.tensor is not None and is_lazy(slot.tensor):
            raise TargetError(
                f"{slot.name} is lazy and would take its shape from this forward; run one first"
            )
    # Slots and groups live as long as this function, so their ids may serve as keys. A parameter
    # with several regions, or names over the same bytes, is entered once for each region.
    tied = {id(slot): group for group in tie_slots(slots) for slot in group.slots}
    names: dict[str, int] = {}
    owned: dict[tuple[Region, int], None] = {}
    for slot in slots:
        if slot.tensor is not None:
            first = tied[id(slot)].names[0] if id(slot) in tied else slot.name
            place = names.setdefault(first, len(names))
            owned.update(dict.fromkeys((region, place) for region in regions(slot.tensor)))
    return list(names), list(owned)
