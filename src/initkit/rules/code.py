"""Which recipes follow the code that a class is from: told by Python modules, never by names."""

from __future__ import annotations

from collections.abc import Iterable

from .catalog import every_recipe
from .recipe import Recipe


def follows(recipe: Recipe, module: str) -> bool:
    """Tell whether a recipe follows the code of a Python module, or of a package around it."""
    known = recipe.modules
    return any(place in known for place in _around(module))


def _around(module: str) -> Iterable[str]:
    parts = module.split(".")
    # A package alone holds hundreds of families; a file by itself may be a repository's.
    least = 1 if len(parts) == 1 else 2
    return (".".join(parts[:count]) for count in range(len(parts), least - 1, -1))


def recipes_for(module: str) -> list[Recipe]:
    """Return the recipes that follow the code of a Python module, by name.

    >>> [recipe.name for recipe in recipes_for("torchvision.models.regnet")]
    ['regnet/torchvision']
    """
    return [recipe for recipe in every_recipe() if follows(recipe, module)]
