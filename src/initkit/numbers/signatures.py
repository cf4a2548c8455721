"""Whether a user's function wants to know which parameter it starts."""

from __future__ import annotations

import inspect
from collections.abc import Callable

SLOT = "slot"
"""What a function calls the parameter that takes the slot."""


def slot_parameter(function: Callable[..., object], *, registered: bool = False) -> str | None:
    """Return the parameter of a function that takes the slot, or None.

    It is one called ``slot``, or, but where further parameters are options (``registered``), the
    second one; in either case without a default.

    >>> slot_parameter(lambda tensor, place: None), slot_parameter(lambda tensor, std=1.0: None)
    ('place', None)
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # of C, which tells nothing
        return None
    further = [p for p in parameters[1:] if p.default is p.empty]
    if any(p.name == SLOT and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in further):
        return SLOT
    second = further[0] if further and further[0] is parameters[1] and not registered else None
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return second.name if second is not None and second.kind in by_place else None
