"""Nonlinearity -> gain: the factor on the std that keeps the second moment through it.

The gain of f is 1 / sqrt(E[f(z)^2]), z ~ N(0, 1): with weights of std gain / sqrt(fan_in), a layer
behind f gives its outputs the second moment 1 again (He et al. 2015, arXiv:1502.01852). Names that
``torch.nn.init.calculate_gain`` knows have torch's numbers; three of them (sigmoid 1, tanh 5/3,
selu 3/4) are conventions and not that integral.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from inspect import signature
from itertools import pairwise
from typing import Any, NoReturn, TypeAlias

from ..errors import OptionError, UnknownNameError
from ..wording import checks_calls

Activation: TypeAlias = Callable[[float], float]
_REACH = 13.0  # beyond it the normal density times any activation squared adds nothing to a double


@checks_calls
def gain(nonlinearity: object, param: float | None = None) -> float:
    """Return the gain of a nonlinearity.

    ``nonlinearity`` is a name (case and underscores don't matter), or an activation module, its
    class, or its function. ``param`` is the nonlinearity's number, such as a leaky slope or the
    alpha of an ELU; a name without one ignores it, as in torch, and a module instance brings its
    own. Raises :class:`~initkit.errors.UnknownNameError` for a name that has no gain, and
    :class:`~initkit.errors.OptionError` for a number that has no sense there. Source: torch's
    numbers where torch knows the name, else 1 / sqrt(E[f(z)^2]) for z ~ N(0, 1), integrated.

    >>> gain("relu") == 2 ** 0.5
    True
    >>> round(gain("gelu"), 4)
    1.5335
    >>> round(gain("leaky_relu", 0.2), 4)
    1.3868
    """
    name = _name_of(nonlinearity)
    return _gain(name, _options(_GAINS[name][1], nonlinearity, param))


def gain_names() -> tuple[str, ...]:
    """Return the names that have a gain.

    >>> "silu" in gain_names()
    True
    """
    return tuple(_GAINS)


def gain_formula(name: str) -> str:
    """Return the function that a nonlinearity's name stands for, as text.

    Raises :class:`~initkit.errors.UnknownNameError` for a name that has no gain.

    >>> gain_formula("silu")
    'z s(z)'
    """
    return _GAINS[_name_of(name)][0]


# An integral takes milliseconds, and each layer of a model asks for the same one.
@lru_cache(maxsize=1024)
def _gain(name: str, options: tuple[float | str, ...]) -> float:
    try:
        value = _GAINS[name][1](*options)
    except (ZeroDivisionError, OverflowError, ValueError):
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        given = ", ".join(f"{o!r}" for o in options)
        raise OptionError(f"{name}({given}) has no finite gain", owner=name)
    return value


def _name_of(nonlinearity: object) -> str:
    """Find the table's name for a name, a class, an instance or a function."""
    if isinstance(nonlinearity, str):
        return _spelled(nonlinearity) or _raise_unknown(nonlinearity)
    cls = nonlinearity if isinstance(nonlinearity, type) else type(nonlinearity)
    spoken = getattr(nonlinearity, "__name__", None) if cls is not nonlinearity else None
    # A function by its own name, a module by its class's or a base's: SiLU under any subclass.
    for word in (spoken, *(c.__name__ for c in cls.__mro__)):
        found = _spelled(word) if word else None
        if found:
            return found
    return _raise_unknown(spoken or cls.__name__)


def is_leaky(nonlinearity: object) -> bool:
    """Tell whether this is the leaky rectifier, whose slope Kaiming's ``a`` is.

    >>> is_leaky("LeakyReLU"), is_leaky("relu")
    (True, False)
    """
    return _name_of(nonlinearity) == "leaky_relu"


def _spelled(word: str) -> str | None:
    plain = _normalised(word)
    return _spellings().get(plain) or _spellings().get(plain.removesuffix("activation"))


def _normalised(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "").replace(" ", "")


@cache  # of two tables that don't change
def _spellings() -> dict[str, str]:
    return {
        _normalised(word): name
        for word, name in (*zip(_GAINS, _GAINS, strict=True), *_SYNONYMS.items())
    }


def _raise_unknown(word: str) -> NoReturn:
    mixes = _normalised(word) in ("softmax", "softmin", "logsoftmax", "softmax2d")
    why = f"{word} mixes its inputs, so no gain describes it. " if mixes else ""
    raise UnknownNameError("nonlinearity", word, _GAINS, f"{why}A gain of your own is a number.")


def _options(
    rule: Callable[..., float], nonlinearity: object, param: float | None
) -> tuple[float | str, ...]:
    """Read the options of a rule off ``param``, or off the attributes of a module."""
    found: list[float | str] = []
    # The rules name their parameters as torch's modules name the attributes.
    for i, (name, spec) in enumerate(signature(rule).parameters.items()):
        value: Any = spec.default
        if not isinstance(nonlinearity, (str, type)) and hasattr(nonlinearity, name):
            value = getattr(nonlinearity, name)
        elif i == 0 and param is not None and not isinstance(value, str):
            value = param
        found.append(value if isinstance(spec.default, str) else _number(name, value))
    return tuple(found)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise OptionError(f"{name} must be a finite number, not {value!r}", option=name)
    return float(value)


# --- the integral ---


def second_moment(f: Activation, *kinks: float) -> float:
    """Return E[f(z)^2] for z ~ N(0, 1), to about 13 digits.

    ``kinks`` are the points where ``f`` or a derivative of it jumps.

    >>> round(second_moment(lambda z: max(z, 0.0), 0.0), 12)
    0.5
    """
    cuts = sorted({-_REACH, _REACH, *(float(k) for k in range(-12, 13)), *kinks})
    cuts = [c for c in cuts if abs(c) <= _REACH]
    # Gauss's rule is exact to rounding on a smooth piece of length 1; a kink inside a piece would
    # spoil it, so kinks are cuts. Steep functions get more pieces, until that changes nothing.
    last = math.nan
    for pieces in (1, 2, 4, 8, 16, 32, 64):
        total = math.fsum(_terms(f, cuts, pieces))
        if abs(total - last) <= 1e-14 * total:
            break
        last = total
    return total


def _terms(f: Activation, cuts: list[float], pieces: int) -> Iterator[float]:
    for low, high in pairwise(cuts):
        half = (high - low) / (2 * pieces)
        for i in range(pieces):
            middle = low + (2 * i + 1) * half
            for node, weight in _legendre(16):
                z = middle + half * node
                density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
                yield half * weight * density * f(z) ** 2


@cache
def _legendre(n: int) -> tuple[tuple[float, float], ...]:
    """Return the nodes and weights of Gauss-Legendre quadrature, by Newton's method."""
    pairs = []
    for i in range(n):
        x = math.cos(math.pi * (i + 0.75) / (n + 0.5))  # within 1e-3 of the root
        for _ in range(8):  # more than enough: each step doubles the digits
            p, slope = _legendre_at(n, x)
            x -= p / slope
        pairs.append((x, 2 / ((1 - x * x) * _legendre_at(n, x)[1] ** 2)))
    return tuple(pairs)


def _legendre_at(n: int, x: float) -> tuple[float, float]:
    """Return the Legendre polynomial P_n(x) by Bonnet's recursion, and its slope."""
    before, p = 1.0, x
    for k in range(2, n + 1):
        before, p = p, ((2 * k - 1) * x * p - (k - 1) * before) / k
    return p, n * (x * p - before) / (x * x - 1)


def _integrated(f: Activation, *kinks: float) -> float:
    return 1 / math.sqrt(second_moment(f, *kinks))


# --- the functions; a parameter is called what torch's module calls the attribute ---


# Both of these in the form whose exponential can't overflow.
def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z > 0 else math.exp(z) / (1 + math.exp(z))


def _log1p_exp(z: float) -> float:
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


def _leaky(negative_slope: float = 0.01) -> float:
    return math.sqrt(2 / (1 + negative_slope**2))


def _rrelu(lower: float = 1 / 8, upper: float = 1 / 3) -> float:
    """Take the slope as in training: uniform between the two."""
    return math.sqrt(2 / (1 + (lower * lower + lower * upper + upper * upper) / 3))


def _prelu(init: float = 0.25) -> float:
    return _leaky(init)


def _gelu(approximate: str = "none") -> float:
    if approximate not in ("none", "tanh"):
        raise ValueError(approximate)
    if approximate == "none":
        return _integrated(lambda z: z * math.erfc(-z / math.sqrt(2)) / 2)
    inner = math.sqrt(2 / math.pi)
    return _integrated(lambda z: z * _sigmoid(2 * inner * (z + 0.044715 * z**3)))


def _elu(alpha: float = 1.0) -> float:
    return _integrated(lambda z: z if z > 0 else alpha * math.expm1(z), 0.0)


def _celu(alpha: float = 1.0) -> float:
    return _integrated(lambda z: z if z > 0 else alpha * math.expm1(z / alpha), 0.0)


def _softplus(beta: float = 1.0, threshold: float = 20.0) -> float:
    return _integrated(
        lambda z: z if z * beta > threshold else _log1p_exp(z * beta) / beta, threshold / beta
    )


def _hardtanh(min_val: float = -1.0, max_val: float = 1.0) -> float:
    return _integrated(lambda z: min(max(z, min_val), max_val), min_val, max_val)


def _threshold(threshold: float = 0.0, value: float = 0.0) -> float:
    return _integrated(lambda z: z if z > threshold else value, threshold)


def _hardshrink(lambd: float = 0.5) -> float:
    return _integrated(lambda z: z if abs(z) > lambd else 0.0, -lambd, lambd)


def _softshrink(lambd: float = 0.5) -> float:
    return _integrated(lambda z: math.copysign(max(abs(z) - lambd, 0.0), z), -lambd, lambd)


def _hardsigmoid_at(z: float) -> float:
    return min(max(z / 6 + 0.5, 0.0), 1.0)


def _sin(frequency: float = 1.0) -> float:
    """Return the gain of sin(wz), from E[sin(wz)^2] = (1 - exp(-2 w^2)) / 2."""
    return math.sqrt(-2 / math.expm1(-2 * frequency**2))


def _cos(frequency: float = 1.0) -> float:
    return math.sqrt(2 / (1 + math.exp(-2 * frequency**2)))


def _unit() -> float:
    return 1.0


# f(z), and the rule that gives its gain. Phi is the normal distribution function, s the sigmoid.
_GAINS: dict[str, tuple[str, Callable[..., float]]] = {
    # torch's names and numbers
    "linear": ("z", _unit),
    "identity": ("z", _unit),
    "conv1d": ("z", _unit),
    "conv2d": ("z", _unit),
    "conv3d": ("z", _unit),
    "conv_transpose1d": ("z", _unit),
    "conv_transpose2d": ("z", _unit),
    "conv_transpose3d": ("z", _unit),
    "sigmoid": ("s(z); torch's convention", _unit),
    "tanh": ("tanh(z); torch's convention", lambda: 5 / 3),
    "relu": ("max(z, 0)", lambda: math.sqrt(2)),
    "leaky_relu": ("z, or negative_slope z below 0", _leaky),
    "selu": ("scaled elu; torch's convention", lambda: 3 / 4),
    # closed forms
    "attention_value": ("z: nothing follows but a sum", _unit),
    "abs": ("|z|", _unit),
    "prelu": ("z, or init z below 0", _prelu),
    "rrelu": ("z, or a z below 0 with a ~ U(lower, upper)", _rrelu),
    "relu_squared": ("max(z, 0)^2", lambda: math.sqrt(2 / 3)),
    "reglu": ("x max(z, 0), x ~ N(0, 1)", lambda: math.sqrt(2)),
    "sin": ("sin(frequency z)", _sin),
    "cos": ("cos(frequency z)", _cos),
    # integrals
    "gelu": ("z Phi(z)", _gelu),
    "gelu_tanh": ("z s(2 sqrt(2/pi) (z + 0.044715 z^3))", lambda: _gelu("tanh")),
    "quick_gelu": ("z s(1.702 z)", lambda: _integrated(lambda z: z * _sigmoid(1.702 * z))),
    "silu": ("z s(z)", lambda: _integrated(lambda z: z * _sigmoid(z))),
    "mish": ("z tanh(log(1 + e^z))", lambda: _integrated(lambda z: z * math.tanh(_log1p_exp(z)))),
    "elu": ("z, or alpha (e^z - 1) below 0", _elu),
    "elu_plus_one": (
        "z + 1, or e^z below 0",
        lambda: _integrated(lambda z: z + 1 if z > 0 else math.exp(z), 0.0),
    ),
    "celu": ("z, or alpha (e^(z/alpha) - 1) below 0", _celu),
    "softplus": ("log(1 + e^(beta z)) / beta", _softplus),
    "softsign": ("z / (1 + |z|)", lambda: _integrated(lambda z: z / (1 + abs(z)), 0.0)),
    "relu6": ("min(max(z, 0), 6)", lambda: _hardtanh(0.0, 6.0)),
    "hardtanh": ("min(max(z, min_val), max_val)", _hardtanh),
    "hardsigmoid": ("min(max(z/6 + 1/2, 0), 1)", lambda: _integrated(_hardsigmoid_at, -3.0, 3.0)),
    "hardswish": (
        "z hardsigmoid(z)",
        lambda: _integrated(lambda z: z * _hardsigmoid_at(z), -3.0, 3.0),
    ),
    "logsigmoid": ("log s(z)", lambda: _integrated(lambda z: _log1p_exp(-z))),
    "tanhshrink": ("z - tanh(z)", lambda: _integrated(lambda z: z - math.tanh(z))),
    "hardshrink": ("z, or 0 where |z| <= lambd", _hardshrink),
    "softshrink": ("z shrunk by lambd towards 0", _softshrink),
    "threshold": ("z, or value up to threshold", _threshold),
    # gated: the linear half is independent of the gate and has second moment 1
    "glu": ("x s(z), x ~ N(0, 1)", lambda: _integrated(_sigmoid)),
    "swiglu": ("x silu(z), x ~ N(0, 1)", lambda: gain("silu")),
    "geglu": ("x gelu(z), x ~ N(0, 1)", lambda: gain("gelu")),
}
# Other spellings, of papers and of transformers' ACT2FN; case and underscores don't count.
_SYNONYMS = {
    "swish": "silu",
    "sine": "sin",
    "cosine": "cos",
    "hard_tanh": "hardtanh",
    "hard_swish": "hardswish",
    "hard_sigmoid": "hardsigmoid",
    "log_sigmoid": "logsigmoid",
    "relu2": "relu_squared",
    "squared_relu": "relu_squared",
    "attention_values": "attention_value",
    "gelu_new": "gelu_tanh",
    "new_gelu": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "fast_gelu": "gelu_tanh",
    "gelu_accurate": "gelu_tanh",
    "accurate_gelu": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "pytorch_gelu_tanh": "gelu_tanh",
    "gelu_python_tanh": "gelu_tanh",
    "gelu_python": "gelu",
    "gelu_10": "gelu",  # clipped at 10, where no normal input reaches
    "clipped_gelu": "gelu",
    "gelu_quick": "quick_gelu",
}
