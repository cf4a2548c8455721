"""A recipe: a named, cited, ordered set of rules."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import field, replace
from functools import lru_cache
from typing import Any

from ..errors import OptionError, RuleError, UnknownNameError, shown, visible, visible_lines
from ..numbers import Call, Value, frozen, read_call
from ..render import Table, html_page
from ..schemes import (
    Keep,
    PerModule,
    Pretrained,
    Scheme,
    canonical_name,
    read_scheme,
    scheme_names,
    unknown_scheme,
)
from ..wording import checks_calls
from .catalog import add_recipes, list_recipes, other_names, recipe_named, variants

LIBRARIES = frozenset("transformers timm torchvision diffusers torch_geometric".split())
# Modules of these names stand in any project: a file that is called so tells nothing.
_ANYWHERE = frozenset("model models modules layers utils main __main__ train".split())
SHOW_ALL = "list_recipes() and list_schemes() show all names"


@frozen
class Recipe(Value):
    """A named, cited, ordered set of rules.

    ``rules`` is a rule table, or a function of keyword options that returns one. ``summary`` says
    what it is in one sentence, ``source`` names the code and ``paper`` the paper that it follows,
    ``fits`` the implementations whose names it matches, ``notes`` how paper and code differ.
    ``code`` are the Python modules whose classes start so (``"timm.models.vision_transformer"``),
    besides those that ``source`` names as files. ``marks`` are keys, as of a rule table, of what
    makes the recipe this one: each should match a parameter of the model, and where none does the
    recipe is refused. Figures of the config that formulas read are options, too, and ``synonyms``
    gives such an option another name (``{"std": "initializer_range"}``).
    ``padding`` says whether an embedding's padding row is zeroed. The rules of a ``general`` recipe
    serve many models, and so may match nothing. ``given`` are the options of a call, and
    ``file`` is where the rules were read from.

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
    code: tuple[str, ...] = field(default=(), kw_only=True)
    marks: tuple[str, ...] = field(default=(), kw_only=True)
    synonyms: Mapping[str, str] = field(
        default_factory=dict, kw_only=True, repr=False, compare=False
    )
    padding: bool = field(default=True, kw_only=True)
    general: bool = field(default=True, kw_only=True, repr=False)
    given: tuple[tuple[str, Any], ...] = field(default=(), kw_only=True, repr=False)
    file: str = field(default="", kw_only=True, repr=False, compare=False)

    @property
    def modules(self) -> frozenset[str]:
        """The Python modules whose classes start so: ``code``, and the files of ``source``.

        >>> from initkit import describe_recipe
        >>> sorted(describe_recipe("regnet/torchvision").modules)
        ['torchvision.models.regnet']
        """
        return _modules(self.code, self.source)

    @property
    def libraries(self) -> frozenset[str]:
        """The packages of models whose code it follows, such as ``timm``."""
        return frozenset(module.partition(".")[0] for module in self.modules) & LIBRARIES

    @property
    def declared(self) -> dict[str, Any]:
        """Option -> default of the function that the rules are; none where they are a table."""
        if not callable(self.rules):
            return {}
        return {p.name: p.default for p in inspect.signature(self.rules).parameters.values()}

    @property
    def options(self) -> dict[str, Any]:
        """Option -> default: those of the rules, figures of the config, ``insist``.

        A figure that is not given is the model's own, so that its default is None.
        """
        return {**dict.fromkeys(self.config_figures), **self._own_options}

    @property
    def _own_options(self) -> dict[str, Any]:
        """The options that stand with the recipe, for which no rule need be read."""
        may_be_refused = self.marks or self.libraries
        return {**self.declared, **({"insist": False} if may_be_refused else {})}

    @property
    def config_figures(self) -> tuple[str, ...]:
        """The figures of the config that the rules read, each an option by its name there."""
        from .read import read_rules  # upward, and lazy: rules are read into recipes of recipes

        try:
            clauses = read_rules(self.table)
        except OptionError:  # it needs an option before it has rules
            return ()
        names = (n for c in clauses for formula in c.scheme.formulas for n in formula.names)
        read = dict.fromkeys(n[7:] for n in names if n.startswith("config."))
        given = {self.synonyms.get(name, name) for name in dict(self.given)}
        more = [name for name, meant in self.synonyms.items() if meant in {*read, *given}]
        return tuple(dict.fromkeys([*more, *read]))

    @property
    def figures(self) -> dict[str, float]:
        """What a call gives for the names of formulas that ask the config."""
        given = {k: v for k, v in self.given if k not in self.declared and k != "insist"}
        return {f"config.{self.synonyms.get(name, name)}": value for name, value in given.items()}

    def __call__(self, **options: Any) -> Recipe:
        """Return this recipe with options.

        Raises :class:`OptionError` for an option that it does not have.
        """
        known = self.options
        for option in options:
            if option not in known:
                message = f"the recipe {self.name} has no option {option!r}"
                error = OptionError(message, owner=self.name, option=option)
                raise error.or_rather(option, known, f"; it takes {', '.join(known) or 'none'}")
        # Sorted, so that the order in which options were given tells no two recipes apart.
        merged = dict(self.given) | options
        self._check_figures(merged)
        return replace(self, given=tuple(sorted(merged.items())))

    def _check_figures(self, given: Mapping[str, Any]) -> None:
        """Raise for a figure that is no number, or that is given under two of its names."""
        meant: dict[str, str] = {}
        for option, value in given.items():
            if option in self.declared or option == "insist":
                continue
            other = meant.setdefault(self.synonyms.get(option, option), option)
            if other != option:
                what = f"{other} and {option} of the recipe {self.name} are one figure: give one"
                raise OptionError(what, owner=self.name, option=option)
            if isinstance(value, bool) or not isinstance(value, int | float):
                what = f"{option} of the recipe {self.name} is a number, not {value!r}"
                raise OptionError(what, owner=self.name, option=option)

    @property
    def table(self) -> Any:
        """The rules, with the options filled in."""
        if not callable(self.rules):
            return self.rules
        given = {name: value for name, value in self.given if name in self.declared}
        for option, default in self.declared.items():
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
        given, figures = dict(self.given), self.config_figures
        own = {k: v for k, v in self._own_options.items() if k not in figures}
        return [
            ("source", self.source),
            ("paper", self.paper),
            ("fits", ", ".join(self.fits)),
            ("notes", self.notes),
            ("variants", ", ".join(variants(self))),
            ("names", ", ".join(other_names(self))),
            ("options", ", ".join(f"{k}={v!r}" for k, v in own.items() if k not in given)),
            ("figures", ", ".join(name for name in figures if name not in given)),
            ("marks", ", ".join(self.marks)),
        ]

    def _repr_html_(self) -> str:
        about = Table(("", ""), [(what, text) for what, text in self._about() if text])
        rules = Table(("parameter", "starts as"), self.rows, title="Rules: the first that matches")
        return html_page(self.label, [self.summary, about, rules])


@checks_calls
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


@checks_calls
def describe_recipe(name: str) -> Recipe:
    """Show a recipe: printing it gives sources, variants, other names, options and rules.

    A scheme's name shows what it stands for as the rules of a whole model.

    Raises :class:`UnknownNameError` for an unknown name.

    >>> print(describe_recipe("wide_resnet").paper)
    Zagoruyko & Komodakis 2016, Wide Residual Networks; He et al. 2015 (MSR)
    """
    call = read_call(name)
    # Schemes are asked first: no recipe has a scheme's name but torch_default, and to look for one
    # loads every family.
    if canonical_name(call.name) is not None and call.name != "torch_default":
        return scheme_recipe(read_scheme(name))
    return find_recipe(call)


def find_recipe(call: Call) -> Recipe:
    """Return the recipe that a call names, with its options."""
    recipe = recipe_named(call.name)
    if recipe is None:
        raise _unknown_recipe(call.name)
    if call.args:
        message = f"the recipe {call.name} takes its options by name, not {call.args[0]!r}"
        raise OptionError(message, owner=call.name)
    return recipe(**call.kwargs) if call.kwargs else recipe


def _unknown_recipe(name: str) -> UnknownNameError:
    if name.endswith((".toml", ".json", ".yaml", ".yml")):
        own = name.endswith((".toml", ".json"))
        path = shown(name) if own else "path"
        way = f"Rules in a .toml or .json file are read by load_recipe({path})."
        return UnknownNameError("recipe or scheme", name, (), way)
    choices = [*list_recipes(), *scheme_names()]
    error = unknown_scheme("recipe or scheme", name, choices, SHOW_ALL)
    # Models are called after their family, with a size or what else behind it: bert-base-uncased.
    parts = list(re.finditer(r"[-_/.]", name))
    heads = (name[: part.start()] for part in reversed(parts))
    family = next((head for head in heads if recipe_named(head) is not None), None)
    if family is not None and not error.mends:
        error.mends = ({name: family},)
        error.hint = f"; did you mean {family!r}?"
    return error


def scheme_recipe(scheme: Scheme) -> Recipe:
    """Return what a scheme alone stands for, as the rules of a whole model.

    Of the modules with a layout, weights start by that scheme, biases at 0, torch's own norms at 1
    and 0, PReLU at its default; everything else keeps its value. ``keep`` keeps all, and a function
    of modules and ``pretrained`` start all.
    """
    if isinstance(scheme, Keep):
        return Recipe("keep", rules={"*": scheme}, summary="Every parameter keeps its value.")
    if isinstance(scheme, Pretrained):
        return Recipe(str(scheme), rules={"*": scheme}, summary="All that the file holds, by name.")
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


@lru_cache(maxsize=1024)
def _modules(code: tuple[str, ...], source: str) -> frozenset[str]:
    files = re.findall(r"(?<![\w-])(?:src/)?([\w/]+)\.py\b", source)
    paths = [path.replace("/", ".") for path in files]
    # A source may name files from within its package on: "transformers: models/vit/...".
    inner = [
        f"{package}.{path}"
        for package in LIBRARIES
        for path in paths
        if package in source and not path.startswith(package)
    ]
    return frozenset([*code, *paths, *inner]) - _ANYWHERE
