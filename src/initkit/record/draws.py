"""Operations that draw at random, and those that fill with a number."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..distributions import Constant, Distribution, Normal, Uniform
from .expression import FIXED, Expression, constant, draw
from .memory import Held
from .operation import Handler, Operation, known_number


def _drawn(op: Operation, distribution: Distribution | None, text: str) -> Expression:
    result = op.result
    if isinstance(result, Tensor) and result.is_complex():
        distribution = None  # torch draws the parts with another std than initkit
    return draw(distribution, text) if distribution is None else draw(distribution)


def _number(x: Any) -> float | None:
    return float(x) if isinstance(x, int | float) else None


def _normal_law(mean: Any, std: Any) -> Distribution | None:
    loc, scale = _number(mean), _number(std)
    if loc is None or scale is None:
        return None
    return Normal(loc, scale) if scale else Constant(loc)


def _normal_(op: Operation) -> Held:
    distribution = _normal_law(op.argument(1, "mean", 0.0), op.argument(2, "std", 1.0))
    return _drawn(op, distribution, "normal of several stds")


def _normal(op: Operation) -> Held:
    # Of floats or of tensors; tensors that hold one number are as good.
    mean, std = op.argument(0, "mean", 0.0), op.argument(1, "std", 1.0)
    return _drawn(op, _normal_law(_fixed_number(op, mean), _fixed_number(op, std)), "normal")


def _fixed_number(op: Operation, x: Any) -> Any:
    if not isinstance(x, Tensor):
        return x
    held = op.memory.read(x)
    return held.value if isinstance(held, Expression) else None


def _uniform_(op: Operation) -> Held:
    low = _number(op.argument(1, "from", 0.0))
    high = _number(op.argument(2, "to", 1.0))
    if low is None or high is None:
        return draw(None, "uniform")
    return _drawn(op, Uniform(low, high) if low < high else Constant(low), "uniform")


def _random(op: Operation) -> Held:
    name = op.name.rstrip("_")
    return draw(None, f"{name} values")


def _fill(place: int, name: str) -> Handler:
    def handler(op: Operation) -> Held:
        value = op.argument(place, name)
        if isinstance(value, Tensor):
            held = op.memory.read(value)
            return known_number(value, held) if isinstance(held, Expression) else FIXED
        return constant(float(value)) if isinstance(value, int | float) else FIXED

    return handler


HANDLERS: dict[str, Handler] = {
    "normal_": _normal_,
    "normal": _normal,
    "normal_functional": _normal_,
    "uniform_": _uniform_,
    **dict.fromkeys(("randn", "randn_like"), lambda op: _drawn(op, Normal(0.0, 1.0), "randn")),
    **dict.fromkeys(("rand", "rand_like"), lambda op: _drawn(op, Uniform(0.0, 1.0), "rand")),
    **dict.fromkeys(
        ("bernoulli", "bernoulli_", "exponential_", "log_normal_", "cauchy_", "geometric_"), _random
    ),
    **dict.fromkeys(
        ("random_", "randint", "randint_like", "randperm", "multinomial", "poisson"), _random
    ),
    **dict.fromkeys(("fill_", "fill"), _fill(1, "value")),
    **dict.fromkeys(("full", "full_like"), _fill(1, "fill_value")),
    "new_full": _fill(2, "fill_value"),
    "scalar_tensor": _fill(0, "s"),
    **dict.fromkeys(("zero_", "zeros", "zeros_like", "new_zeros"), lambda _: constant(0.0)),
    **dict.fromkeys(("ones", "ones_like", "new_ones"), lambda _: constant(1.0)),
}
