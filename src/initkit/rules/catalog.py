"""The recipes that have a name, and their other names; a family's file is loaded on first use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import DuplicateNameError, UnknownNameError
from ..render import Names, Table, html_page
from ..schemes import check_name, refuse_taken
from ..wording import checks_calls

if TYPE_CHECKING:
    from .recipe import Recipe

# Filled as families are loaded: who looks for a name asks `_load` first.
_RECIPES: dict[str, Recipe] = {}
_ALIASES: dict[str, str] = {}


def recipe_named(name: str) -> Recipe | None:
    """Return the recipe of this name, or None."""
    if name not in _ALIASES:  # only a loaded family has aliases
        _load(name)
    target = _ALIASES.get(name, name)
    _load(target)  # an alias may stand for a recipe of another family
    return _RECIPES.get(target)


def _load(name: str | None) -> None:
    """Load the file of a recipe's family, or with None every file."""
    from ..recipes import load  # upward, and lazy: its files are made of rules

    if name not in _RECIPES:
        load(name)


def add_recipes(recipes: Iterable[Recipe], aliases: Mapping[str, str] | None = None) -> None:
    """Register recipes, and other names for them."""
    for recipe in recipes:  # one by one, so that two of one batch cannot share a name either
        _refuse_taken(recipe.name)
        _RECIPES[recipe.name] = recipe
    for alias, name in (aliases or {}).items():  # `name` may be a recipe that is not loaded yet
        _refuse_taken(alias)
        _ALIASES[alias] = name


def _refuse_taken(name: str) -> None:
    """Refuse a name that a recipe or a scheme has already."""
    check_name(name)
    if name in _RECIPES or name in _ALIASES:
        message = f"the name {name!r} belongs to a recipe already; choose another"
        raise DuplicateNameError(message)
    if name != "torch_default":  # the one name that means the same as scheme and as recipe
        refuse_taken(name)


@checks_calls
def unregister_recipe(name: str) -> None:
    """Forget a recipe; for tests and interactive work."""
    if name not in _RECIPES:
        raise UnknownNameError("recipe", name, list_recipes())
    del _RECIPES[name]


@checks_calls
def list_recipes() -> list[str]:
    """Return the names of all recipes; a notebook shows what each of them is.

    >>> "resnext" in list_recipes()
    True
    """
    _load(None)
    return Names(sorted([*_RECIPES, *_ALIASES]), _recipes_page)


def _recipes_page(names: Sequence[str]) -> str:
    recipes = [(name, _RECIPES[_ALIASES.get(name, name)]) for name in names]
    rows = [(name, one.summary, ", ".join(one.fits), one.source) for name, one in recipes]
    table = Table(("recipe", "what it is", "fits", "after"), rows, "lppp")
    return html_page(f"{len(rows):,} recipes", [table])


def every_recipe() -> list[Recipe]:
    """Return every recipe once, by name, whatever else it is called.

    >>> "resnext" in [recipe.name for recipe in every_recipe()]
    False
    """
    _load(None)
    return [recipe for _, recipe in sorted(_RECIPES.items())]


def aliases() -> dict[str, str]:
    """Return other name -> the recipe that it stands for.

    >>> aliases()["resnext"]
    'resnext/torch7'
    """
    _load(None)
    return dict(sorted(_ALIASES.items()))


def variants(recipe: Recipe) -> list[str]:
    """Return the other recipes of a registered recipe's family."""
    family = f"{recipe.name.partition('/')[0]}/"
    registered = recipe.name in _RECIPES
    return [n for n in sorted(_RECIPES) if registered and n.startswith(family) and n != recipe.name]


def other_names(recipe: Recipe) -> list[str]:
    """Return what else a registered recipe is called."""
    return [name for name, meant in sorted(_ALIASES.items()) if meant == recipe.name]
