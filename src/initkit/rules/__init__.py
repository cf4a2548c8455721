"""What users write, read into ordered clauses."""

from .alternatives import Alternatives
from .base import Matcher
from .catalog import (
    add_recipes,
    aliases,
    every_recipe,
    list_recipes,
    recipe_named,
    unregister_recipe,
)
from .code import follows, recipes_for
from .conditions import All, Where
from .ends import First, Last, first, last
from .globs import Listing, compile_glob, has_wildcard, paths_above
from .hints import hint_module, hint_other_kind
from .keys import read_key
from .landmarks import Landmark, LandmarkIndex
from .matchers import Inside, Name, ParameterOf, Regex, Scope, Type
from .meant import Meant, Words, affordable_forms, mended_entries
from .mention import Mention
from .read import Clause, Rules, Shared, read_rules, recipe_clauses
from .recipe import LIBRARIES, Recipe, describe_recipe, register_recipe, scheme_recipe
from .roles import HasTorchDefault, Role
from .row_range import RowRange
from .rule import REST, Rule

__all__ = [
    "LIBRARIES",
    "REST",
    "All",
    "Alternatives",
    "Clause",
    "First",
    "HasTorchDefault",
    "Inside",
    "Landmark",
    "LandmarkIndex",
    "Last",
    "Listing",
    "Matcher",
    "Meant",
    "Mention",
    "Name",
    "ParameterOf",
    "Recipe",
    "Regex",
    "Role",
    "RowRange",
    "Rule",
    "Rules",
    "Scope",
    "Shared",
    "Type",
    "Where",
    "Words",
    "add_recipes",
    "affordable_forms",
    "aliases",
    "compile_glob",
    "describe_recipe",
    "every_recipe",
    "first",
    "follows",
    "has_wildcard",
    "hint_module",
    "hint_other_kind",
    "last",
    "list_recipes",
    "mended_entries",
    "paths_above",
    "read_key",
    "read_rules",
    "recipe_clauses",
    "recipe_named",
    "recipes_for",
    "register_recipe",
    "scheme_recipe",
    "unregister_recipe",
]
