"""Which recipes follow the code that a class is from: told by Python modules, never by names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from .catalog import every_recipe
from .recipe import Recipe

_PACKAGES = ("transformers", "timm", "torchvision", "diffusers", "torch_geometric")
# Modules of these names stand in any project: a file that is called so tells nothing.
_ANYWHERE = frozenset("model models modules layers utils main __main__ train".split())


def code_of(recipe: Recipe) -> frozenset[str]:
    """Return the Python modules whose classes start as a recipe says.

    >>> sorted(code_of(describe_recipe("regnet/torchvision")))
    ['torchvision.models.regnet']
    """
    return _modules(recipe.code, recipe.source)


@lru_cache(maxsize=1024)
def _modules(code: tuple[str, ...], source: str) -> frozenset[str]:
    files = re.findall(r"(?<![\w-])(?:src/)?([\w/]+)\.py\b", source)
    paths = [path.replace("/", ".") for path in files]
    # A source may name files from within its package on: "transformers: models/vit/...".
    inner = [
        f"{package}.{path}"
        for package in _PACKAGES
        for path in paths
        if package in source and not path.startswith(package)
    ]
    return frozenset([*code, *paths, *inner]) - _ANYWHERE


def follows(recipe: Recipe, module: str) -> bool:
    """Tell whether a recipe follows the code of a Python module, or of a package around it."""
    known = code_of(recipe)
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
