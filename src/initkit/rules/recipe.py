"""A recipe: a named, cited, ordered set of rules."""

from __future__ import annotations

import inspect
from dataclasses import field, replace
from typing import Any

from ..errors import OptionError, RuleError, did_you_mean, visible, visible_lines
from ..numbers import Call, Value, frozen, read_call
from ..schemes import (
    Keep,
    PerModule,
    Scheme,
    canonical_name,
    read_scheme,
    scheme_names,
    unknown_scheme,
)
from .catalog import add_recipes, list_recipes, other_names, recipe_named, variants

SHOW_ALL = "list_recipes() and list_schemes() show all names"


@frozen
class Recipe(Value):
    """A named, cited, ordered set of rules.

    ``rules`` is a rule table, or a function of keyword options that returns one. ``summary`` says
    what it is in one sentence, ``source`` names the code and ``paper`` the paper that it follows,
    ``fits`` the implementations whose names it matches, ``notes`` how paper and code differ.
    ``padding`` says whether an embedding's padding row is zeroed. The rules of a ``general`` recipe
    serve many models, and so may match nothing. ``given`` are the options of a call.

    >>> recipe = Recipe("mine/net", rules={"*.weight": "xavier_uniform", "*.bias": 0})
    >>> print(recipe)
    mine/net
      *.weight  xavier_uniform
      *.bias    0
    """

    name: str
    rules: Any = field(kw_only=True)
    summary: str = field(default="", kw_only=True)
    source: str = field(default="", kw_only=True)
    paper: str = field(default="", kw_only=True)
    fits: tuple[str, ...] = field(default=(), kw_only=True)
    notes: str = field(default="", kw_only=True)
    padding: bool = field(default=True, kw_only=True)
    general: bool = field(default=True, kw_only=True, repr=False)
    given: tuple[tuple[str, Any], ...] = field(default=(), kw_only=True, repr=False)

    @property
    def options(self) -> dict[str, Any]:
        """Option -> default, where the rules are a function."""
        if not callable(self.rules):
            return {}
        return {p.name: p.default for p in inspect.signature(self.rules).parameters.values()}

    def __call__(self, **options: Any) -> Recipe:
        """Return this recipe with options.

        Raises :class:`OptionError` for an option that it does not have.
        """
        known = self.options
        for option in options:
            if option not in known:
                what = did_you_mean(option, known) or (
                    f"; it takes {', '.join(known)}" if known else "; it takes none"
                )
                message = f"the recipe {self.name} has no option {option!r}{what}"
                raise OptionError(message, owner=self.name, option=option)
        # Sorted, so that the order in which options were given tells no two recipes apart.
        merged = dict(self.given) | options
        return replace(self, given=tuple(sorted(merged.items())))

    @property
    def table(self) -> Any:
        """The rules, with the options filled in."""
        if not callable(self.rules):
            return self.rules
        given = dict(self.given)
        for option, default in self.options.items():
            if default is inspect.Parameter.empty and option not in given:
                message = f"the recipe {self.name} needs {option}: {self.name}({option}=...)"
                raise OptionError(message, owner=self.name, option=option)
        return self.rules(**given)

    @property
    def label(self) -> str:
        """The name with the options that were given, as a rule writes it."""
        given = ", ".join(f"{k}={v!r}" for k, v in self.given)
        return f"{self.name}({given})" if given else self.name

    @property
    def rows(self) -> list[tuple[str, str]]:
        """(what it matches, how that starts), in order; the first that matches decides."""
        from .read import read_rules  # upward, and lazy: rules are read into recipes of recipes

        return [(clause.text, str(clause.scheme)) for clause in read_rules(self)]

    def __str__(self) -> str:
        head = [visible(self.label)] + ([visible(f"  {self.summary}")] if self.summary else [])
        head += [f"  {what:<8} {text}" for what, text in self._about() if text]
        rows = [(visible(rule), visible(scheme)) for rule, scheme in self.rows]
        width = max((len(rule) for rule, _ in rows), default=0)
        lines = [f"  {rule:<{width}}  {scheme}" for rule, scheme in rows]
        return "\n".join([*(visible_lines(line) for line in head), *lines])

    def _about(self) -> list[tuple[str, str]]:
        given = dict(self.given)
        return [
            ("source", self.source),
            ("paper", self.paper),
            ("fits", ", ".join(self.fits)),
            ("notes", self.notes),
            ("variants", ", ".join(variants(self))),
            ("names", ", ".join(other_names(self))),
            ("options", ", ".join(f"{k}={v!r}" for k, v in self.options.items() if k not in given)),
        ]

    def _repr_markdown_(self) -> str:
        return f"```\n{self}\n```"


def register_recipe(recipe: Recipe) -> Recipe:
    """Register a recipe under its name.

    Raises :class:`DuplicateNameError` where a scheme or a recipe has the name already.

    >>> from initkit.rules import unregister_recipe
    >>> mine = register_recipe(Recipe("doc/net", rules={"*": "normal(std=0.02)"}))
    >>> "doc/net" in list_recipes()
    True
    >>> unregister_recipe("doc/net")
    """
    if not isinstance(recipe, Recipe):
        raise RuleError(f"register a Recipe('name', rules=...), not {recipe!r}")
    recipe_named(recipe.name)  # load the built-in family of that name first
    add_recipes([recipe])
    return recipe


def describe_recipe(name: str) -> Recipe:
    """Show a recipe: printing it gives sources, variants, other names, options and rules.

    A scheme's name shows what it stands for as the rules of a whole model.

    Raises :class:`UnknownNameError` for an unknown name.

    >>> print(describe_recipe("wide_resnet").paper)
    Zagoruyko & Komodakis 2016, Wide Residual Networks; He et al. 2015 (MSR)
    """
    call = read_call(name)
    if recipe_named(call.name) is None and canonical_name(call.name) is not None:
        return scheme_recipe(read_scheme(name))
    return find_recipe(call)


def find_recipe(call: Call) -> Recipe:
    """Return the recipe that a call names, with its options."""
    recipe = recipe_named(call.name)
    if recipe is None:
        choices = [*list_recipes(), *scheme_names()]
        raise unknown_scheme("recipe or scheme", call.name, choices, SHOW_ALL)
    if call.args:
        message = f"the recipe {call.name} takes its options by name, not {call.args[0]!r}"
        raise OptionError(message, owner=call.name)
    return recipe(**call.kwargs) if call.kwargs else recipe


def scheme_recipe(scheme: Scheme) -> Recipe:
    """Return what a scheme alone stands for, as the rules of a whole model.

    Of the modules with a layout, weights start by that scheme, biases at 0, torch's own norms at 1
    and 0, PReLU at its default; everything else keeps its value. ``keep`` keeps all, and a function
    of modules starts all.
    """
    if isinstance(scheme, Keep):
        return Recipe("keep", rules={"*": scheme}, summary="Every parameter keeps its value.")
    if isinstance(scheme, PerModule):
        return Recipe(str(scheme), rules={"*": scheme}, summary="Your function starts all modules.")
    return Recipe(
        str(scheme),
        rules={
            "role:weight": scheme,
            "role:bias": 0,
            "role:norm weight": 1,
            "role:norm bias": 0,
            "role:slope": "torch_default",
        },
        summary="The weights of known modules by this scheme; biases 0, norms 1 and 0.",
    )
