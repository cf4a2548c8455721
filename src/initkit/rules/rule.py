"""A rule: how the parameters that it matches start."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import field, fields
from functools import cached_property
from typing import Any

from ..errors import Correction, InitkitError, RuleError
from ..model import Slot
from ..numbers import Layout, Value, frozen
from ..schemes import read_scheme_of
from ..wording import Argument, Call, GivenCall, HasCall, show
from .base import Matcher
from .conditions import All, Where
from .keys import read_name
from .matchers import Name, Type
from .row_range import RowRange


@frozen
class Rule(Value, HasCall):
    """Say how the parameters that match a name, a type and a predicate start.

    ``name`` is a glob or a compiled regex on the full name; ``type`` a module class, a class name,
    or a tuple of them; ``where`` a predicate on the slot (``.name .key .owner .tensor``); a slot
    must meet all that are given. ``layout`` names the axes of the tensor (``"E in out"``). An
    ``optional`` rule may match nothing. With ``padding=False`` an embedding's padding row is drawn
    like the others, where it would end zero. ``rows`` are the rows of dimension 0 that are written,
    such as ``"50257:"``, the new ones of a grown vocabulary: the scheme starts them as a tensor of
    their own, and the others keep their values, or start by rules for rows right below this one.

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
    padding: bool = field(default=True, kw_only=True)
    rows: str | int | slice | RowRange | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        given = ((f.name, getattr(self, f.name)) for f in fields(self))
        default = {f.name: f.default for f in fields(self)}
        call = Call("Rule", tuple(Argument(k, v) for k, v in given if v is not default[k]))
        object.__setattr__(self, "written", call)
        try:
            self._read()
        except InitkitError as error:
            show(error, call, _read_call)
            if not (error.shown and error.shown.mended) and (turned := _turned(call)) is not None:
                error.shown = Correction(call, turned)
            raise

    @classmethod
    def _meant(cls, call: GivenCall) -> Call | None:
        """Return the call with a name for what stands second without one: a key, or a scheme."""
        if len(call.values) != 2:
            return None
        one, two = call.values
        return _in_order(two, one, call.arguments) or _in_order(one, two, call.arguments)

    def _read(self) -> None:
        """Put what was read of the arguments in their place."""
        object.__setattr__(self, "scheme", read_scheme_of(self.scheme, self.matcher.members))
        if self.layout is not None and not isinstance(self.layout, Layout):
            object.__setattr__(self, "layout", Layout.parse(self.layout))
        if self.where is not None and not callable(self.where):
            raise RuleError(f"where must be a function of the slot, not {self.where!r}")
        if not isinstance(self.padding, bool):
            raise RuleError(f"padding must be True or False, not {self.padding!r}")
        if self.rows is not None:
            object.__setattr__(self, "rows", RowRange.of(self.rows))
            if wholes := [each for each in self.scheme.walk() if each.whole]:
                whole = wholes[0].name or str(wholes[0])
                raise RuleError(f"rows={str(self.rows)!r}: {whole} stands for a whole tensor")

    @cached_property
    def matcher(self) -> Matcher:
        """The predicate that this rule stands for."""
        parts: list[Matcher] = []
        if self.type is not None:
            parts.append(Type.of(self.type))
        if self.name is not None:
            parts.append(read_name(self.name))
        if self.where is not None:
            parts.append(Where(self.where))
        if len(parts) > 1:
            return All(tuple(parts))
        return parts[0] if parts else Name("*")

    def __str__(self) -> str:
        return str(self.matcher)


def _read_call(call: Call) -> None:
    """Read a call that was changed; what is wrong with it is raised as it is."""
    rule = object.__new__(Rule)
    for f in fields(Rule):
        object.__setattr__(rule, f.name, f.default)
    for argument in call.arguments:
        object.__setattr__(rule, argument.name, argument.value)
    rule._read()


def _turned(call: Call) -> Call | None:
    """Return a call whose scheme stands as its name, and the other way round; None for others."""
    key, *others = call.arguments
    scheme = next((one.value for one in others if one.name == "name"), None)
    rest = [one for one in others if one.name != "name"]
    return None if scheme is None else _in_order(scheme, key.value, rest)


def _in_order(scheme: object, key: object, others: Sequence[Argument]) -> Call | None:
    """Return the call of a rule that starts what a key of a table matches, if it can be read."""
    kind = "type" if isinstance(key, type | tuple) else "name"
    free = {f.name for f in fields(Rule)} - {"scheme", kind}
    if not isinstance(key, str | re.Pattern | type | tuple) or {o.name for o in others} - free:
        return None
    call = Call("Rule", (Argument("scheme", scheme), Argument(kind, key), *others))
    try:
        _read_call(call)
    except InitkitError:
        return None
    return call


REST = Rule("torch_default", name="torch:*", optional=True)
"""The last rule of a complete recipe: whatever torch's constructor starts, starts so."""
