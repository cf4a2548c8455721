"""What each operation of torch makes of what its operands hold: draws, algebra, movement.

A handler takes an :class:`Operation` and returns what its result holds, or None where nothing of it
needs to be noted. Operations that nobody has described mix: where any operand is random the result
is, and no more is known of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only

from ..distributions import Constant, Distribution, Normal, Orthogonal, Uniform
from .expression import (
    COPY,
    FIXED,
    ORTHOGONAL,
    QR_Q,
    QR_R,
    QR_SIGNS,
    UNWRITTEN,
    Expression,
    apply,
    constant,
    draw,
    opaque,
)
from .memory import Held, Memory, repeats

Handler: TypeAlias = "Callable[[Operation], Held | list[Held] | None]"
_FEW = 64  # different fixed values that are told apart, as those of a mask


@dataclass(slots=True)
class Operation:
    """One operation of torch that has been carried out."""

    memory: Memory
    func: Any
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    result: Any

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        """Return an argument by its place or its name."""
        return self.args[place] if place < len(self.args) else self.kwargs.get(name, default)

    def tensors(self) -> Iterator[Tensor]:
        """Yield every operand that is a tensor."""
        for leaf in tree_leaves((self.args, dict(self.kwargs))):
            if isinstance(leaf, Tensor):
                yield leaf

    def held(self) -> list[Expression]:
        """Return the expressions among all operands."""
        return self.memory.merged(map(self.memory.read, self.tensors()))


def handler_of(func: Any) -> Handler | None:
    """Return the handler of an operation; None for views, which share what they show."""
    name = func._schema.name.partition("::")[2]
    if name in _HANDLERS:
        return _HANDLERS[name]
    mutates = func._schema.is_mutable
    bare = name.removesuffix("_") if mutates else name
    if bare in _ELEMENTWISE:
        return _elementwise
    if bare in _MOVING:
        return _moved_in_place if mutates and name.endswith("_") else _moved
    if name.startswith(("empty", "new_empty")):
        return lambda _: UNWRITTEN
    returns = func._schema.returns
    if not mutates and returns and all(r.alias_info is not None for r in returns):
        return None  # a view
    return _mixed


# -------------------------------------------------------------------------------------- draws


def _drawn(op: Operation, law: Distribution | None, text: str) -> Expression:
    result = op.result
    if isinstance(result, Tensor) and result.is_complex():
        law = None  # torch draws the parts with another std than initkit
    return draw(law, text) if law is None else draw(law)


def _number(x: Any) -> float | None:
    return float(x) if isinstance(x, int | float) else None


def _normal_law(mean: Any, std: Any) -> Distribution | None:
    loc, scale = _number(mean), _number(std)
    if loc is None or scale is None:
        return None
    return Normal(loc, scale) if scale else Constant(loc)


def _normal_(op: Operation) -> Held:
    law = _normal_law(op.argument(1, "mean", 0.0), op.argument(2, "std", 1.0))
    return _drawn(op, law, "normal of several stds")


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
    name = op.func._schema.name.partition("::")[2].rstrip("_")
    return draw(None, f"{name} values")


# ---------------------------------------------------------------------------------- constants


def _fill(place: int, name: str) -> Handler:
    def handler(op: Operation) -> Held:
        value = op.argument(place, name)
        if isinstance(value, Tensor):
            held = op.memory.read(value)
            return _known(value, held) if isinstance(held, Expression) else FIXED
        return constant(float(value)) if isinstance(value, int | float) else FIXED

    return handler


def _known(tensor: Tensor, held: Expression) -> Expression:
    """Return the expression of a fixed number, read off the value itself."""
    if held.fixed and held.law is None and tensor.numel() == 1 and not tensor.is_meta:
        value: object = tensor.item()
        return constant(float(value)) if isinstance(value, int | float) else held
    return held


# ------------------------------------------------------------------------------- elementwise

# By the operation's name without the trailing "_": how its arguments become operands.
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
    **dict.fromkeys(("abs", "sign", "sigmoid", "tanh", "sin", "cos", "square", "erf"), ("self",)),
}
_SAME = {"multiply": "mul", "divide": "div", "true_divide": "div", "negative": "neg"}


def _elementwise(op: Operation) -> Held:
    name = op.func._schema.name.partition("::")[2].removesuffix("_")
    names = [a.name for a in op.func._schema.arguments]
    given = [op.argument(names.index(n), n) if n in names else None for n in _ELEMENTWISE[name]]
    if op.kwargs.get("rounding_mode") or not isinstance(op.result, Tensor):
        return opaque(name, *op.held())
    operands = [_operand(op, value) for value in given]
    if (matrix := _orthogonal(name, operands)) is not None:
        return matrix
    drawn = [_has_draws(op.memory, held) for held in operands]
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
        return _known(value, held) if isinstance(held, Expression) else held
    if isinstance(value, int | float):
        return constant(float(value))
    return FIXED


def _has_draws(memory: Memory, held: Held) -> bool:
    return any(not e.fixed for e in memory.present(held))


def _sorted_values(tensor: Tensor) -> Tensor:
    """Return each value of a tensor once, in order."""
    flat = tensor.reshape(-1).sort().values
    return torch.cat([flat[:1], flat[1:][flat[1:] != flat[:-1]]])


def _by_value(op: Operation, value: Any, held: Held) -> Held:
    """Tell few fixed values apart, so that each counts as a number: those of a mask."""
    plain = isinstance(held, Expression) and held.fixed and held.law is None
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


# ------------------------------------------------------------------------------------ matrices


def _qr(op: Operation) -> list[Held]:
    held = op.memory.read(op.args[0])
    q, _ = op.result
    normal = isinstance(held, Expression) and isinstance(held.law, Normal) and not held.law.mean
    if not normal or q.dim() != 2 or q.shape != op.args[0].shape:
        mixed = opaque("qr", *op.memory.present(held))
        return [mixed, mixed]
    assert isinstance(held, Expression)
    rows, columns = q.shape
    haar = Expression("Haar", (held,), Orthogonal((rows, columns), 1.0, (1, rows, columns)))
    # Q alone is not Haar-distributed: its signs are LAPACK's.
    return [
        Expression(QR_Q, (haar,), None, held.draws),
        Expression(QR_R, (held,), None, held.draws),
    ]


def _sign(op: Operation) -> Held:
    tensor = op.args[0]
    held = op.memory.read(tensor)
    if isinstance(held, Expression) and held.op == QR_R and tensor.dim() == 1:
        return Expression(QR_SIGNS, (held,), None, held.draws)
    return op.memory.combine("sign", held)


# ------------------------------------------------------------------------------------ movement

# Operations that put values elsewhere and change none. The arguments of these names are places.
_PLACES = {"index", "indices", "mask", "condition", "dim", "dims", "repeats", "shifts", "pad"}
_OPTIONS = {"dtype", "device", "layout", "pin_memory", "memory_format", "non_blocking", "copy"}
_MOVING = {
    *("cat", "stack", "index", "index_select", "gather", "take", "repeat", "flip", "roll"),
    *("tril", "triu", "constant_pad_nd", "masked_fill", "masked_scatter", "index_put"),
    *("_index_put_impl", "index_fill", "index_copy", "scatter", "put", "fill_diagonal", "where"),
    *("select_scatter", "slice_scatter", "diagonal_scatter", "rot90", "repeat_interleave"),
    *(
        "diagonal_copy",
        "expand_copy",
        "unfold_copy",
        "_unsafe_index",
        "embedding",
        "diag_embed",
        "block_diag",
    ),
}


_WITH_ZEROS = {"tril", "triu", "constant_pad_nd", "diag_embed", "block_diag"}


def _copied(op: Operation) -> Held:
    """Return what a copy holds: an expression of its own, so that copies can be told."""
    source = op.args[1] if op.func._schema.name == "aten::copy_" else op.args[0]
    held = op.memory.read(source)
    random = _has_draws(op.memory, held)
    if random and (repeats(source) or source.numel() != op.result.numel()):
        return opaque("repeated", *op.memory.present(held))
    if isinstance(held, Tensor):
        return held.expand(op.result.shape)
    if held.fixed:
        return held
    whole = source.numel() * source.element_size() == op.memory.size(source)
    return _copy_of(held, COPY if whole else "part")


def _copy_of(held: Expression, op: str = COPY) -> Expression:
    return Expression(op, (held,), held.law, held.draws)


def _moved(op: Operation) -> Held:
    if isinstance(op.result, Tensor) and any(map(_is_random_place, _places(op))):
        return opaque("put at random places", *op.held())
    helds = {id(t): op.memory.read(t) for t in _values(op)}
    present = op.memory.merged(helds.values())
    if all(e.fixed for e in present) and len(present) == 1 and present[0].law is None:
        return present[0]
    if not all(e.fixed for e in present) and _repeating(op):
        return opaque("repeated", *present)
    if len(present) == 1 and op.func._schema.name.partition("::")[2] not in _WITH_ZEROS:
        return present[0]
    return _numbers_through(op, op.args)


def _moved_in_place(op: Operation) -> Held:
    if any(map(_is_random_place, _places(op))):
        return opaque("put at random places", *op.held())
    if op.argument(3, "accumulate", False) is True:
        return opaque("added at places", *op.held())
    target = op.args[0]
    numbers = op.memory.as_numbers(op.memory.read(target), target.shape).clone()
    return _numbers_through(op, (numbers, *op.args[1:]))


def _named(op: Operation) -> Iterator[tuple[str, Any]]:
    names = [a.name for a in op.func._schema.arguments]
    yield from zip(names, op.args, strict=False)
    yield from op.kwargs.items()


def _values(op: Operation) -> Iterator[Tensor]:
    for name, value in _named(op):
        if name not in _PLACES:
            yield from (leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor))


def _places(op: Operation) -> Iterator[tuple[Operation, Tensor]]:
    for name, value in _named(op):
        if name in _PLACES:
            yield from ((op, leaf) for leaf in tree_leaves(value) if isinstance(leaf, Tensor))


def _is_random_place(place: tuple[Operation, Tensor]) -> bool:
    op, tensor = place
    return _has_draws(op.memory, op.memory.read(tensor))


def _numbers_through(op: Operation, args: Sequence[Any]) -> Held:
    """Carry out an operation on the numbers of the expressions instead of on the values."""
    memory, names = op.memory, [a.name for a in op.func._schema.arguments]

    def numbers(tensor: Tensor) -> Tensor:
        numbers_already = tensor is args[0] and args[0] is not op.args[0]
        return tensor if numbers_already else memory.as_numbers(memory.read(tensor), tensor.shape)

    def converted(name: str, value: Any) -> Any:
        if name in _PLACES:
            return value
        if name in ("value", "fill_value") and isinstance(value, int | float):
            return memory.number(constant(float(value)))
        return tree_map_only(Tensor, numbers, value)

    new = [converted(name, value) for name, value in zip(names, args, strict=False)]
    options = {n: converted(n, v) for n, v in op.kwargs.items() if n not in _OPTIONS}
    options.pop("out", None)
    moved = op.func(*new, **options)
    return moved if isinstance(moved, Tensor) else opaque("moved", *op.held())


def _repeating(op: Operation) -> bool:
    """Say whether some element of an operand comes more than once in the result."""
    values = [t for t in _values(op) if _has_draws(op.memory, op.memory.read(t))]
    if any(map(repeats, values)):
        return True
    name = op.func._schema.name.partition("::")[2]
    if name in ("cat", "stack"):
        return any(
            a.shape == b.shape and _share(op.memory, a, b) and (a is b or bool(a.equal(b)))
            for i, a in enumerate(values)
            for b in values[:i]
        )
    if name not in ("index", "index_select", "gather", "take", "repeat", "repeat_interleave"):
        return name in ("expand_copy", "unfold_copy", "embedding", "_unsafe_index", "block_diag")
    places = torch.arange(op.args[0].numel(), device="cpu").view(op.args[0].shape)
    taken: Tensor = op.func(places, *op.args[1:], **op.kwargs)
    return len(set(taken.reshape(-1).tolist())) < taken.numel()


def _share(memory: Memory, a: Tensor, b: Tensor) -> bool:
    one, other = (
        frozenset().union(*(e.draws for e in memory.present(memory.read(t)))) for t in (a, b)
    )
    return bool(one & other) and not a.is_meta


# --------------------------------------------------------------------------------------- others


def _mixed(op: Operation) -> Held | list[Held]:
    """Return what is known after an operation that nobody described."""
    name = op.func._schema.name.partition("::")[2]
    mixed = opaque(name.removesuffix("_").lstrip("_"), *op.held())
    return mixed if isinstance(op.result, Tensor) else [mixed] * len(tree_leaves(op.result))


def _weight_norm(op: Operation) -> list[Held]:
    """Return what v g / |v| holds: v itself, as long as g is still the norm of v."""
    v, g = (op.memory.read(t) for t in op.args[:2])
    same = isinstance(v, Expression) and isinstance(g, Expression) and g.op == "norm_except_dim"
    if same and g.draws == v.draws:  # type: ignore[union-attr]
        return [_copy_of(v), g]  # type: ignore[arg-type]
    return [opaque("weight_norm", *op.held())] * 2


_HANDLERS: dict[str, Handler] = {
    "normal_": _normal_,
    "normal": _normal,
    "normal_functional": _normal_,
    "uniform_": _uniform_,
    "randn": lambda op: _drawn(op, Normal(0.0, 1.0), "randn"),
    "randn_like": lambda op: _drawn(op, Normal(0.0, 1.0), "randn"),
    "rand": lambda op: _drawn(op, Uniform(0.0, 1.0), "rand"),
    "rand_like": lambda op: _drawn(op, Uniform(0.0, 1.0), "rand"),
    **dict.fromkeys(
        ("bernoulli", "bernoulli_", "exponential_", "log_normal_", "cauchy_", "geometric_"), _random
    ),
    **dict.fromkeys(
        ("random_", "randint", "randint_like", "randperm", "multinomial", "poisson"), _random
    ),
    "fill_": _fill(1, "value"),
    "fill": _fill(1, "value"),
    "full": _fill(1, "fill_value"),
    "full_like": _fill(1, "fill_value"),
    "new_full": _fill(2, "fill_value"),
    "scalar_tensor": _fill(0, "s"),
    **dict.fromkeys(("zero_", "zeros", "zeros_like", "new_zeros"), lambda _: constant(0.0)),
    **dict.fromkeys(("ones", "ones_like", "new_ones"), lambda _: constant(1.0)),
    **dict.fromkeys(("copy_", "clone", "_to_copy", "lift_fresh", "lift_fresh_copy"), _copied),
    "linalg_qr": _qr,
    "sign": _sign,
    "set_": lambda _: None,  # it shows another memory from then on, and writes none
    "_weight_norm_interface": _weight_norm,
}
