"""Rules and recipes, and the forms that users write them in, read into ordered clauses."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

from ..errors import (
    DuplicateNameError,
    InitkitError,
    OptionError,
    RuleError,
    UnknownNameError,
    did_you_mean,
)
from ..model import Slot
from ..numbers import Call, Formula, Layout, read_call
from ..schemes import (
    Keep,
    Scheme,
    canonical_name,
    check_name,
    read_scheme,
    read_scheme_call,
    refuse_taken,
    scheme_names,
)
from .matchers import (
    All,
    HasTorchDefault,
    Inside,
    Key,
    Matcher,
    Name,
    Regex,
    Role,
    Scope,
    Type,
    Where,
    read_types,
)

Table: TypeAlias = "Mapping[Any, Any] | Sequence[Any] | Rule | Recipe | Scheme | str"
"""What users write rules as."""


@dataclass(frozen=True)
class Rule:
    """Say how the parameters that match a name, a type and a predicate start.

    ``name`` is a glob or a compiled regex on the full name; ``type`` a module class, a class name,
    or a tuple of them; ``where`` a predicate on the slot (``.name .key .owner .tensor``); a slot
    must meet all that are given. ``layout`` names the axes of the tensor (``"E in out"``). An
    ``optional`` rule may match nothing.

    Raises :class:`RuleError` for what cannot be read.

    >>> rule = Rule("normal(std=0.01)", name="*.experts.*", layout="E in out")
    >>> str(rule)
    '*.experts.*'
    """

    scheme: Any
    name: str | re.Pattern[str] | None = field(default=None, kw_only=True)
    type: Any = field(default=None, kw_only=True)
    where: Callable[[Slot], object] | None = field(default=None, kw_only=True)
    layout: str | Layout | None = field(default=None, kw_only=True)
    optional: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scheme", read_scheme(self.scheme))
        if self.layout is not None and not isinstance(self.layout, Layout):
            object.__setattr__(self, "layout", Layout.parse(self.layout))
        if self.where is not None and not callable(self.where):
            raise RuleError(f"where must be a function of the slot, not {self.where!r}")
        self.matcher  # noqa: B018  read it once, so that a bad one is refused here

    @property
    def matcher(self) -> Matcher:
        """The predicate that this rule stands for."""
        parts: list[Matcher] = []
        if self.type is not None:
            parts.append(read_types(self.type))
        if self.name is not None:
            parts.append(_read_name(self.name))
        if self.where is not None:
            parts.append(Where(self.where))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def __str__(self) -> str:
        return str(self.matcher)


@dataclass(frozen=True)
class Recipe:
    """A named, cited, ordered set of rules.

    ``rules`` is a rule table, or a function of keyword options that returns one. ``summary`` says
    what it is in one sentence, ``source`` names the code and ``paper`` the paper that it follows,
    ``fits`` the implementations whose names it matches, ``notes`` how paper and code differ. The
    rules of a ``general`` recipe serve many models, and so may match nothing.

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
        merged = dict(self.given) | options
        return replace(self, given=tuple(sorted(merged.items())))

    @property
    def table(self) -> Any:
        """The rules, with the options filled in."""
        if not callable(self.rules):
            return self.rules
        missing = [k for k, default in self.options.items() if default is inspect.Parameter.empty]
        for option in missing:
            if option not in dict(self.given):
                message = f"the recipe {self.name} needs {option}: {self.name}({option}=...)"
                raise OptionError(message, owner=self.name, option=option)
        return self.rules(**dict(self.given))

    @property
    def label(self) -> str:
        """The name with the options that were given, as a rule writes it."""
        shown = ", ".join(f"{k}={v!r}" for k, v in self.given)
        return f"{self.name}({shown})" if shown else self.name

    @property
    def rows(self) -> list[tuple[str, str]]:
        """(what it matches, how that starts), in order; the first that matches decides."""
        return [(clause.text, str(clause.scheme)) for clause in read_rules(self)]

    def __str__(self) -> str:
        facts = [("source", self.source), ("paper", self.paper), ("fits", ", ".join(self.fits))]
        facts += [("notes", self.notes), ("variants", ", ".join(_variants(self)))]
        options = (f"{k}={v!r}" for k, v in self.options.items() if k not in dict(self.given))
        facts += [("names", ", ".join(_other_names(self))), ("options", ", ".join(options))]
        head = [self.label] + ([f"  {self.summary}"] if self.summary else [])
        head += [f"  {k:<8} {v}" for k, v in facts if v]
        rows = self.rows
        width = max((len(rule) for rule, _ in rows), default=0)
        return "\n".join(head + [f"  {rule:<{width}}  {scheme}" for rule, scheme in rows])

    def _repr_markdown_(self) -> str:
        return f"```\n{self}\n```"


REST = Rule("torch_default", where=None)
"""The last rule of a complete recipe: whatever torch's constructor starts, starts so."""


@dataclass(frozen=True, eq=False)
class Clause:
    """One rule as the plan uses it: what it takes, how that starts, and where it came from."""

    matcher: Matcher
    scheme: Scheme
    layout: Layout | None
    optional: bool
    text: str
    recipe: Recipe | None = None
    mention: Recipe | None = None

    @cached_property
    def shown(self) -> str:
        """The rule as plans print it: the recipe's name, then the rule."""
        return f"{self.recipe.label}: {self.text}" if self.recipe else self.text

    @property
    def keeps(self) -> bool:
        """Whether it leaves the tensor as it is."""
        return isinstance(self.scheme, Keep)

    @cached_property
    def scheme_text(self) -> str:
        """The scheme as plans print it."""
        return str(self.scheme)

    @cached_property
    def named_formulas(self) -> tuple[Formula, ...]:
        """The formulas whose value depends on the parameter."""
        return tuple(formula for formula in self.scheme.formulas if formula.names)

    def __str__(self) -> str:
        return f"{self.shown} -> {self.scheme}"


# ----------------------------------------------------------------------------- reading tables


def read_rules(rules: Table) -> list[Clause]:
    """Return the clauses of a rule table, in order.

    Raises :class:`ReadError` for what cannot be read.

    >>> [str(clause) for clause in read_rules({"*.weight": "normal(std=0.01)", "*.bias": 0})]
    ['*.weight -> normal(std=0.01)', '*.bias -> 0']
    """
    if isinstance(rules, Scheme):
        return _from_recipe(scheme_recipe(rules))
    if isinstance(rules, str):
        return _from_recipe(read_recipe(rules))
    if isinstance(rules, Recipe):
        return _from_recipe(rules)
    if isinstance(rules, Rule):
        return [_clause(rules)]
    if isinstance(rules, Mapping):
        return [c for key, value in rules.items() for c in _from_entry(key, value)]
    if isinstance(rules, Sequence):
        return [clause for table in rules for clause in read_rules(table)]
    raise RuleError(
        f"cannot read rules from {rules!r} ({type(rules).__name__}); rules are a dict, a list of "
        "dicts, a Rule, a Recipe, or the name of a recipe or scheme"
    )


def _clause(rule: Rule) -> Clause:
    if rule is REST:
        return Clause(HasTorchDefault(), rule.scheme, None, True, str(HasTorchDefault()))
    layout: Any = rule.layout  # a Layout by now
    return Clause(rule.matcher, rule.scheme, layout, rule.optional, str(rule))


def _from_recipe(recipe: Recipe) -> list[Clause]:
    """Read a recipe: its own rules are optional, and carry the recipe that they came from."""
    if not recipe.general:
        return [replace(c, recipe=c.recipe or recipe) for c in read_rules(recipe.table)]
    mention = replace(recipe)  # one recipe may be named twice, and each time must decide something
    return [
        replace(clause, optional=True, recipe=clause.recipe or recipe, mention=mention)
        for clause in read_rules(recipe.table)
    ]


def _from_entry(key: object, value: object) -> list[Clause]:
    matcher = _read_key(key)
    if isinstance(matcher, Type):
        return _under_type(matcher, value)
    if isinstance(matcher, Inside):
        return _inside(matcher.kinds, value)
    if _is_table(value):
        if not isinstance(matcher, Name):
            message = f"a table under {key!r}: only a name or a glob can be the scope of a table"
            raise RuleError(message)
        return [_scoped(matcher.glob, clause) for clause in _read_under(value)]
    return [_plain(matcher, value, str(matcher))]


def _read_under(value: Any) -> list[Clause]:
    if isinstance(value, str):
        return _from_recipe(find_recipe(read_call(value)))
    return read_rules(value)


def _is_table(value: object) -> bool:
    """Tell a table or recipe from a scheme; a name that both have is the scheme here."""
    if isinstance(value, str):
        return not _is_number(value) and _names_recipe(value)
    if isinstance(value, Scheme):
        return False
    return isinstance(value, Mapping | Rule | Recipe | Sequence)


def _names_recipe(text: str) -> bool:
    try:
        name = read_call(text).name
        return canonical_name(name) is None and recipe_named(name) is not None
    except RuleError:
        return False  # to be refused as a scheme, in the words of its rule


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _plain(matcher: Matcher, value: object, text: str) -> Clause:
    try:
        scheme = read_scheme(value)
    except InitkitError as error:
        if isinstance(error, UnknownNameError) and _no_scheme_or_recipe(error):
            raise _unknown(error, text) from None
        error.args = (f"in the rule {text!r}: {error}",)
        raise
    return Clause(matcher, scheme, None, False, text)


def _no_scheme_or_recipe(error: UnknownNameError) -> bool:
    return error.kind == "scheme" and recipe_named(error.name) is None


def _unknown(error: UnknownNameError, text: str) -> UnknownNameError:
    choices = [*error.choices, *list_recipes()]
    found = UnknownNameError("scheme or recipe", error.name, choices, _SHOW_ALL)
    found.args = (f"in the rule {text!r}: {found}",)
    return found


def _under_type(kind: Type, value: object) -> list[Clause]:
    if isinstance(value, Mapping):
        return [
            _plain(All((kind, _own_name(inner, kind))), one, f"{kind}.{inner}")
            for inner, one in value.items()
        ]
    if _is_table(value):
        raise RuleError(
            f"under the type {kind} stands {value!r}; a type takes a scheme, or a dict from its "
            "own parameter names to schemes. A recipe goes under a module's path"
        )
    return [_plain(All((kind, Key("*weight*"))), value, f"{kind}.*weight*")]


def _own_name(inner: object, kind: Type) -> Key:
    if not isinstance(inner, str):
        message = f"under the type {kind}: {inner!r} is no parameter name; write 'weight' or a glob"
        raise RuleError(message)
    return Key(inner)


def _scoped(path: str, clause: Clause) -> Clause:
    text = f"{path}: {clause.text}"
    return replace(clause, matcher=Scope(path, clause.matcher), text=text)


def _inside(kinds: tuple[type | str, ...], value: object) -> list[Clause]:
    """Read what stands under ``"in:Bottleneck"``: names relative to each such module."""
    table = value if _is_table(value) else {"*": value}
    clauses = _read_under(table)
    around = [replace(clause, matcher=Inside(kinds, clause.matcher)) for clause in clauses]
    return [replace(clause, text=str(clause.matcher)) for clause in around]


def _read_key(key: object) -> Matcher:
    if isinstance(key, str | re.Pattern):
        return _read_name(key)
    if isinstance(key, type | tuple):
        return read_types(key)
    raise RuleError(
        f"{key!r} is no key of a rule table; keys are names or globs, compiled regular "
        "expressions, and module classes or tuples of them"
    )


def _read_name(key: str | re.Pattern[str]) -> Matcher:
    if isinstance(key, re.Pattern):
        return Regex(key)
    if not isinstance(key, str):
        raise RuleError(f"{key!r} is no name: write a glob such as '*.weight', or a compiled regex")
    if key.startswith("type:"):
        return read_types(key)
    if key.startswith("in:"):
        return Inside(read_types(key[3:]).kinds, Name("*"))
    if key.startswith("role:"):
        return Role(key[5:])
    if key == "torch:*":
        return HasTorchDefault()
    if not key.startswith("re:"):
        return Name(key)
    try:
        return Regex(re.compile(key[3:]))
    except re.error as error:
        raise RuleError(f"cannot read the regular expression in {key!r}: {error}") from None


# -------------------------------------------------------------------------------- all recipes

_RECIPES: dict[str, Recipe] = {}
_ALIASES: dict[str, str] = {}


def read_recipe(text: str) -> Recipe:
    """Return the recipe that a name stands for; a scheme's name stands for one, too."""
    call = read_call(text)
    if recipe_named(call.name) is None and canonical_name(call.name) is not None:
        return scheme_recipe(read_scheme_call(call))
    return find_recipe(call)


def find_recipe(call: Call) -> Recipe:
    """Return the recipe that a call names, with its options."""
    recipe = recipe_named(call.name)
    if recipe is None:
        choices = [*list_recipes(), *scheme_names()]
        raise UnknownNameError("recipe or scheme", call.name, choices, _SHOW_ALL)
    if call.args:
        message = f"the recipe {call.name} takes its options by name, not {call.args[0]!r}"
        raise OptionError(message, owner=call.name)
    return recipe(**call.kwargs) if call.kwargs else recipe


_SHOW_ALL = "list_recipes() and list_schemes() show all names"


def recipe_named(name: str) -> Recipe | None:
    """Return the recipe of this name, or None."""
    if name not in _ALIASES:
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
    for recipe in recipes:
        _refuse_taken(recipe.name)
        _RECIPES[recipe.name] = recipe
    for alias, name in (aliases or {}).items():
        _refuse_taken(alias)
        _ALIASES[alias] = name


def _refuse_taken(name: str) -> None:
    check_name(name)
    if name in _RECIPES or name in _ALIASES:
        message = f"the name {name!r} belongs to a recipe already; choose another"
        raise DuplicateNameError(message)
    if name != "torch_default":  # the one name that means the same as scheme and as recipe
        refuse_taken(name)


def register_recipe(recipe: Recipe) -> Recipe:
    """Register a recipe under its name.

    Raises :class:`DuplicateNameError` where a scheme or a recipe has the name already.

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


def unregister_recipe(name: str) -> None:
    """Forget a recipe; for tests and interactive work."""
    if name not in _RECIPES:
        raise UnknownNameError("recipe", name, list_recipes())
    del _RECIPES[name]


def list_recipes() -> list[str]:
    """Return the names of all recipes.

    >>> "resnext" in list_recipes()
    True
    """
    _load(None)
    return sorted([*_RECIPES, *_ALIASES])


def describe_recipe(name: str) -> Recipe:
    """Show a recipe: printing it gives sources, variants, other names, options and rules.

    A scheme's name shows what it stands for as the rules of a whole model.

    Raises :class:`UnknownNameError` for an unknown name.

    >>> print(describe_recipe("wide_resnet").paper)
    Zagoruyko & Komodakis 2016, Wide Residual Networks; He et al. 2015 (MSR)
    """
    return read_recipe(name)


def aliases() -> dict[str, str]:
    """Return other name -> the recipe that it stands for."""
    list_recipes()
    return dict(sorted(_ALIASES.items()))


def _variants(recipe: Recipe) -> list[str]:
    """Return the other recipes of a registered recipe's family."""
    family = f"{recipe.name.partition('/')[0]}/"
    registered = recipe.name in _RECIPES
    return [n for n in sorted(_RECIPES) if registered and n.startswith(family) and n != recipe.name]


def _other_names(recipe: Recipe) -> list[str]:
    """Return what else a registered recipe is called."""
    return [name for name, meant in sorted(_ALIASES.items()) if meant == recipe.name]


def scheme_recipe(scheme: Scheme) -> Recipe:
    """Return what a scheme's name alone stands for.

    Of the modules with a layout, weights start by that scheme, biases at 0, torch's own norms at 1
    and 0, PReLU at its default; everything else keeps its value. ``keep`` keeps all.
    """
    if isinstance(scheme, Keep):
        return Recipe("keep", rules={"*": scheme}, summary="Every parameter keeps its value.")
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
