"""What users write as rules, read into ordered clauses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from os import PathLike
from typing import Any, TypeAlias, TypeVar

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
from ..wording import Entry, show
from .alternatives import Alternatives
from .base import Matcher
from .catalog import list_recipes, recipe_named
from .conditions import All
from .in_file import InFile
from .init_cfg import refuse_init_cfg, refuse_pulled_apart
from .keys import read_key
from .matchers import Name, ParameterOf, Type
from .mention import Mention
from .recipe import SHOW_ALL, Recipe, describe_recipe, find_recipe, scheme_recipe
from .row_range import RowRange
from .rule import Rule
from .slips import names_rules, no_rules, refuse_pair, refuse_values, turned

Rules: TypeAlias = "Mapping[Any, Any] | Sequence[Any] | Rule | Recipe | Scheme | str"
"""What users write rules as."""
T = TypeVar("T")
_MOST = 1_000_000
_TOLD = 20  # errors of a table that are told together


@dataclass(frozen=True, eq=False)  # two clauses that say the same stay two: each must decide
class Clause:
    """One rule as the plan uses it: what it takes, how that starts, and where it came from.

    ``padding`` says whether an embedding's padding row ends zero. ``recipe`` is the innermost
    recipe that holds it; ``mention`` the place where a table names a recipe, of whose rules one
    must win. It is that one object: its identity tells places apart. ``shared`` says that it stands
    in tables that many recipes end in. ``rows`` are those that it writes, None for all. ``entry``
    is its line as the author of its table wrote it.
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
    entry: Entry | None = None

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
        return tuple(f for f in formulas if f.names or type(f) is IndexFormula)

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
    except InitkitError as error:
        for one in error.errors or (error,):
            if isinstance(one.entry, Entry) and one.shown is None:
                show(one, one.entry, _read_line, turned)
        raise


def _read_line(entry: Entry) -> list[Clause]:
    return _read(entry.table)


def _read(rules: Any) -> list[Clause]:
    # A text is asked for before sequences, since it is one.
    if isinstance(rules, Scheme):
        return _from_recipe(scheme_recipe(rules))
    if isinstance(rules, str):
        return _read_text(rules)
    if isinstance(rules, Recipe):
        return _from_recipe(rules)
    if isinstance(rules, Rule):
        return [_from_rule(rules)]
    if is_scheme_table(rules):
        return _read(read_scheme(rules))
    if isinstance(rules, Mapping):
        return _read_mapping(rules)
    if isinstance(rules, Sequence) and not isinstance(rules, bytes | bytearray):
        refuse_pair(rules)
        clauses = _gathered(lambda table: _read(as_table(table)), ((table,) for table in rules))
        if isinstance(rules, Shared):
            return [replace(clause, shared=True) for clause in clauses]
        return clauses
    if isinstance(rules, PathLike):
        raise RuleError(
            f"{rules} is a path: load_recipe({shown(str(rules))}) reads rules in a file"
        )
    raise no_rules(rules)


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
        isinstance(key, str) and (isinstance(value, float | int) or not names_rules(key))
    )
    return {key: value} if is_key else entry


def _gathered(read: Callable[..., list[Clause]], parts: Iterable[tuple[Any, ...]]) -> list[Clause]:
    """Return the clauses of all parts; tables that share others may stand for any number."""
    found: list[Clause] = []

    def add(*part: Any) -> None:
        found.extend(read(*part))
        if len(found) > _MOST:
            raise RuleError(f"these rules are more than {_MOST:,}; write globs")

    each(add, parts)
    return found


def each(read: Callable[..., T], parts: Iterable[tuple[Any, ...]]) -> list[T]:
    """Return what all parts are read as, or raise what is wrong with any of them, told together."""
    found: list[T] = []
    errors: list[InitkitError] = []
    for part in parts:
        try:
            found.append(read(*part))
        except InitkitError as error:
            errors += error.errors or [error]
            if len(errors) >= _TOLD:
                break
    if errors:
        raise together(errors)
    return found


def together(errors: Sequence[InitkitError]) -> InitkitError:
    """Return an error that tells several; one alone is that one."""
    if len(errors) == 1:
        return errors[0]
    more = " (and those behind were not read)" if len(errors) >= _TOLD else ""
    error = RuleError(f"{len(errors)} rules cannot be read{more}")
    error.errors = tuple(errors)
    return error


def _read_mapping(table: Mapping[Any, Any]) -> list[Clause]:
    try:
        refuse_init_cfg(table)
        refuse_values(table)
    except RuleError as error:
        error.entry = Entry((), table)
        raise
    return _gathered(_read_entry, table.items())


def _read_entry(key: object, value: object) -> list[Clause]:
    """Read one key of a table with what stands under it; what is wrong there knows its line."""
    try:
        return _from_entry(key, value)
    except InitkitError as error:
        for one in error.errors or (error,):
            inner = one.entry
            one.entry = inner.under(key) if isinstance(inner, Entry) else Entry((key,), value)
        raise


def _read_text(text: str) -> list[Clause]:
    try:
        return _from_recipe(describe_recipe(text), text)
    except InitkitError as error:
        error.entry = error.entry or Entry((), text)
        raise


def _from_rule(rule: Rule) -> Clause:
    layout: Any = rule.layout  # a Layout by now
    rows: Any = rule.rows  # a RowRange by now
    scheme = _for(rule.matcher, rule.scheme)
    return Clause(
        _takes(rule.matcher, scheme),
        scheme,
        layout,
        rule.optional,
        padding=rule.padding,
        rows=rows,
        entry=Entry((), rule),
    )


def _from_recipe(recipe: Recipe, written: str = "") -> list[Clause]:
    """Read a recipe: its own rules are optional, and carry the recipe that they came from.

    ``written`` is the text that names it, if one does.
    """
    clauses = [_of_recipe(clause, recipe) for clause in recipe_clauses(recipe)]
    if not recipe.general:
        return clauses
    mention = Mention.of(recipe, written)  # for this place alone: a table may name one recipe twice
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
    refuse_pulled_apart(value)
    if isinstance(matcher, Type):
        return _under_type(matcher, key, value)
    if not _is_table(value):
        return [_from_line(Entry((key,), value), matcher)]
    around: Callable[[Matcher], Any] = matcher.around
    if around(Name("*")) is None:  # asked before the table is read, which may be empty
        message = f"a table under {key!r}: only a name or a glob can be the scope of a table"
        raise RuleError(message)
    if key == "*" and not isinstance(value, Mapping | Rule):
        return _read_scoped(value)  # a recipe for all that is left, as if it stood alone
    return _scoped(_read_scoped(value), key, around)


def _scoped(
    clauses: Sequence[Clause], key: object, around: Callable[[Matcher], Matcher]
) -> list[Clause]:
    """Return clauses under a scope, each mention of a recipe as one there, too."""
    mentions: dict[int, Mention] = {}
    for clause in clauses:
        if clause.mention is not None and id(clause.mention) not in mentions:
            mentions[id(clause.mention)] = clause.mention.within(key, around)
    return [
        replace(
            clause,
            matcher=around(clause.matcher),
            entry=_under(key, clause),
            mention=None if clause.mention is None else mentions[id(clause.mention)],
        )
        for clause in clauses
    ]


def _under(key: object, clause: Clause) -> Entry | None:
    """Return the line of a clause as it stands under a key; a recipe's stands in its own table."""
    own = clause.entry is not None and clause.recipe is None
    return clause.entry.under(key) if own and clause.entry else clause.entry


def _under_type(kind: Type, key: object, value: object) -> list[Clause]:
    """Read what stands under a class: a scheme is for its weights, a dict has its own names."""
    if isinstance(value, Mapping) and not is_scheme_table(value):
        return _gathered(partial(_read_own, kind, key), value.items())
    if _is_table(value):
        raise RuleError(
            f"under the type {kind} stands {value!r}; a type takes a scheme, or a dict from its "
            "own parameter names to schemes. A recipe goes under a module's path"
        )
    # A function of the module starts all that the module has.
    glob = "*" if isinstance(value, PerModule) else "*weight*"
    return [_from_line(Entry((key,), value), ParameterOf(kind, glob))]


def _read_own(kind: Type, key: object, name: object, value: object) -> list[Clause]:
    try:
        return [_from_line(Entry((key, name), value), _own_name(kind, name))]
    except InitkitError as error:
        error.entry = Entry((name,), value)  # the key around it is added by who reads that
        raise


def _own_name(kind: Type, name: object) -> Matcher:
    if not isinstance(name, str):
        message = f"under the type {kind}: {name!r} is no parameter name; write 'weight' or a glob"
        raise RuleError(message)
    return Alternatives(name, kind) if Alternatives.in_glob(name) else ParameterOf(kind, name)


def _read_scoped(value: Any) -> list[Clause]:
    """Read a table under a scope, where a name is a recipe's: a scheme's would be no table."""
    if isinstance(value, str):
        return _from_recipe(find_recipe(read_call(value)), value)
    return _read(value)


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


def _from_line(entry: Entry, matcher: Matcher) -> Clause:
    """Read the scheme of a line."""
    try:
        scheme = read_scheme_of(entry.value, matcher.members)
    except UnknownNameError as error:
        if error.kind != "scheme" or recipe_named(error.name) is not None:
            raise
        if "/" in error.name:  # as recipes alone are called
            find_recipe(read_call(entry.value))
        # Made anew, so that recipes are among the choices, and what is near of them.
        choices = [*error.choices, *list_recipes()]
        raise unknown_scheme("scheme or recipe", error.name, choices, SHOW_ALL) from None
    return Clause(_takes(matcher, scheme), _for(matcher, scheme), entry=entry)


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
