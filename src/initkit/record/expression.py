"""What is known of an element's value: its distribution, and the operations that made it.

An expression is a tree of operations over draws and constants. Where algebra says how the value is
distributed, it has a ``distribution``; where it does not, it still says in words what was seen.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import torch

from ..distributions import (
    Constant,
    Distribution,
    Normal,
    TruncatedNormal,
    Uniform,
    short,
)

_numbers = itertools.count(1)
_DEEP = 3  # operations that the text of an expression shows, one inside the other
_ROOT2 = math.sqrt(2.0)
QR_Q, QR_R, QR_SIGNS, ORTHOGONAL = "qr Q", "qr R", "signs of qr R's diagonal", "orthogonal"
COPY = "copy"  # of all that a storage held
_CUTS_NOTHING = 7.0  # standard deviations beyond which no generator of float32 goes


class Expression:
    """The value of an element: an operation on others, or a draw, or a constant.

    ``distribution`` is None where nobody knows it; ``draws`` are the numbers of the draws that it
    depends on. It is ``fixed`` where no randomness is in it, so that its value tells all.
    """

    __slots__ = ("args", "distribution", "draws", "fixed", "op")

    def __init__(
        self,
        op: str,
        args: tuple[Expression, ...] = (),
        distribution: Distribution | None = None,
        draws: frozenset[int] = frozenset(),
        fixed: bool = False,
    ) -> None:
        self.op, self.args, self.distribution, self.draws, self.fixed = (
            op,
            args,
            distribution,
            draws,
            fixed,
        )

    @property
    def copied(self) -> Expression:
        """The expression that this one is a copy of, through all copies of copies; or itself."""
        found = self
        while found.op == COPY:
            found = found.args[0]
        return found

    @property
    def value(self) -> float | None:
        """The value of a constant; None of all else."""
        return self.distribution.constant if self.distribution is not None else None

    def describe(self, deep: int = _DEEP) -> str:
        """Return the distribution in words, or the expression where it has none."""
        if self.distribution is not None:
            return (
                short(self.distribution.value)
                if isinstance(self.distribution, Constant)
                else self.distribution.describe()
            )
        if not self.args:
            return self.op
        if not deep:
            return f"{self.op}(...)"
        return f"{self.op}({', '.join(a.describe(deep - 1) for a in self.args)})"

    def __repr__(self) -> str:
        return f"<{self.describe()}>"


UNWRITTEN = Expression("memory never written")
OUTSIDE = Expression("values from outside torch", fixed=True)
FIXED = Expression("values computed without randomness", fixed=True)


@lru_cache(maxsize=4096)
def constant(value: float) -> Expression:
    """Return the expression of a number."""
    return Expression("constant", distribution=Constant(value), fixed=True)


def draw(distribution: Distribution | None, op: str = "draw") -> Expression:
    """Return the expression of a new draw, independent of all others."""
    return Expression(op, distribution=distribution, draws=frozenset((next(_numbers),)))


def apply(op: str, *args: Expression) -> Expression:
    """Return what an operation makes of the values of elements."""
    if op == "mul" and args[0].value is not None:
        args = args[::-1]  # the number last, so that products look alike
    if all(a.fixed for a in args):
        return _folded(op, args)
    rewritten = _rewritten(op, args)
    if rewritten is not None:
        return rewritten
    draws = frozenset().union(*(a.draws for a in args))
    return Expression(op, args, _law(op, args), draws)


def opaque(op: str, *args: Expression) -> Expression:
    """Return the expression of an operation whose elements depend on more than one element each."""
    if all(a.fixed for a in args):
        return FIXED
    return Expression(op, args, None, frozenset().union(*(a.draws for a in args)))


# ------------------------------------------------------------------------------- fixed values

_FOLDS: dict[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "expm1": math.expm1,
    "log1p": math.log1p,
    "pow": lambda a, b: float(a**b),
    "clamp": lambda x, low, high: min(max(x, low), high),
}


def _folded(op: str, args: tuple[Expression, ...]) -> Expression:
    values = [a.value for a in args]
    if op in _FOLDS and None not in values:
        try:
            return constant(_FOLDS[op](*values))
        except (ArithmeticError, ValueError, TypeError):  # tensors have inf and NaN there
            return FIXED
    return FIXED


# ---------------------------------------------------------------------------------- rewriting


def _rewritten(op: str, args: tuple[Expression, ...]) -> Expression | None:
    """Return an equal expression that says more, where the textbook has one."""
    for rewrite in _REWRITES.get(op, ()):
        if (found := rewrite(*args)) is not None:
            return found
    return None


def _softplus_undone(x: Expression, rest: Expression) -> Expression | None:
    """Return the inverse of softplus where it is written x + log(-expm1(-x))."""
    if rest.op != "log" or rest.args[0].op != "neg":
        return None
    inner = rest.args[0].args[0]
    same = inner.op == "expm1" and inner.args[0].op == "neg" and inner.args[0].args[0] is x
    return _mapped("inverse softplus", x) if same else None


def _exp_less_one(first: Expression, second: Expression) -> Expression | None:
    return apply("expm1", first.args[0]) if first.op == "exp" and second.value == -1.0 else None


def _one_less_exp(first: Expression, second: Expression) -> Expression | None:
    if first.value != 1.0 or second.op != "neg" or second.args[0].op != "exp":
        return None
    return apply("neg", apply("expm1", second.args[0].args[0]))


def _log_of_expm1(x: Expression) -> Expression | None:
    return _mapped("inverse softplus", x.args[0]) if x.op == "expm1" else None


def _signed_q(q: Expression, signs: Expression) -> Expression | None:
    """Return the Haar-distributed matrix that Q times the signs of R's diagonal is."""
    matrix, gain = q, 1.0
    while matrix.op == "mul" and (factor := matrix.args[1].value) is not None:
        matrix, gain = matrix.args[0], gain * factor
    if (matrix.op, signs.op) != (QR_Q, QR_SIGNS) or q.draws != signs.draws:
        return None
    haar = matrix.args[0].distribution
    assert haar is not None
    return Expression(ORTHOGONAL, (q, signs), haar.scaled(gain), q.draws)


def _sum_of_normals(a: Expression, b: Expression) -> Expression | None:
    if (
        not isinstance(a.distribution, Normal)
        or not isinstance(b.distribution, Normal)
        or a.draws & b.draws
    ):
        return None
    distribution = Normal(
        a.distribution.mean + b.distribution.mean,
        math.hypot(a.distribution.std, b.distribution.std),
    )
    return Expression("add", (a, b), distribution, a.draws | b.draws)


def _mapped(name: str, x: Expression) -> Expression:
    distribution = (
        x.distribution.mapped(name)
        if x.distribution is not None and x.distribution.elementwise
        else None
    )
    return Expression(name, (x,), distribution, x.draws)


def _swapped(rewrite: _Rewrite) -> _Rewrite:
    return lambda a, b: rewrite(b, a)


_Rewrite: TypeAlias = "Callable[..., Expression | None]"
_REWRITES: dict[str, tuple[_Rewrite, ...]] = {
    "add": (
        _softplus_undone,
        _swapped(_softplus_undone),
        _exp_less_one,
        _one_less_exp,
        _sum_of_normals,
    ),
    "log": (_log_of_expm1,),
    "neg": (lambda x: x.args[0] if x.op == "neg" else None,),
    "mul": (
        lambda x, k: apply("neg", x) if k.value == -1.0 else None,
        _signed_q,
        _swapped(_signed_q),
    ),
}


# -------------------------------------------------------------------------------- distributions


def _law(op: str, args: tuple[Expression, ...]) -> Distribution | None:
    """Return the distribution of an operation on elements, where the algebra has it."""
    rule = _LAWS.get(op)
    if rule is None or any(a.distribution is None for a in args):
        return None
    try:
        return rule(*(a.distribution for a in args))
    except (ArithmeticError, ValueError, NotImplementedError):
        return None


def _sum(a: Distribution, b: Distribution) -> Distribution | None:
    if a.constant is not None:
        return _shifted(b, a.constant)
    return None if b.constant is None else _shifted(a, b.constant)


def _shifted(distribution: Distribution, by: float) -> Distribution | None:
    if not by:
        return distribution
    if isinstance(distribution, Normal):
        return Normal(distribution.mean + by, distribution.std)
    if isinstance(distribution, Uniform):
        return Uniform(distribution.low + by, distribution.high + by)
    if isinstance(distribution, TruncatedNormal):
        return TruncatedNormal(
            distribution.loc + by, distribution.scale, distribution.low + by, distribution.high + by
        )
    return None


def _product(a: Distribution, b: Distribution) -> Distribution | None:
    if a.constant is not None:
        a, b = b, a
    return None if b.constant is None else a.scaled(b.constant)


def _quotient(a: Distribution, b: Distribution) -> Distribution | None:
    return a.scaled(1.0 / b.constant) if b.constant else None


def _erfinv(distribution: Distribution) -> Distribution | None:
    """Return the normal of variance 1/2 between two quantiles: the erfinv of a uniform."""
    if not isinstance(distribution, Uniform) or not -1 <= distribution.low < distribution.high <= 1:
        return None
    ends = torch.tensor([distribution.low, distribution.high], dtype=torch.float64, device="cpu")
    low, high = torch.special.erfinv(ends).tolist()
    return TruncatedNormal(0.0, 1 / _ROOT2, low, high)


def _clamped(
    distribution: Distribution, least: Distribution, most: Distribution
) -> Distribution | None:
    low, high = least.constant, most.constant
    if low is None or high is None:
        return None
    if isinstance(distribution, TruncatedNormal | Normal):
        return _clamped_normal(distribution, low, high)
    if low <= distribution.low and distribution.high <= high:
        return distribution
    # What is lifted lands on one value; maps that do the same from above there are none.
    return (
        distribution.mapped("at least", low)
        if distribution.high <= high and distribution.elementwise
        else None
    )


def _clamped_normal(
    distribution: TruncatedNormal | Normal, low: float, high: float
) -> Distribution | None:
    """Return a normal between bounds that cut nothing of it, or that it has but for rounding."""
    loc, scale = (
        (distribution.mean, distribution.std)
        if isinstance(distribution, Normal)
        else (distribution.loc, distribution.scale)
    )
    room = 1e-4 * scale
    beyond = _CUTS_NOTHING * scale
    if low > max(distribution.low + room, loc - beyond) or high < min(
        distribution.high - room, loc + beyond
    ):
        return None
    if isinstance(distribution, Normal):
        return distribution
    near = abs(low - distribution.low) <= room or distribution.low < loc - beyond
    fits = abs(high - distribution.high) <= room or distribution.high > loc + beyond
    # Code that cuts by quantiles clamps to the bounds that it meant.
    return TruncatedNormal(
        loc, scale, low if near else distribution.low, high if fits else distribution.high
    )


def _power(distribution: Distribution, exponent: Distribution) -> Distribution | None:
    return distribution if exponent.constant == 1 else None


_LAWS: dict[str, Callable[..., Distribution | None]] = {
    "add": _sum,
    "mul": _product,
    "div": _quotient,
    "neg": lambda distribution: distribution.scaled(-1.0),
    "exp": lambda distribution: distribution.mapped("exp") if distribution.elementwise else None,
    "log": lambda distribution: (
        distribution.mapped("log") if distribution.low >= 0 and distribution.elementwise else None
    ),
    "erfinv": _erfinv,
    "clamp": _clamped,
    "pow": _power,
}
