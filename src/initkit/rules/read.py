"""What users write as rules, read into ordered clauses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

from ..errors import InitkitError, RuleError, UnknownNameError, shown
from ..numbers import Formula, IndexFormula, Layout, read_call
from ..schemes import (
    Keep,
    PerModule,
    Pretrained,
    Scheme,
    canonical_name,
    is_scheme_table,
    read_scheme,
    read_scheme_of,
    unknown_scheme,
)
from .alternatives import Alternatives
from .base import Matcher
from .catalog import list_recipes, recipe_named
from .in_file import InFile
from .init_cfg import refuse_init_cfg
from .keys import read_key
from .matchers import All, Name, ParameterOf, Type
from .mention import Mention
from .recipe import SHOW_ALL, Recipe, describe_recipe, find_recipe, scheme_recipe
from .row_range import RowRange
from .rule import Rule

Rules: TypeAlias = "Mapping[Any, Any] | Sequence[Any] | Rule | Recipe | Scheme | str"
"""What users write rules as."""
_MOST = 1_000_000


@dataclass(frozen=True, eq=False)  # two clauses that say the same stay two: each must decide
class Clause:
    """One rule as the plan uses it: what it takes, how that starts, and where it came from.

    ``padding`` says whether an embedding's padding row ends zero. ``recipe`` is the innermost
    recipe that holds it; ``mention`` the place where a table names a recipe, of whose rules one
    must win. It is that one object: its identity tells places apart. ``shared`` says that it stands
    in tables that many recipes end in. ``rows`` are those that it writes, None for all.
    """

    matcher: Matcher
    scheme: Scheme
    layout: Layout | None = None
    optional: bool = False
    recipe: Recipe | None = None
    mention: Mention | None = None
    padding: bool = True
    shared: bool = False
    rows: RowRange | None = None

    @cached_property
    def text(self) -> str:
        """What it matches, in words."""
        return str(self.matcher)

    @cached_property
    def label(self) -> str:
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
        """The formulas whose value depends on the parameter, or on the place in it."""
        formulas = self.scheme.formulas
        return tuple(f for f in formulas if f.names or isinstance(f, IndexFormula))

    def __str__(self) -> str:
        rows = f" (rows {self.rows})" if self.rows is not None else ""
        return f"{self.label} -> {self.scheme}{rows}"


class Shared(list[Any]):
    """Rule tables that many recipes end in, behind rules of their own."""


def read_rules(rules: Rules) -> list[Clause]:
    """Return the clauses of a rule table, in order.

    Raises :class:`ReadError` for what cannot be read.

    >>> [str(clause) for clause in read_rules({"*.weight": "normal(std=0.01)", "*.bias": 0})]
    ['*.weight -> normal(std=0.01)', '*.bias -> 0']
    """
    try:
        return _read(rules)
    except RecursionError:
        message = "these rules contain themselves, or are nested too deep to be read"
        raise RuleError(message) from None


def _read(rules: Any) -> list[Clause]:
    # A text is asked for before sequences, since it is one.
    if isinstance(rules, Scheme):
        return _from_recipe(scheme_recipe(rules))
    if isinstance(rules, str):
        return _from_recipe(describe_recipe(rules))
    if isinstance(rules, Recipe):
        return _from_recipe(rules)
    if isinstance(rules, Rule):
        return [_from_rule(rules)]
    if is_scheme_table(rules):
        return _read(read_scheme(rules))
    if isinstance(rules, Mapping):
        refuse_init_cfg(rules)
        return _gathered(_from_entry(key, value) for key, value in rules.items())
    if isinstance(rules, Sequence) and not isinstance(rules, bytes | bytearray):
        clauses = _gathered(read_rules(as_table(table)) for table in rules)
        if isinstance(rules, Shared):
            return [replace(clause, shared=True) for clause in clauses]
        return clauses
    raise RuleError(
        f"cannot read rules from {shown(rules)} ({type(rules).__name__}); rules are a dict, a list "
        "of dicts, a Rule, a Recipe, or the name of a recipe or scheme"
    )


def as_table(entry: Any) -> Any:
    """Return an entry of a list of tables; a pair of key and value as the table that has it alone.

    >>> as_table(("fc.weight", 0)), as_table(("resnext", {"fc.weight": 0}))
    ({'fc.weight': 0}, ('resnext', {'fc.weight': 0}))
    """
    if not isinstance(entry, tuple | list) or isinstance(entry, Shared) or len(entry) != 2:
        return entry
    key, value = entry
    is_key = isinstance(key, type | re.Pattern | tuple) or (
        # Two tables in a row may open with a recipe's name; a number is no table.
        isinstance(key, str) and (isinstance(value, float | int) or not _names_rules(key))
    )
    return {key: value} if is_key else entry


def _names_rules(text: str) -> bool:
    """Whether a text, as rules, is the name of a recipe or of a scheme."""
    try:
        name = read_call(text).name
        return canonical_name(name) is not None or recipe_named(name) is not None
    except RuleError:
        return False


def _gathered(tables: Iterable[list[Clause]]) -> list[Clause]:
    """Return the clauses of several tables; tables that share others may stand for any number."""
    found: list[Clause] = []
    for clauses in tables:
        found += clauses
        if len(found) > _MOST:
            raise RuleError(f"these rules are more than {_MOST:,}; write globs")
    return found


def _from_rule(rule: Rule) -> Clause:
    layout: Any = rule.layout  # a Layout by now
    rows: Any = rule.rows  # a RowRange by now
    scheme = _for(rule.matcher, rule.scheme)
    return Clause(
        _takes(rule.matcher, scheme), scheme, layout, rule.optional, padding=rule.padding, rows=rows
    )


def _from_recipe(recipe: Recipe) -> list[Clause]:
    """Read a recipe: its own rules are optional, and carry the recipe that they came from."""
    clauses = [_of_recipe(clause, recipe) for clause in recipe_clauses(recipe)]
    if not recipe.general:
        return clauses
    mention = Mention.of(recipe)  # for this place alone: a table may name one recipe twice
    return [replace(clause, optional=True, mention=mention) for clause in clauses]


def recipe_clauses(recipe: Recipe) -> list[Clause]:
    """Return the rules of a recipe, with the figures that a call gives for those of the config."""
    clauses = read_rules(recipe.table)
    figures = recipe.figures
    if not figures:
        return clauses
    return [replace(clause, scheme=clause.scheme.with_names(figures)) for clause in clauses]


def _of_recipe(clause: Clause, recipe: Recipe) -> Clause:
    """Return a clause with the recipe that holds it; of recipes in recipes the innermost counts."""
    if clause.recipe is not None:
        return clause
    return replace(clause, recipe=recipe, padding=clause.padding and recipe.padding)


def _from_entry(key: object, value: object) -> list[Clause]:
    """Read one key of a table with what stands under it.

    Its matcher knows what it matches and is a scope of; a type alone has a grammar of its own.
    """
    matcher = read_key(key)
    if isinstance(value, Mapping):
        refuse_init_cfg(value)
    if isinstance(matcher, Type):
        return _under_type(matcher, value)
    if not _is_table(value):
        return [_from_value(matcher, value)]
    around: Callable[[Matcher], Any] = matcher.around
    if around(Name("*")) is None:  # asked before the table is read, which may be empty
        message = f"a table under {key!r}: only a name or a glob can be the scope of a table"
        raise RuleError(message)
    if key == "*" and not isinstance(value, Mapping | Rule):
        return _read_scoped(value)  # a recipe for all that is left, as if it stood alone
    return _scoped(_read_scoped(value), str(matcher), around)


def _scoped(
    clauses: Sequence[Clause], path: str, around: Callable[[Matcher], Matcher]
) -> list[Clause]:
    """Return clauses under a scope, each mention of a recipe as one there, too."""
    mentions: dict[int, Mention] = {}
    for clause in clauses:
        if clause.mention is not None and id(clause.mention) not in mentions:
            mentions[id(clause.mention)] = clause.mention.within(path, around)
    return [
        replace(
            clause,
            matcher=around(clause.matcher),
            mention=None if clause.mention is None else mentions[id(clause.mention)],
        )
        for clause in clauses
    ]


def _under_type(kind: Type, value: object) -> list[Clause]:
    """Read what stands under a class: a scheme is for its weights, a dict has its own names."""
    if isinstance(value, Mapping) and not is_scheme_table(value):
        return [_from_value(_own_name(kind, name), one) for name, one in value.items()]
    if _is_table(value):
        raise RuleError(
            f"under the type {kind} stands {value!r}; a type takes a scheme, or a dict from its "
            "own parameter names to schemes. A recipe goes under a module's path"
        )
    # A function of the module starts all that the module has.
    glob = "*" if isinstance(value, PerModule) else "*weight*"
    return [_from_value(ParameterOf(kind, glob), value)]


def _own_name(kind: Type, name: object) -> Matcher:
    if not isinstance(name, str):
        message = f"under the type {kind}: {name!r} is no parameter name; write 'weight' or a glob"
        raise RuleError(message)
    return Alternatives(name, kind) if Alternatives.in_glob(name) else ParameterOf(kind, name)


def _read_scoped(value: Any) -> list[Clause]:
    """Read a table under a scope, where a name is a recipe's: a scheme's would be no table."""
    if isinstance(value, str):
        return _from_recipe(find_recipe(read_call(value)))
    return read_rules(value)


def _is_table(value: object) -> bool:
    """Tell a table or recipe from a scheme; a name that both have is the scheme here."""
    if isinstance(value, str):
        return not _is_number(value) and _names_recipe(value)
    if isinstance(value, Scheme) or is_scheme_table(value):
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


def _from_value(matcher: Matcher, value: object) -> Clause:
    """Read a scheme; what is wrong with it is said with the rule that it stands in."""
    try:
        scheme = read_scheme_of(value, matcher.members)
        return Clause(_takes(matcher, scheme), _for(matcher, scheme))
    except InitkitError as error:
        if isinstance(error, UnknownNameError) and _no_scheme_or_recipe(error):
            # Made anew, so that recipes are among the choices, and what is near of them. The text
            # is set afterwards, since the constructor has no place for the rule.
            choices = [*error.choices, *list_recipes()]
            found = unknown_scheme("scheme or recipe", error.name, choices, SHOW_ALL)
            found.args = (f"in the rule {str(matcher)!r}: {found}",)
            raise found from None
        # The same object with a longer text: its type and attributes are what callers look at.
        error.args = (f"in the rule {str(matcher)!r}: {error}",)
        raise


def _for(matcher: Matcher, scheme: Scheme) -> Scheme:
    """Return the scheme as a rule means it: a function of a class's modules gets no others."""
    if isinstance(scheme, PerModule) and matcher.by_owner:
        return replace(scheme, owners=True)
    return scheme


def _takes(matcher: Matcher, scheme: Scheme) -> Matcher:
    """Return what a rule takes: of a file that leaves the rest to others what it holds."""
    if isinstance(scheme, Pretrained) and scheme.missing == "next":
        return All((matcher, InFile(scheme)))
    return matcher


def _no_scheme_or_recipe(error: UnknownNameError) -> bool:
    return error.kind == "scheme" and recipe_named(error.name) is None
