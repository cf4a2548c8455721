"""Every name of a recipe is found in a fresh process, and none loads files that do not have it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module

import pytest

from initkit import list_recipes
from initkit.recipes import COLLECTIONS, families
from initkit.recipes._names import NAMES
from initkit.rules import aliases


def test_the_index_has_every_name_that_stands_in_a_file_of_another_name() -> None:
    files = [*COLLECTIONS, *sorted(families())]
    named: dict[str, str] = {}
    for file in files:
        module = import_module(f"initkit.recipes.{file}")
        names = [*(recipe.name for recipe in module.RECIPES), *getattr(module, "ALIASES", {})]
        heads = {name.partition("/")[0] for name in names}
        spelled = {h for h in heads if file in (h, h.partition("-")[0], h.replace("-", ""))}
        if others := sorted(heads - spelled):
            named[file] = " ".join(others)
    said = {file: " ".join(names.split()) for file, names in NAMES.items()}
    wrong = {file: names for file, names in named.items() if said.get(file) != names}
    assert not wrong, f"recipes/_names.py should say: {wrong}"
    assert set(said) == set(named)


FRESH = """
import json, sys
import initkit
from initkit import recipes
from initkit.rules import catalog
found = {}
for name in json.loads(sys.stdin.read()):
    for known in (catalog._RECIPES, catalog._ALIASES, recipes._loaded):
        known.clear()
    recipe = catalog.recipe_named(name)
    found[name] = recipe and recipe.name
print(json.dumps(found))
"""


def test_every_name_alone_gives_what_it_gives_among_all() -> None:
    wanted = {name: aliases().get(name, name) for name in list_recipes() if name in _own()}
    done = subprocess.run(
        [sys.executable, "-c", FRESH], input=json.dumps(list(wanted)), capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == wanted


def _own() -> set[str]:
    """Return the names that this library gives, whatever other tests have registered."""
    found = set()
    for file in [*COLLECTIONS, *families()]:
        module = import_module(f"initkit.recipes.{file}")
        names = [*(recipe.name for recipe in module.RECIPES), *getattr(module, "ALIASES", {})]
        found |= set(names)
        found |= {name.partition("/")[0] for name in names if file in COLLECTIONS}
    return found


@pytest.mark.parametrize("name", ["a_name_of_my_own", "normal", "resnet", "geometric"])
def test_a_name_loads_no_collection_that_does_not_have_it(name: str) -> None:
    code = (
        "import sys, initkit; from initkit.rules import recipe_named\n"
        f"recipe_named({name!r})\n"
        "print(*[m for m in sys.modules if m.startswith('initkit.recipes._')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {module.rpartition(".")[2] for module in done.stdout.split()}
    assert not loaded & set(COLLECTIONS)


def test_registering_a_scheme_loads_no_recipe() -> None:
    code = (
        "import sys, initkit\n"
        "initkit.register_scheme('a_name_of_my_own')(lambda tensor: tensor.zero_())\n"
        "print(*[m for m in sys.modules if m.startswith('initkit.recipes.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["initkit.recipes._names"]
