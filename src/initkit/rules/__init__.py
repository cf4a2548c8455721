"""What users write, read into ordered clauses."""

from .base import Matcher
from .catalog import add_recipes, aliases, list_recipes, recipe_named, unregister_recipe
from .ends import First, Last, first, last
from .globs import Listing, compile_glob, has_wildcard, paths_above
from .hints import hint_module, hint_other_kind
from .keys import read_key
from .landmarks import Landmark, LandmarkIndex
from .matchers import (
    All,
    Inside,
    Name,
    ParameterOf,
    Regex,
    Scope,
    Type,
    Where,
)
from .read import Clause, Rules, read_rules
from .recipe import Recipe, describe_recipe, register_recipe
from .roles import HasTorchDefault, Role
from .rule import REST, Rule

__all__ = [
    "REST",
    "All",
    "Clause",
    "First",
    "HasTorchDefault",
    "Inside",
    "Landmark",
    "LandmarkIndex",
    "Last",
    "Listing",
    "Matcher",
    "Name",
    "ParameterOf",
    "Recipe",
    "Regex",
    "Role",
    "Rule",
    "Rules",
    "Scope",
    "Type",
    "Where",
    "add_recipes",
    "aliases",
    "compile_glob",
    "describe_recipe",
    "first",
    "has_wildcard",
    "hint_module",
    "hint_other_kind",
    "last",
    "list_recipes",
    "paths_above",
    "read_key",
    "read_rules",
    "recipe_named",
    "register_recipe",
    "unregister_recipe",
]
