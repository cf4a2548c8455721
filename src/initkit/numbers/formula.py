"""Numbers that users write as formulas, read by a whitelist over ``ast``; nothing is evaluated.

A formula knows ``+ - * / ** // %``, ``sqrt log exp min max sin cos abs floor``, ``pi``, what
compares (1 or 0), ``where(condition, a, b)``, of which no more is reckoned than counts, and names
whose value depends on the parameter: ``fan_in fan_out fan_avg``, ``layer n_layers``, ``shape[0]``
and ``numel``, ``config.NAME`` (the ``config`` of the nearest module around the parameter that has
it), ``nearest_config.NAME`` (the nearest ``config``, whether it has it or not), ``owner.NAME`` (an
attribute of its module), ``around.NAME`` (of the nearest module around it that has it),
``beside.NAME`` (of the nearest module without parameters behind it or before it that has it, such
as its activation), and ``count('Name')``, the number of modules of that class name in the model. A
list of layers counts as their number (``around.encoder.layers``). ``X or Y`` means Y where X has no
value. In a formula of sizes a name by itself is looked up around the parameter and in the configs
there.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NoReturn, TypeAlias

from ..errors import FormulaError
from ..wording import checks_calls
from .formula_slips import NAMES_ELSEWHERE, in_other_words

Lookup: TypeAlias = Callable[[str], float]
"""From a name such as ``fan_in``, ``shape[0]`` or ``config.d_model`` to its value here.

It raises :class:`~initkit.errors.FormulaError` where the name has no value.
"""


@dataclass(frozen=True, slots=True)
class Language:
    """What a kind of formula reckons with: how, by what operations, and which names are its own.

    ``number`` makes an operand of a number; ``arguments`` says how many a function takes, two or
    more where nothing is said. ``letters`` are the names whose values the formula's kind gives;
    where it is ``open``, any other name is one of the model's own.
    """

    number: Callable[[float], Any]
    functions: Mapping[str, Callable[..., Any]]
    operators: Mapping[type[ast.AST], Callable[[Any, Any], Any]]
    arguments: Mapping[str, tuple[int, ...]]
    letters: tuple[str, ...] = ()
    open: bool = False


ARITHMETIC: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
ARGUMENTS: Mapping[str, tuple[int, ...]] = {
    "log": (1, 2),
    "where": (3,),
    **dict.fromkeys(("sqrt", "exp", "sin", "cos", "abs", "floor"), (1,)),
}
_NUMBERS = Language(
    number=float,
    functions={
        "sqrt": math.sqrt,
        "log": math.log,
        "exp": math.exp,
        "min": min,
        "max": max,
        "sin": math.sin,
        "cos": math.cos,
        "abs": abs,
        "floor": math.floor,
        "where": lambda condition, a, b: a if condition else b,
    },
    operators={
        **ARITHMETIC,
        ast.FloorDiv: operator.floordiv,
        ast.Mod: operator.mod,
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
        ast.Eq: operator.eq,
        ast.NotEq: operator.ne,
    },
    arguments=ARGUMENTS,
)
NAMES = ("fan_in", "fan_out", "fan_avg", "layer", "n_layers", "numel")
_CONSTANTS = {"pi": math.pi}
_ATTRIBUTES = ("config", "nearest_config", "owner", "around", "beside")
# In the order in which they are listed to whoever wrote another one.
_SIGNS: Mapping[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_LONGEST = 1000  # characters


@dataclass(frozen=True, slots=True)
class Formula:
    """Hold a number that depends on the parameter, as the user wrote it.

    Equality and hash are those of the text.

    >>> formula = Formula("0.02 / sqrt(2 * n_layers)")
    >>> formula.value({"n_layers": 8.0}.__getitem__)
    0.005
    """

    text: str
    names: tuple[str, ...] = field(init=False, compare=False, repr=False)
    _tree: ast.expr = field(init=False, compare=False, repr=False)
    language: ClassVar[Language] = _NUMBERS

    def __post_init__(self) -> None:
        tree = _parse(self.text)
        names: list[str] = []
        try:
            _check(tree, self, names)
        except RecursionError:  # read without trouble, and too deep to be walked
            message = f"cannot read the formula {self.text!r}"
            raise FormulaError(message, formula=self.text) from None
        object.__setattr__(self, "names", tuple(dict.fromkeys(names)))
        object.__setattr__(self, "_tree", tree)

    def value(self, lookup: Lookup) -> float:
        """Return the number, with ``lookup`` giving the values of names.

        Raises :class:`~initkit.errors.FormulaError` where it has none, or is not real.
        """
        try:
            result = self.reckon(lookup)
        except (ArithmeticError, ValueError, RecursionError) as error:
            if isinstance(error, FormulaError):  # a ValueError, too, in words of its own
                raise
            # Python says it in other words from release to release.
            why = "it divides by zero" if isinstance(error, ZeroDivisionError) else error
            message = f"the formula {self.text!r} has no value here: {why}"
            raise FormulaError(message, formula=self.text) from None
        if isinstance(result, complex):  # a root of a negative number
            message = f"the formula {self.text!r} is not a real number here: {result}"
            raise FormulaError(message, formula=self.text)
        number: float = result
        return number

    def reckon(self, lookup: Callable[[str], Any]) -> Any:
        """Return what the formula makes, in the numbers of its language."""
        return value_of(self._tree, lookup, self.language)

    def with_names(self, values: Mapping[str, float]) -> Formula | float:
        """Return the formula with numbers in place of some names.

        Of ``X or Y`` with a number for either, that number is the value of both.

        >>> Formula("(config.std or 0.02)/sqrt(fan_in)").with_names({"config.std": 1})
        Formula(text='1.0 / sqrt(fan_in)')
        """
        return read_number(self._filled(values), kind=type(self))

    def decided(self, lookup: Lookup) -> str:
        """Return the text with, for each ``X or Y``, the one that counts: the first with a value.

        >>> Formula("(config.std or 0.02)/sqrt(2*layer)").decided({"layer": 3.0}.__getitem__)
        '0.02/sqrt(2*layer)'
        """
        if " or " not in self.text:
            return self.text
        tree = _Decided(lambda part: self._has_value(part, lookup)).visit(_parse(self.text))
        return _SPACED.sub(r"\1", ast.unparse(tree))

    def _has_value(self, part: ast.expr, lookup: Lookup) -> bool:
        try:
            for name in type(self)(ast.unparse(part)).names:
                lookup(name)
        except (FormulaError, KeyError):
            return False
        return True

    def _filled(self, values: Mapping[str, float]) -> str:
        return ast.unparse(_Filled(values).visit(_parse(self.text)))

    def __str__(self) -> str:
        return self.text


class _Filled(ast.NodeTransformer):
    """Put numbers for some of the names of a formula."""

    def __init__(self, values: Mapping[str, float]) -> None:
        self.values = values

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.BoolOp):
            known = (self.values.get(_name_of(part) or "") for part in node.values)
            value = next((found for found in known if found is not None), None)
        else:
            value = self.values.get(_name_of(node) or "") if isinstance(node, ast.expr) else None
        return self.generic_visit(node) if value is None else ast.Constant(float(value))


class _Decided(ast.NodeTransformer):
    """Leave of each ``X or Y`` what counts."""

    def __init__(self, has_value: Callable[[ast.expr], bool]) -> None:
        self.has_value = has_value

    def visit(self, node: ast.AST) -> ast.AST:
        if not isinstance(node, ast.BoolOp):
            return self.generic_visit(node)
        *firsts, last = node.values
        return self.visit(next(filter(self.has_value, firsts), last))


_SPACED = re.compile(r" (\*\*|[*/]) ")


@dataclass(frozen=True, slots=True)
class SizeFormula(Formula):
    """Hold a number of entries: any name is an attribute of a module around, or in its config.

    >>> SizeFormula("n_heads * head_dim").names
    ('n_heads', 'head_dim')
    """

    language: ClassVar[Language] = replace(_NUMBERS, open=True)


Number: TypeAlias = float | Formula


@checks_calls
def read_number(value: object, what: str = "number", kind: type[Formula] = Formula) -> Number:
    """Return a float for a number or its text, a formula of this kind for any other text.

    Raises :class:`~initkit.errors.FormulaError` for anything else, which it calls ``what``.

    >>> read_number("1e-6"), read_number("0.02/sqrt(2)")
    (1e-06, Formula(text='0.02/sqrt(2)'))
    """
    if isinstance(value, Formula):
        return value
    if isinstance(value, str):
        text = value.strip()
        try:
            return float(text)
        except ValueError:
            return kind(text)
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        message = f"{what} is larger than any float"
        raise FormulaError(message, formula=hex(value)) from None  # type: ignore[arg-type]
    except (TypeError, ValueError):
        message = f"{what} must be a number or a formula, not {value!r}"
        raise FormulaError(message, formula=str(value)) from None


def _parse(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise FormulaError(f"a formula of more than {_LONGEST} characters", formula=text)
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        message = f"cannot read the formula {text!r}"
        raise FormulaError(message, formula=text) from None


def _check(node: ast.expr, formula: Formula, names: list[str]) -> None:
    """Raise for whatever the whitelist does not know; collect the names."""
    name = _name_of(node)
    if name is not None:
        _check_name(name, formula)
        if name not in _CONSTANTS:
            names.append(name)
        return
    parts = _parts(node, formula.language)
    if parts is None:
        _raise_unknown(node, formula)
    if isinstance(node, ast.Call):
        _check_count(node, formula)
    for part in parts:
        _check(part, formula, names)


def _parts(node: ast.expr, language: Language) -> list[ast.expr] | None:
    """Return the operands of an operation that the language knows, else None."""
    match node:
        case ast.Constant(value=value) if type(value) in (int, float):  # True is an int, too
            return []
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return [operand]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in language.operators:
            return [left, right]
        case ast.Compare(left=left, ops=[op], comparators=[right]) if (
            type(op) in language.operators
        ):
            return [left, right]
        case ast.BoolOp(op=ast.Or(), values=values):
            return values
        case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]) if (
            function in language.functions and arguments
        ):
            return arguments
    return None


def _check_count(call: ast.Call, formula: Formula) -> None:
    name, given = ast.unparse(call.func), len(call.args)
    takes = formula.language.arguments.get(name)
    if given not in takes if takes else given < 2:
        wanted = " or ".join(map(str, takes)) if takes else "2 or more"
        what = f"gives {name} {given} numbers, and it takes {wanted}"
        raise FormulaError(f"the formula {formula.text!r} {what}", formula=formula.text)


def _raise_unknown(node: ast.expr, formula: Formula) -> NoReturn:
    language, piece = formula.language, ast.unparse(node)
    operators = " ".join(sign for kind, sign in _SIGNS.items() if kind in language.operators)
    known = ", ".join([operators, *language.functions, "pi", *language.letters, *NAMES])
    error = FormulaError(
        f"the formula {formula.text!r} holds {piece!r}, which formulas do not know",
        formula=formula.text,
    )
    others = "shape[i], config.NAME, owner.NAME, around.NAME, beside.NAME and count('ClassName')"
    error.hint = f"; they know {known}, {others}"
    match node:
        case ast.Call(func=ast.Name(id=function)):
            error.meaning(function, (*language.functions, "count"))
        case ast.Attribute(value=ast.Name(id=head)):
            error.meaning(head, _ATTRIBUTES)
    error.mends = (*in_other_words(node, formula.text.strip(), language.functions), *error.mends)
    raise error


def _name_of(node: ast.expr) -> str | None:
    """Return the name that ``node`` stands for: ``fan_in``, ``shape[0]``, ``config.d_model``."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute():
            dotted = ast.unparse(node)
            return dotted if dotted.split(".")[0] in _ATTRIBUTES else None
        case ast.Subscript(value=ast.Name(id="shape"), slice=ast.Constant(value=int(axis))):
            return f"shape[{axis}]"
        case ast.Subscript(
            value=ast.Name(id="shape"),
            slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(axis))),
        ):
            return f"shape[-{axis}]"
        case ast.Call(func=ast.Name(id="count"), args=[ast.Constant(value=str(kind))], keywords=[]):
            return f"count({kind!r})"
    return None


def _check_name(name: str, formula: Formula) -> None:
    language = formula.language
    known = (*language.letters, *NAMES, *_CONSTANTS)
    if name in known or language.open or "." in name or "[" in name or "(" in name:
        return
    others = f"; names are {', '.join(known)}, and the model's own: config.{name}, around.{name}"
    message = f"the formula {formula.text!r} has an unknown name {name!r}"
    error = FormulaError(message, formula=formula.text)
    if name in NAMES_ELSEWHERE:
        error.mends = ({name: NAMES_ELSEWHERE[name]},)
    error.or_rather(name, (*known, *language.functions), others)
    if not error.mends:  # whoever knows the model knows which of them has it
        error.either = tuple({name: f"{head}.{name}"} for head in ("config", "owner", "around"))
    raise error


def value_of(node: ast.expr, lookup: Callable[[str], Any], language: Language) -> Any:
    """Return what a tree that was checked reckons, in the numbers of its language."""
    name = _name_of(node)
    if name is not None:
        return language.number(_CONSTANTS[name] if name in _CONSTANTS else lookup(name))
    match node:
        case ast.Constant(value=value):
            # As a float, so that 9**9**9 overflows where whole numbers would fill the memory.
            return language.number(value)  # type: ignore[arg-type]
        case ast.UnaryOp(op=op, operand=operand):
            value = value_of(operand, lookup, language)
            return -value if isinstance(op, ast.USub) else value
        case (
            ast.BinOp(left=left, op=op, right=right)
            | ast.Compare(left=left, ops=[op], comparators=[right])
        ):
            ends = (value_of(part, lookup, language) for part in (left, right))
            value = language.operators[type(op)](*ends)
            return language.number(value) if isinstance(value, bool) else value
        case ast.BoolOp(values=values):
            return _first_value(values, lookup, language)
        case ast.Call(func=ast.Name(id="where"), args=[condition, *either]) if isinstance(
            truth := value_of(condition, lookup, language), float
        ):
            # One number says which counts, and the other may have no value.
            return value_of(either[not truth], lookup, language)
        case ast.Call(func=ast.Name(id=function), args=arguments):
            operands = (value_of(argument, lookup, language) for argument in arguments)
            return language.number(language.functions[function](*operands))
    raise AssertionError(f"unchecked node {ast.dump(node)}")


def _first_value(parts: list[ast.expr], lookup: Callable[[str], Any], language: Language) -> Any:
    for part in parts[:-1]:
        try:
            return value_of(part, lookup, language)
        except (FormulaError, KeyError):  # a mapping may be asked, too
            continue
    return value_of(parts[-1], lookup, language)
