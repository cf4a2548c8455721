"""Running statistics of normalisation layers: which are off their reset value, and the reset."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from torch import nn

from ..model import Slot

_RESET: Mapping[str, float] = {"running_mean": 0, "running_var": 1, "num_batches_tracked": 0}


def resettable(slot: Slot) -> bool:
    """Tell whether a buffer is one of the running statistics that its module can reset."""
    return slot.key in _RESET and hasattr(slot.owner, "reset_running_stats")


def off_reset(slots: Sequence[Slot], owners: Container[int]) -> list[str]:
    """Return the names of running statistics, of buffers, that are not what they are reset to.

    Of the modules in ``owners`` (by id), and of those that have no parameters.
    """
    return [
        slot.name
        for slot in slots
        if slot.tensor is not None and resettable(slot)
        # Statistics go with the parameters of their layer, and without any with the model.
        if id(slot.owner) in owners or not _has_parameters(slot.owner)
        if not slot.tensor.is_meta and bool((slot.tensor != _RESET[slot.key]).any())
    ]


def _has_parameters(module: nn.Module | None) -> bool:
    return module is not None and any(p is not None for p in module._parameters.values())


def reset_running_stats(modules: Iterable[nn.Module]) -> None:
    """Reset the running statistics of every module that has them."""
    for module in modules:
        if "running_mean" in module._buffers and hasattr(module, "reset_running_stats"):
            module.reset_running_stats()  # type: ignore[operator]
