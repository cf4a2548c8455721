"""Every name of a recipe is found in a fresh process, and none loads files that do not have it."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

from initkit.recipes import COLLECTIONS, families, files_of
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


def test_each_name_is_looked_for_in_the_file_that_has_it() -> None:
    for file in [*COLLECTIONS, *families()]:
        module = import_module(f"initkit.recipes.{file}")
        for name in (*(recipe.name for recipe in module.RECIPES), *getattr(module, "ALIASES", {})):
            assert file in files_of(name), name
            if file in COLLECTIONS:  # a family's name alone means its first recipe
                assert aliases()[name.partition("/")[0]], name


FRESH = """
import sys, initkit
from initkit import recipes
from initkit.rules import catalog

def loaded(prefix):
    return [m for m in sys.modules if m.startswith(f"initkit.recipes.{prefix}")]

initkit.register_scheme("a_name_of_my_own")(lambda tensor: tensor.zero_())
print(*loaded(""))
for name in ("a_name_of_nobody", "normal", "resnet", "geometric"):
    catalog.recipe_named(name)
print(*(m for m in loaded("_") if m.rpartition(".")[2] in recipes.COLLECTIONS))
for name in sys.argv[1:]:
    for known in (catalog._RECIPES, catalog._ALIASES, recipes._loaded):
        known.clear()
    print(name, catalog.recipe_named(name).name)
"""


def test_a_name_loads_no_file_that_does_not_have_it_and_is_found_whatever_was_loaded() -> None:
    names = ["geometric", "dit/diffusers", "coat", "coat/timm", "bart", "t-fixup", "mask_rcnn"]
    command = [sys.executable, "-c", FRESH, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    by_scheme, by_names, *found = done.stdout.splitlines()
    assert by_scheme == "initkit.recipes._names"
    assert by_names == ""
    assert found == [f"{name} {aliases().get(name, name)}" for name in names]
