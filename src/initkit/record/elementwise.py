"""Operations on each element by itself, as the algebra of what the elements hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .expression import FIXED, ORTHOGONAL, QR_SIGNS, Expression, apply, constant, opaque
from .memory import Held, repeats
from .operation import Handler, Operation, has_draws, known_number

_FEW = 64  # different fixed values that are told apart, as those of a mask
_ELEMENTWISE: dict[str, tuple[str, ...]] = {
    "mul": ("self", "other"),
    "multiply": ("self", "other"),
    "div": ("self", "other"),
    "divide": ("self", "other"),
    "true_divide": ("self", "other"),
    "add": ("self", "other"),
    "sub": ("self", "other"),
    "subtract": ("self", "other"),
    "rsub": ("other", "self"),
    "pow": ("self", "exponent"),
    "clamp": ("self", "min", "max"),
    "clip": ("self", "min", "max"),
    "clamp_min": ("self", "min"),
    "clamp_max": ("self", "max"),
    "reciprocal": ("self",),
    **dict.fromkeys(
        ("neg", "negative", "exp", "log", "log1p", "expm1", "erfinv", "sqrt", "rsqrt"), ("self",)
    ),
    **dict.fromkeys(("abs", "sigmoid", "tanh", "sin", "cos", "square", "erf"), ("self",)),
}
_SAME = {"multiply": "mul", "divide": "div", "true_divide": "div", "negative": "neg"}


def _elementwise(op: Operation) -> Held:
    name = op.name.removesuffix("_")
    names = [a.name for a in op.func._schema.arguments]
    given = [op.argument(names.index(n), n) if n in names else None for n in _ELEMENTWISE[name]]
    if op.kwargs.get("rounding_mode") or not isinstance(op.result, Tensor):
        return opaque(name, *op.held())
    operands = [_operand(op, value) for value in given]
    if (matrix := _orthogonal(name, operands)) is not None:
        return matrix
    drawn = [has_draws(op.memory, held) for held in operands]
    if any(drawn):
        # A number that stands for several elements makes them depend on each other.
        for value, random in zip(given, drawn, strict=True):
            several = op.result.numel()
            if random and isinstance(value, Tensor) and _spread(value, several):
                return opaque(name, *op.memory.merged(operands))
        operands = [_by_value(op, v, h) for v, h in zip(given, operands, strict=True)]
    return _ratio_of_one(op, _normalized(op, name, given, operands))


def _spread(tensor: Tensor, count: int) -> bool:
    """Say whether one number of a tensor stands for several of that many results."""
    return tensor.numel() != count or repeats(tensor)


def _normalized(op: Operation, name: str, given: list[Any], operands: list[Held]) -> Held:
    """Return what an operation makes of its operands, by the few that the algebra knows."""
    combine = op.memory.combine
    if name in ("sub", "subtract", "rsub", "add"):
        alpha = op.kwargs.get("alpha", 1)
        first, second = operands
        if alpha != 1:
            second = combine("mul", second, constant(float(alpha)))
        return combine("add", first, second if name == "add" else combine("neg", second))
    if name == "reciprocal":
        return combine("div", constant(1.0), *operands)
    if name in ("clamp", "clip", "clamp_min", "clamp_max"):
        low: Held = constant(-math.inf)
        high: Held = constant(math.inf)
        if name != "clamp_max" and given[1] is not None:
            low = operands[1]
        if name != "clamp_min" and given[-1] is not None:
            high = operands[-1]
        return combine("clamp", operands[0], low, high)
    return combine(_SAME.get(name, name), *operands)


def _ratio_of_one(op: Operation, held: Held) -> Held:
    """Return 1 where a norm is divided by the norm of the same values, as weight_norm does."""
    if not isinstance(held, Expression) or held.op != "div":
        return held
    ops, draws = {a.op for a in held.args}, {a.draws for a in held.args}
    alike = ops <= _NORMS and len(draws) == 1 and not op.result.is_meta
    # Over which axes they go, only the values tell.
    return constant(1.0) if alike and bool((op.result - 1).abs().max() < 1e-5) else held


_NORMS = {"norm", "linalg_vector_norm", "norm_except_dim"}


def _operand(op: Operation, value: Any) -> Held:
    if isinstance(value, Tensor):
        held = op.memory.read(value)
        return known_number(value, held) if isinstance(held, Expression) else held
    if isinstance(value, int | float):
        return constant(float(value))
    return FIXED


def _sorted_values(tensor: Tensor) -> Tensor:
    """Return each value of a tensor once, in order."""
    flat = tensor.reshape(-1).sort().values
    return torch.cat([flat[:1], flat[1:][flat[1:] != flat[:-1]]])


def _by_value(op: Operation, value: Any, held: Held) -> Held:
    """Tell few fixed values apart, so that each counts as a number: those of a mask."""
    plain = isinstance(held, Expression) and held.fixed and held.distribution is None
    if not plain or not isinstance(value, Tensor) or value.is_meta or value.is_complex():
        return held
    different = _sorted_values(value)
    if different.numel() > _FEW:
        return held
    numbers = [op.memory.number(constant(float(v))) for v in different.tolist()]
    table = torch.tensor(numbers, dtype=torch.int32, device="cpu")
    return table[torch.searchsorted(different, value.contiguous())]


def _orthogonal(name: str, operands: Sequence[Held]) -> Expression | None:
    """Return what Q times the signs of R's diagonal is, though the signs are as many as columns."""
    plain = [o for o in operands if isinstance(o, Expression)]
    if name != "mul" or len(plain) != 2 or QR_SIGNS not in {o.op for o in plain}:
        return None
    made = apply("mul", *plain)
    return made if made.op == ORTHOGONAL else None


HANDLERS: dict[str, Handler] = {
    name: _elementwise for bare in _ELEMENTWISE for name in (bare, f"{bare}_")
}
