"""The built-in recipes, one file per family, loaded on first use.

A family's file defines ``RECIPES`` and may define ``ALIASES`` (other name -> recipe); its file
name is the part of the recipe's name before the slash. Families that take no more than a few lines
each stand together, in the ``COLLECTIONS`` of their library, listed in ``_names``; there a family's
name alone means its first recipe.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module

from ..rules import add_recipes
from ._names import NAMES


@lru_cache(maxsize=1)
def families() -> frozenset[str]:
    """Return the families that have a file; ``_`` opens the names of what families share."""
    files = (found.name for found in pkgutil.iter_modules(__path__))
    return frozenset(name for name in files if not name.startswith("_"))


COLLECTIONS = tuple(name for name in NAMES if name.startswith("_"))
"""Files of many families, each loaded with the first name that is looked for in it."""
_loaded: set[str] = set()


@lru_cache(maxsize=1)
def _homes() -> dict[str, list[str]]:
    """Return the files that each family is in that has none of its name, in order."""
    found: dict[str, list[str]] = {}
    for file, names in NAMES.items():
        for family in names.split():
            found.setdefault(family, []).append(file)
    return found


def _load_family(family: str) -> None:
    if family in _loaded:
        return
    _loaded.add(family)  # first: registering asks whether the names are taken, and comes here
    module = import_module(f"{__name__}.{family}")
    aliases: dict[str, str] = getattr(module, "ALIASES", {})
    if family in COLLECTIONS:
        own = {r.name: r.name for r in module.RECIPES}
        aliases = _bare_names(family, own | aliases) | aliases
    add_recipes(module.RECIPES, aliases)
    for target in aliases.values():  # which may be recipes of another family
        load(target)


def _bare_names(collection: str, names: Mapping[str, str]) -> dict[str, str]:
    """Return what families' names alone mean; of a family with a file, that is for it to say.

    Of several libraries the first gives the bare name, whichever is loaded first.
    """
    mine: dict[str, str] = {}
    for name, recipe in names.items():
        family = name.partition("/")[0]
        if family not in families() and _homes()[family][0] == collection:
            mine.setdefault(family, recipe)
    return mine


def load(name: str | None) -> None:
    """Register the family of ``name``, or with None every family."""
    for file in files_of(name):
        _load_family(file)


def files_of(name: str | None) -> list[str]:
    """Return the files that may have a name, or with None all."""
    if name is None:
        return [*sorted(families()), *COLLECTIONS]
    # A family is a file, whose name has no dash: a recipe's is looked for under the word before the
    # slash, under what stands before its dash, and with the dash left out.
    head = name.partition("/")[0]
    spelled = dict.fromkeys((head, head.partition("-")[0], head.replace("-", "")))
    return [*(family for family in spelled if family in families()), *_homes().get(head, ())]
