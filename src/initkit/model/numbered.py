"""Which children of a module are its numbered layers, and how many."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from torch import nn
from torch.nn.utils.parametrize import ParametrizationList


def children_of(module: nn.Module) -> dict[str, nn.Module | None]:
    """Return the children of a module by name; a scripted module's are no real dictionary."""
    found: Any = module._modules
    return found if isinstance(found, dict) else dict(found.items())


def every_module(root: nn.Module) -> list[nn.Module]:
    """Return a module and all below it, each once."""
    seen, found = {id(root)}, [root]
    for module in found:  # grows meanwhile
        for child in children_of(module).values():
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                found.append(child)
    return found


def is_counted(module: nn.Module) -> bool:
    """Say whether the children of a module are its numbered layers, whatever its class."""
    if isinstance(module, ParametrizationList):
        return False
    return isinstance(module, nn.ModuleList) or (
        bool(children_of(module)) and all(map(str.isdecimal, children_of(module)))
    )


class Layers(NamedTuple):
    """Whether the children of a module are numbered layers, and how many; None with gaps."""

    counted: bool
    number: int | None


NO_LAYERS = Layers(False, None)


def layers_of(module: nn.Module) -> Layers:
    """Return what the numbers of a module's children stand for, once for all of them."""
    return Layers(True, _count(children_of(module))) if is_counted(module) else NO_LAYERS


def _count(names: Collection[str]) -> int | None:
    """Return how many layers there are; None where numbers are left out."""
    return len(names) if list(names) == [*map(str, range(len(names)))] else None
