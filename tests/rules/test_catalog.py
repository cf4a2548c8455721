"""Recipes are found by name, and no name means two things."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from initkit import Recipe, describe_recipe, list_recipes, register_recipe
from initkit.errors import DuplicateNameError, RuleError, UnknownNameError
from initkit.rules import add_recipes, aliases, recipe_named, unregister_recipe

MINE = Recipe("mine/net", rules={"*": 0})


@pytest.fixture
def registered() -> Iterator[Recipe]:
    yield register_recipe(MINE)
    unregister_recipe("mine/net")


def test_a_registered_recipe_is_found_listed_and_described(registered: Recipe) -> None:
    assert recipe_named("mine/net") is describe_recipe("mine/net") is registered
    assert "mine/net" in list_recipes()


def test_a_forgotten_recipe_is_unknown() -> None:
    register_recipe(MINE)
    unregister_recipe("mine/net")
    assert recipe_named("mine/net") is None
    with pytest.raises(UnknownNameError, match="there is no recipe 'mine/net'"):
        unregister_recipe("mine/net")


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("mine/net", DuplicateNameError, "the name 'mine/net' belongs to a recipe already"),
        ("resnext", DuplicateNameError, "the name 'resnext' belongs to a recipe already"),
        ("resnext/torch7", DuplicateNameError, "belongs to a recipe already; choose another"),
        ("eye", DuplicateNameError, "the name 'eye' belongs to a scheme already"),
        ("normal_", DuplicateNameError, "the name 'normal_' belongs to a scheme already"),
        ("1e3", RuleError, "'1e3' is no good name: rules read it as a number"),
        ("a b", RuleError, "'a b' is no good name: use letters, digits"),
    ],
)
def test_a_name_that_is_taken_or_unreadable_is_refused(
    name: str, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        register_recipe(Recipe(name, rules={"*": 0}))


def test_another_name_leads_to_its_recipe_and_is_refused_like_any() -> None:
    assert recipe_named("resnext") is recipe_named("resnext/torch7") is not None
    assert aliases()["resnext"] == "resnext/torch7"
    with pytest.raises(DuplicateNameError, match="'resnext' belongs to a recipe already"):
        add_recipes([], {"resnext": "olmo/mitchell"})


def test_every_other_name_leads_to_a_recipe() -> None:
    for name, meant in aliases().items():
        assert recipe_named(name) is recipe_named(meant) is not None, name
