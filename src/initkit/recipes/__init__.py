"""The built-in recipes, one file per family, loaded on first use.

A family's file defines ``RECIPES`` and may define ``ALIASES`` (other name -> recipe); its file
name is the part of the recipe's name before the slash.
"""

from __future__ import annotations

import pkgutil
from functools import lru_cache
from importlib import import_module

from ..rules import add_recipes


@lru_cache(maxsize=1)
def families() -> frozenset[str]:
    """Return the families that have a file; ``_`` opens the names of what families share."""
    files = (found.name for found in pkgutil.iter_modules(__path__))
    return frozenset(name for name in files if not name.startswith("_"))


_loaded: set[str] = set()


def _load_family(family: str) -> None:
    if family in _loaded:
        return
    _loaded.add(family)  # first: registering asks whether the names are taken, and comes here
    module = import_module(f"{__name__}.{family}")
    aliases: dict[str, str] = getattr(module, "ALIASES", {})
    add_recipes(module.RECIPES, aliases)
    for target in aliases.values():  # which may be recipes of another family
        load(target)


def load(name: str | None) -> None:
    """Register the family of ``name``, or with None every family."""
    if name is None:
        for family in sorted(families()):
            _load_family(family)
        return
    # A family is a file, whose name has no dash: a recipe's is looked for under the word before the
    # slash, under what stands before its dash, and with the dash left out.
    head = name.partition("/")[0]
    spelled = dict.fromkeys((head, head.partition("-")[0], head.replace("-", "")))
    for family in spelled:
        if family in families():
            _load_family(family)
