"""The named ways to initialise, as frozen values that resolve to a distribution for one tensor.

Each class holds its formula and its source. A scheme knows no model: all that it may ask about the
tensor is in the :class:`Site` it gets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import lru_cache
from typing import Any, ClassVar, Protocol

from . import distributions as law
from .distributions import Grid
from .errors import FormulaError, OptionError, SchemeMismatch, did_you_mean
from .fans import MODES, Fans, Law, Layout, module_fans, tensor_fans
from .formula import Formula, Number, read_number
from .gains import gain as gain_of
from .gains import is_leaky
from .stream import trunc_bounds
from .values import Value

_TRUNCATED_STD = 0.87962566103423978  # std of a standard normal cut at two sigma


class Known(Protocol):
    """What is known of a parameter of a known module."""

    @property
    def layout(self) -> Layout | None:
        """Which axes are inputs and outputs."""

    @property
    def law(self) -> Law | None:
        """What the module's own constructor draws."""

    @property
    def sibling(self) -> Fans | None:
        """The fans of the weight that a bias belongs to."""


class Site:
    """What a scheme may know of the tensor it starts.

    ``shape``; ``layout`` (which axes are inputs and outputs, or None); ``law`` (what torch's own
    constructor draws, or None); ``sibling`` (for a bias, the fans of its weight); ``context``,
    which gives the names of formulas that only the model knows; ``shape_only`` where there is no
    module, so that fans are torch's shape-only arithmetic. ``touched`` tells whether the scheme
    looked at anything here, ``asked`` whether it asked for fans or axes, ``by_shape`` whether it
    wanted those of the shape alone. ``name`` is for messages: laws are shared among tensors that
    differ in nothing else.
    """

    def __init__(
        self,
        shape: Sequence[int],
        *,
        name: str = "",
        owner: str = "",
        facts: Known | None = None,
        layout: Layout | None = None,
        context: Callable[[str], float] | None = None,
        shape_only: bool = False,
    ) -> None:
        self._shape, self.name, self._owner = tuple(shape), name, owner
        self.facts, self._layout, self._context = facts, layout, context
        self.shape_only, self.touched = shape_only, False
        self.asked = self.by_shape = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole tensor."""
        self.touched = True
        return self._shape

    @property
    def owner(self) -> str:
        """The class name of the tensor's module."""
        self.touched = True
        return self._owner

    @property
    def layout(self) -> Layout | None:
        """Which axes are inputs and outputs: as the rule says, else as the module has them."""
        self.touched = True
        return self._layout or (self.facts.layout if self.facts is not None else None)

    @property
    def fans_from(self) -> str:
        """Where fans come from: the rule's layout, the module, or the shape alone."""
        if self.by_shape:
            return "shape"
        if self._layout is not None:
            return "layout"
        return "module" if self.facts is not None and self.facts.layout is not None else "shape"

    @property
    def law(self) -> Law | None:
        """What the module's own constructor draws."""
        self.touched = True
        return self.facts.law if self.facts is not None else None

    @property
    def sibling(self) -> Fans | None:
        """The fans of the weight that a bias belongs to."""
        self.touched = True
        return self.facts.sibling if self.facts is not None else None

    @property
    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def fans(self, mode: str = "module") -> Fans:
        """Return the fans: of the module, or by torch's shape-only arithmetic (``"tensor"``)."""
        self._ask(mode)
        self._need_matrix("fans", mode)
        if mode == "tensor" or self.layout is None:
            return tensor_fans(self.shape)
        return module_fans(self.shape, self.layout)

    def grid(self, mode: str = "module") -> Grid:
        """Return the tensor as equal matrices: how many, rows and columns of each."""
        self._ask(mode)
        self._need_matrix("matrices", mode)
        if mode == "tensor" or self.layout is None:
            return 1, self.shape[0], math.prod(self.shape[1:])
        return self.layout.grid(self.shape)

    def _ask(self, mode: str) -> None:
        self.asked, self.by_shape = True, self.by_shape or mode == "tensor"

    def need(self, low: int, high: int | None = None) -> None:
        """Raise unless the tensor has between ``low`` and ``high`` dimensions."""
        n = len(self.shape)
        if n < low or (high is not None and n > high):
            wanted = f"{low}" if high == low else f"{low} to {high}" if high else f"at least {low}"
            raise SchemeMismatch(
                f"it needs {wanted} dimensions, and the shape is {list(self.shape)}",
                names=[self.name],
            )

    def _need_matrix(self, what: str, mode: str) -> None:
        if len(self.shape) < 2:
            raise SchemeMismatch(
                f"it needs {what}, which a tensor of shape {list(self.shape)} does not have; "
                "start it with a number or with normal(std=...)",
                names=[self.name],
            )
        known = self.layout is not None or self.shape_only or mode == "tensor"
        if not known and len(self.shape) > 2:
            whose = f"{self.owner}'s" if self.owner else "this"
            raise SchemeMismatch(
                f"it needs {what}, and initkit does not know the axes of {whose} tensor of shape "
                f"{list(self.shape)}; say them with layout='E in out' in the rule or with "
                "register_layout, or take torch's shape-only arithmetic with fans='tensor'",
                names=[self.name],
            )

    def lookup(self, name: str) -> float:
        """Return the value of a formula's name for this tensor."""
        if name in ("fan_in", "fan_out", "fan_avg"):
            if len(self.shape) < 2 and self.sibling is not None:
                return float(self.sibling.of(name))
            return float(self.fans().of(name))
        if name == "numel":
            return float(self.numel)
        if name.startswith("shape["):
            return self._axis(int(name[6:-1]))
        if self._context is None:
            raise FormulaError(f"{name} has no value without a model", formula=name)
        return self._context(name)

    def _axis(self, axis: int) -> float:
        try:
            return float(self.shape[axis])
        except IndexError:
            message = f"shape[{axis}] has no value: the shape is {list(self.shape)}"
            raise FormulaError(message, formula=f"shape[{axis}]") from None

    def part(self, count: int) -> Site:
        """Return the site of one of ``count`` equal blocks of dimension 0."""
        self.need(1)
        if self.shape[0] % count:
            raise SchemeMismatch(
                f"dimension 0 has {self.shape[0]} entries, which are no {count} equal blocks",
                names=[self.name],
            )
        layout = self.layout
        return Site(
            (self.shape[0] // count, *self.shape[1:]),
            name=self.name,
            owner=self.owner,
            facts=self.facts,
            layout=layout.part(count) if layout is not None else None,
            context=self._context,
            shape_only=self.shape_only,
        )


@dataclass(frozen=True, repr=False, eq=False)
class Scheme(Value):
    """Base of all schemes: a frozen value with its name, formula and source.

    A subclass is a frozen dataclass whose fields are the options; fields annotated ``Number`` (of
    ``initkit.formula``) take formulas, which ``number`` reads. ``resolve`` returns the distribution
    for one tensor.
    """

    name: ClassVar[str] = ""
    formula: ClassVar[str] = ""
    source: ClassVar[str] = ""
    moments: ClassVar[str] = ""
    limits: ClassVar[dict[str, tuple[float, float]]] = {}
    choices: ClassVar[dict[str, tuple[str, ...]]] = {}
    synonyms: ClassVar[dict[str, str]] = {}
    positional: ClassVar[tuple[str, ...]] = ()
    endless: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for option in fields(self):
            value = _coerce(self, option, getattr(self, option.name))
            object.__setattr__(self, option.name, value)

    def resolve(self, site: Site) -> law.Distribution:
        """Return the distribution of the tensor that ``site`` describes."""
        raise NotImplementedError

    def number(self, site: Site, option: str) -> float:
        """Return the value of a numeric option for this tensor, checked against its limits."""
        value = getattr(self, option)
        if isinstance(value, Formula):
            value = value.value(site.lookup)
            _check_number(self, option, value)
        return float(value)

    def scaled(self, factor: Number | str) -> Scheme:
        """Return this scheme with every value multiplied by ``factor``."""
        return Scaled(self, read_number(factor, "factor"))

    @property
    def formulas(self) -> tuple[Formula, ...]:
        """The options that are formulas."""
        values = (getattr(self, f.name) for f in fields(self))
        return tuple(v for v in values if isinstance(v, Formula))

    def __str__(self) -> str:
        shown: list[str] = []
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in self.positional and not shown and f.default is MISSING:
                shown.append(_text(value))
            elif value != f.default:
                shown.append(f"{f.name}={_text(value)}")
        return f"{self.name}({', '.join(shown)})" if shown else self.name


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value) if isinstance(value, Formula | Scheme) else repr(value)


def _coerce(scheme: Scheme, option: Field[Any], value: object) -> object:
    """Return the value of an option in its declared type, or raise in the user's words."""
    kind, name = _declared(option), option.name
    if value is None and "None" in kind:
        return None
    if kind.startswith("Number"):
        return _formula(scheme, name, value)
    if kind == "float":
        return _plain_number(scheme, name, value)
    if kind == "int":
        return _whole(scheme, name, value)
    if kind == "bool" and not isinstance(value, bool):
        raise _bad(scheme, name, f"must be True or False, not {value!r}")
    if name in scheme.choices and value not in scheme.choices[name]:
        known = scheme.choices[name]
        near = did_you_mean(str(value), known)
        raise _bad(scheme, name, f"must be one of {', '.join(known)}, not {value!r}{near}")
    return value


def _declared(option: Field[Any]) -> str:
    """Return an annotation as text, whether or not its module defers annotations."""
    kind = option.type.__name__ if isinstance(option.type, type) else str(option.type)
    return kind.replace("initkit.formula.", "").replace("float | Formula", "Number")


def _no_names(name: str) -> float:
    raise AssertionError(f"a formula without names asked for {name}")


def _formula(scheme: Scheme, option: str, value: object) -> Number:
    if isinstance(value, bool):
        raise _bad(scheme, option, f"must be a number or a formula, not {value!r}")
    try:
        number = read_number(value, option)
    except FormulaError as error:
        raise _bad(scheme, option, f"cannot be read: {error}") from None
    if isinstance(number, float):
        _check_number(scheme, option, number)
    elif not number.names:
        _check_number(scheme, option, number.value(_no_names))
    return number


def _plain_number(scheme: Scheme, option: str, value: object) -> float:
    """Return the number of an option that a user's class reads as it is."""
    number = _formula(scheme, option, value)
    if isinstance(number, float):
        return number
    if number.names:
        what = f"is a number here, not the formula {str(number)!r}: annotate it as Number"
        raise _bad(scheme, option, f"{what}, and read it with self.number(site, {option!r})")
    return number.value(_no_names)


def _whole(scheme: Scheme, option: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise _bad(scheme, option, f"must be a whole number, not {value!r}")
    _check_number(scheme, option, float(value))
    return int(value)


def _check_number(scheme: Scheme, option: str, value: float) -> None:
    if math.isnan(value):
        raise _bad(scheme, option, "must be a number, not NaN")
    low, high = scheme.limits.get(option, (-math.inf, math.inf))
    if not low <= value <= high:
        limit = f"at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
        raise _bad(scheme, option, f"must be {limit}, not {value:g}")
    if math.isinf(value) and option not in scheme.endless:
        raise _bad(scheme, option, "must be finite")


def _bad(scheme: Scheme, option: str, what: str) -> OptionError:
    return OptionError(f"{scheme.name}: {option} {what}", owner=scheme.name, option=option)


_AT_LEAST_0 = (0.0, math.inf)
_FANS = ("module", "tensor")

# ---------------------------------------------------------------------------- numbers as given


@dataclass(frozen=True, repr=False, eq=False)
class Keep(Scheme):
    """Leave the tensor as it is."""

    name: ClassVar[str] = "keep"
    formula: ClassVar[str] = "x"
    source: ClassVar[str] = "initkit"

    def resolve(self, site: Site) -> law.Distribution:
        raise SchemeMismatch(
            "keep stands for a whole tensor; it cannot be scaled or be one of blocks",
            names=[site.name],
        )


@dataclass(frozen=True, repr=False, eq=False)
class Constant(Scheme):
    """Set every element to ``value``."""

    value: Number

    name: ClassVar[str] = "constant"
    formula: ClassVar[str] = "value"
    source: ClassVar[str] = "torch.nn.init.constant_"
    moments: ClassVar[str] = "the mean is the value, std 0"
    positional: ClassVar[tuple[str, ...]] = ("value",)
    endless: ClassVar[tuple[str, ...]] = ("value",)
    synonyms: ClassVar[dict[str, str]] = {"val": "value"}

    def resolve(self, site: Site) -> law.Distribution:
        return law.Constant(self.number(site, "value"))

    def __str__(self) -> str:
        return _text(self.value) if isinstance(self.value, float) else f"constant({self.value})"


@dataclass(frozen=True, repr=False, eq=False)
class Zeros(Scheme):
    """Set every element to 0."""

    name: ClassVar[str] = "zeros"
    formula: ClassVar[str] = "0"
    source: ClassVar[str] = "torch.nn.init.zeros_"
    moments: ClassVar[str] = "mean 0, std 0"

    def resolve(self, site: Site) -> law.Distribution:
        return law.Constant(0.0)


@dataclass(frozen=True, repr=False, eq=False)
class Ones(Scheme):
    """Set every element to 1."""

    name: ClassVar[str] = "ones"
    formula: ClassVar[str] = "1"
    source: ClassVar[str] = "torch.nn.init.ones_"
    moments: ClassVar[str] = "mean 1, std 0"

    def resolve(self, site: Site) -> law.Distribution:
        return law.Constant(1.0)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Normal(Scheme):
    """Draw from the normal law with ``mean`` and ``std``."""

    mean: Number = 0.0
    std: Number = 1.0

    name: ClassVar[str] = "normal"
    formula: ClassVar[str] = "N(mean, std)"
    source: ClassVar[str] = "torch.nn.init.normal_"
    moments: ClassVar[str] = "mean and std as given"
    limits: ClassVar[dict[str, tuple[float, float]]] = {"std": _AT_LEAST_0}

    def resolve(self, site: Site) -> law.Distribution:
        return _normal(self.number(site, "mean"), self.number(site, "std"))


@dataclass(frozen=True, repr=False, eq=False)
class Uniform(Scheme):
    """Draw from the uniform law between ``low`` and ``high``."""

    low: Number = 0.0
    high: Number = 1.0

    name: ClassVar[str] = "uniform"
    formula: ClassVar[str] = "U(low, high)"
    source: ClassVar[str] = "torch.nn.init.uniform_"
    moments: ClassVar[str] = "mean (low + high)/2, std (high - low)/sqrt(12)"
    positional: ClassVar[tuple[str, ...]] = ("low", "high")
    synonyms: ClassVar[dict[str, str]] = {"a": "low", "b": "high"}

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_order(self, self.low, self.high)

    def resolve(self, site: Site) -> law.Distribution:
        low, high = self.number(site, "low"), self.number(site, "high")
        _check_order(self, low, high)
        return law.Uniform(low, high) if low < high else law.Constant(low)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class TruncNormal(Scheme):
    """Draw from the normal law with ``mean`` and ``std``, given that it falls within bounds.

    ``cutoff`` gives the bounds in standard deviations, ``low`` and ``high`` absolutely. ``std`` is
    that of the law before it is cut, unless ``preserve_std``.
    """

    mean: Number = 0.0
    std: Number = 1.0
    cutoff: Number | None = None
    low: Number = -2.0
    high: Number = 2.0
    preserve_std: bool = False

    name: ClassVar[str] = "trunc_normal"
    formula: ClassVar[str] = "N(mean, std) given low <= x <= high, or |x - mean| <= cutoff std"
    source: ClassVar[str] = "torch.nn.init.trunc_normal_"
    moments: ClassVar[str] = "its std is 0.8796 std at cutoff=2, and std where nothing is cut"
    limits: ClassVar[dict[str, tuple[float, float]]] = {"std": _AT_LEAST_0, "cutoff": _AT_LEAST_0}
    endless: ClassVar[tuple[str, ...]] = ("cutoff", "low", "high")
    synonyms: ClassVar[dict[str, str]] = {"a": "low", "b": "high"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cutoff is not None and (self.low, self.high) != (-2.0, 2.0):
            raise _bad(self, "cutoff", "goes without low and high: bounds are given in one way")
        _check_order(self, self.low, self.high)

    def resolve(self, site: Site) -> law.Distribution:
        mean, std = self.number(site, "mean"), self.number(site, "std")
        if std == 0:
            return law.Constant(mean)
        if self.cutoff is not None:
            cutoff = self.number(site, "cutoff")
            if cutoff == 0:
                return law.Constant(mean)
            scale = std / _cut_std(cutoff) if self.preserve_std else std
            return _truncated(mean, scale, mean - cutoff * scale, mean + cutoff * scale)
        low, high = self.number(site, "low"), self.number(site, "high")
        _check_order(self, low, high)
        if low == high:
            return law.Constant(low)
        scale = self._wider(mean, std, low, high) if self.preserve_std else std
        return _truncated(mean, scale, low, high)

    def _wider(self, mean: float, std: float, low: float, high: float) -> float:
        """Return the scale whose law, cut at the bounds, has ``std``."""
        widest = (high - low) / math.sqrt(12)
        if std >= widest:
            what = f"of {std:g} cannot be preserved between {low:g} and {high:g}"
            raise _bad(self, "std", f"{what}, where no normal law has {widest:g} or more")
        return _solve(
            lambda s: law.TruncatedNormal(mean, s, low, high).moments[1], std, std, std * 2
        )


@dataclass(frozen=True, repr=False, eq=False)
class ZeroMaskUniform(Scheme):
    """Draw from the uniform law between ``low`` and ``high``, then zero what is small.

    Entries with ``|x| < threshold`` become 0. The defaults are the tutorials' example.
    """

    low: Number = -10.0
    high: Number = 10.0
    threshold: Number = field(default=5.0, kw_only=True)

    name: ClassVar[str] = "zero_mask_uniform"
    formula: ClassVar[str] = "x ~ U(low, high); 0 where |x| < threshold"
    source: ClassVar[str] = "Dive into Deep Learning, chapter 6.3 (custom initialisation)"
    moments: ClassVar[str] = "half the entries 0 and std 5.401 with the default options"
    limits: ClassVar[dict[str, tuple[float, float]]] = {"threshold": _AT_LEAST_0}
    positional: ClassVar[tuple[str, ...]] = ("low", "high")
    synonyms: ClassVar[dict[str, str]] = {"a": "low", "b": "high"}

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_order(self, self.low, self.high)

    def resolve(self, site: Site) -> law.Distribution:
        low, high = self.number(site, "low"), self.number(site, "high")
        threshold = self.number(site, "threshold")
        _check_order(self, low, high)
        if low == high:
            return law.Constant(low if abs(low) >= threshold else 0.0)
        return law.MaskedUniform(low, high, threshold)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class PriorBias(Scheme):
    """Start a classifier's bias so that it predicts the rare class with probability ``p``."""

    p: Number = 0.01

    name: ClassVar[str] = "prior_bias"
    formula: ClassVar[str] = "-log((1 - p)/p)"
    source: ClassVar[str] = "Lin et al. 2017, Focal Loss for Dense Object Detection, section 4.1"
    moments: ClassVar[str] = "mean -log((1 - p)/p), std 0"

    def resolve(self, site: Site) -> law.Distribution:
        p = self.number(site, "p")
        if not 0 < p < 1:
            raise _bad(self, "p", f"must lie strictly between 0 and 1, not {p:g}")
        return law.Constant(-math.log((1 - p) / p))

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.p, float) and not 0 < self.p < 1:
            raise _bad(self, "p", f"must lie strictly between 0 and 1, not {self.p:g}")


# ------------------------------------------------------------------------------- from the fans


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class VarianceScaling(Scheme):
    """Draw with variance ``scale / fan``, the fan chosen by ``mode``."""

    scale: Number = 1.0
    mode: str = "fan_in"
    distribution: str = "truncated_normal"
    fans: str = "module"

    name: ClassVar[str] = "variance_scaling"
    formula: ClassVar[str] = "std = sqrt(scale/fan)"
    source: ClassVar[str] = "jax.nn.initializers.variance_scaling; He et al. 2015"
    moments: ClassVar[str] = "mean 0, std sqrt(scale/fan), corrected where it is truncated"
    limits: ClassVar[dict[str, tuple[float, float]]] = {"scale": _AT_LEAST_0}
    choices: ClassVar[dict[str, tuple[str, ...]]] = {
        "mode": MODES,
        "distribution": ("normal", "uniform", "truncated_normal"),
        "fans": _FANS,
    }

    def resolve(self, site: Site) -> law.Distribution:
        fan = site.fans(self.fans).of(self.mode)
        return _spread(self.distribution, _std(self.number(site, "scale"), fan))


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class XavierUniform(Scheme):
    """Keep the variance of activations and gradients: uniform form."""

    gain: Number = 1.0
    fans: str = "module"

    name: ClassVar[str] = "xavier_uniform"
    formula: ClassVar[str] = "U(-b, b), b = gain sqrt(6/(fan_in + fan_out))"
    source: ClassVar[str] = "Glorot & Bengio 2010"
    moments: ClassVar[str] = "mean 0, std gain sqrt(2/(fan_in + fan_out))"
    limits: ClassVar[dict[str, tuple[float, float]]] = {"gain": _AT_LEAST_0}
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"fans": _FANS}
    spread: ClassVar[str] = "uniform"

    def resolve(self, site: Site) -> law.Distribution:
        std = _std(1.0, site.fans(self.fans).of("fan_avg"))
        return _spread(self.spread, self.number(site, "gain") * std)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class XavierNormal(XavierUniform):
    """Keep the variance of activations and gradients: normal form, not truncated."""

    name: ClassVar[str] = "xavier_normal"
    formula: ClassVar[str] = "N(0, gain sqrt(2/(fan_in + fan_out)))"
    spread: ClassVar[str] = "normal"


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class KaimingUniform(Scheme):
    """Keep the variance through a rectifier: uniform form."""

    a: Number = 0.0
    mode: str = "fan_in"
    nonlinearity: str = "leaky_relu"
    fans: str = "module"

    name: ClassVar[str] = "kaiming_uniform"
    formula: ClassVar[str] = "U(-b, b), b = gain sqrt(3/fan)"
    source: ClassVar[str] = "He et al. 2015"
    moments: ClassVar[str] = "mean 0, std gain/sqrt(fan)"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"mode": MODES, "fans": _FANS}
    spread: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._gain(0.0)

    def _gain(self, a: float) -> float:
        return gain_of(self.nonlinearity, a if is_leaky(self.nonlinearity) else None)

    def resolve(self, site: Site) -> law.Distribution:
        fan = site.fans(self.fans).of(self.mode)
        return _spread(self.spread, self._gain(self.number(site, "a")) * _std(1.0, fan))


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class KaimingNormal(KaimingUniform):
    """Keep the variance through a rectifier: normal form, not truncated."""

    name: ClassVar[str] = "kaiming_normal"
    formula: ClassVar[str] = "N(0, gain/sqrt(fan))"
    spread: ClassVar[str] = "normal"


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class LecunUniform(Scheme):
    """Keep the variance of a linear layer: uniform form."""

    fans: str = "module"

    name: ClassVar[str] = "lecun_uniform"
    formula: ClassVar[str] = "U(-b, b), b = sqrt(3/fan_in)"
    source: ClassVar[str] = "LeCun et al. 1998, Efficient BackProp"
    moments: ClassVar[str] = "mean 0, std 1/sqrt(fan_in)"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"fans": _FANS}
    spread: ClassVar[str] = "uniform"

    def resolve(self, site: Site) -> law.Distribution:
        return _spread(self.spread, _std(1.0, site.fans(self.fans).fan_in))


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class LecunNormal(LecunUniform):
    """Keep the variance of a linear layer: normal form, not truncated."""

    name: ClassVar[str] = "lecun_normal"
    formula: ClassVar[str] = "N(0, 1/sqrt(fan_in))"
    spread: ClassVar[str] = "normal"


# ------------------------------------------------------------------------------------ matrices


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Orthogonal(Scheme):
    """Draw a (semi-)orthogonal matrix from the Haar measure, per gate and per packed projection.

    Convolutions are taken as matrices of ``out`` rows.
    """

    gain: Number = 1.0
    fans: str = "module"

    name: ClassVar[str] = "orthogonal"
    formula: ClassVar[str] = "gain Q, Q Haar"
    source: ClassVar[str] = "Saxe et al. 2013; Stewart 1980"
    moments: ClassVar[str] = "mean 0, std gain/sqrt(max(rows, columns))"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"fans": _FANS}

    def resolve(self, site: Site) -> law.Distribution:
        gain = self.number(site, "gain")
        grid = site.grid(self.fans)
        return law.Orthogonal(site.shape, gain, grid) if gain else law.Constant(0.0)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class DeltaOrthogonal(Scheme):
    """Start a convolution as an orthogonal matrix in the middle of its window, zero elsewhere."""

    gain: Number = 1.0

    name: ClassVar[str] = "delta_orthogonal"
    formula: ClassVar[str] = "gain Q in the middle of the window, Q Haar with orthonormal columns"
    source: ClassVar[str] = "Xiao et al. 2018, How to Train 10,000-Layer Vanilla CNNs"
    moments: ClassVar[str] = "mean 0, std gain/sqrt(out window)"

    def resolve(self, site: Site) -> law.Distribution:
        site.asked = True
        site.need(3, 5)
        out, inner = site.shape[:2]
        if inner > out:
            raise SchemeMismatch(
                f"delta_orthogonal needs at least as many outputs as inputs, not {out} and {inner}",
                names=[site.name],
            )
        gain = self.number(site, "gain")
        return law.DeltaOrthogonal(site.shape, gain) if gain else law.Constant(0.0)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Eye(Scheme):
    """Start with the identity, per block."""

    fans: str = "module"

    name: ClassVar[str] = "eye"
    formula: ClassVar[str] = "1 where row = column, else 0"
    source: ClassVar[str] = "torch.nn.init.eye_"
    moments: ClassVar[str] = "one 1 per row or column"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"fans": _FANS}

    def resolve(self, site: Site) -> law.Distribution:
        _need_plain_matrices(site)
        return law.Eye(site.shape, site.grid(self.fans))


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Dirac(Scheme):
    """Start a convolution as the identity, per group."""

    groups: int = 1

    name: ClassVar[str] = "dirac"
    formula: ClassVar[str] = "1 in the middle of the window where input = output, else 0"
    source: ClassVar[str] = "torch.nn.init.dirac_"
    moments: ClassVar[str] = "one 1 per output channel, as far as there are inputs"
    limits: ClassVar[dict[str, tuple[float, float]]] = {"groups": (1, math.inf)}

    def resolve(self, site: Site) -> law.Distribution:
        site.asked = True
        site.need(3, 5)
        if site.shape[0] % self.groups:
            what = f"{self.groups} do not divide the {site.shape[0]} entries of dimension 0"
            raise _bad(self, "groups", what)
        return law.Dirac(site.shape, self.groups)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Sparse(Scheme):
    """Draw from N(0, std) and zero the same share of every column."""

    sparsity: Number
    std: Number = 0.01
    fans: str = "module"

    name: ClassVar[str] = "sparse"
    formula: ClassVar[str] = "N(0, std), ceil(sparsity rows) zeros in every column"
    source: ClassVar[str] = "Martens 2010, Deep learning via Hessian-free optimization"
    moments: ClassVar[str] = "mean 0, std sqrt(1 - sparsity) times the option std"
    limits: ClassVar[dict[str, tuple[float, float]]] = {"sparsity": (0.0, 1.0), "std": _AT_LEAST_0}
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"fans": _FANS}

    def resolve(self, site: Site) -> law.Distribution:
        _need_plain_matrices(site)
        grid, std = site.grid(self.fans), self.number(site, "std")
        zeros = math.ceil(self.number(site, "sparsity") * grid[1])
        return law.Sparse(site.shape, std, zeros, grid) if std else law.Constant(0.0)


def _need_plain_matrices(site: Site) -> None:
    if site.layout is None or not site.layout.copies:
        site.need(2, 2)


# --------------------------------------------------------------------------------- composition


@dataclass(frozen=True, repr=False, eq=False)
class Blocks(Scheme):
    """Start each of several equal blocks of dimension 0 in its own way."""

    parts: tuple[Scheme, ...]

    name: ClassVar[str] = "blocks"
    formula: ClassVar[str] = "one scheme per equal block of dimension 0"
    source: ClassVar[str] = "Jozefowicz et al. 2015 (forget gates); fused projections"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.parts:
            raise OptionError("blocks: give a scheme or a number for each block", owner="blocks")
        if any(isinstance(part, Keep) for part in self.parts):
            message = "blocks: keep stands for a whole tensor, not for one of its blocks"
            raise OptionError(message, owner="blocks")

    @property
    def formulas(self) -> tuple[Formula, ...]:
        return tuple(f for part in self.parts for f in part.formulas)

    def resolve(self, site: Site) -> law.Distribution:
        part = site.part(len(self.parts))
        laws = tuple(scheme.resolve(part) for scheme in self.parts)
        site.asked = part.asked
        return laws[0] if _same_constant(laws) else law.Blocks(laws, site.numel)

    def __str__(self) -> str:
        return f"blocks({', '.join(map(str, self.parts))})"


@dataclass(frozen=True, repr=False, eq=False)
class Scaled(Scheme):
    """Multiply every value of another scheme by a factor."""

    scheme: Scheme
    factor: Number

    name: ClassVar[str] = "scaled"
    formula: ClassVar[str] = "factor x"
    source: ClassVar[str] = "initkit"
    positional: ClassVar[tuple[str, ...]] = ("scheme", "factor")

    @property
    def formulas(self) -> tuple[Formula, ...]:
        own = (self.factor,) if isinstance(self.factor, Formula) else ()
        return self.scheme.formulas + own

    def resolve(self, site: Site) -> law.Distribution:
        return self.scheme.resolve(site).scaled(self.number(site, "factor"))

    def __str__(self) -> str:
        return f"scaled({self.scheme}, {_text(self.factor)})"


@dataclass(frozen=True, repr=False, eq=False)
class TorchDefault(Scheme):
    """Start as torch's own constructor of the module does."""

    name: ClassVar[str] = "torch_default"
    formula: ClassVar[str] = "as the module's reset_parameters; U(-1/sqrt(fan_in), ...) for Linear"
    source: ClassVar[str] = "torch.nn"

    def resolve(self, site: Site) -> law.Distribution:
        if site.law is None:
            whose = site.owner or "an unknown module"
            raise SchemeMismatch(
                f"initkit does not know how the constructor of {whose} starts this tensor; name a "
                "scheme for it, or 'keep'",
                names=[site.name],
            )
        if site.law.kind == "uniform":
            return law.Uniform(-site.law.value, site.law.value)
        if site.law.kind == "normal":
            return _normal(0.0, site.law.value)
        return law.Constant(site.law.value)


@dataclass(frozen=True, repr=False, eq=False)
class Function(Scheme):
    """Let a user's own function write into the tensor it is given."""

    function: Callable[..., object]
    options: tuple[tuple[str, Any], ...] = ()
    label: str = ""

    source: ClassVar[str] = "the user's own function"
    name: ClassVar[str] = "function"

    def resolve(self, site: Site) -> law.Distribution:
        return law.Written(site.shape, self.function, self.options, label=self.label)

    def __str__(self) -> str:
        options = ", ".join(f"{k}={_text(v)}" for k, v in self.options)
        if self.label:
            return f"{self.label}({options})" if options else self.label
        name = getattr(self.function, "__qualname__", None) or law.function_name(self.function)
        return f"{name}({options})"


# ------------------------------------------------------------------------------------- helpers


def _normal(mean: float, std: float) -> law.Distribution:
    return law.Normal(mean, std) if std else law.Constant(mean)


def _std(scale: float, fan: float) -> float:
    return math.sqrt(scale / fan) if fan else 0.0


def _spread(distribution: str, std: float) -> law.Distribution:
    """Return the centred law of this kind and std."""
    if not std:
        return law.Constant(0.0)
    if distribution == "uniform":
        bound = math.sqrt(3.0) * std
        return law.Uniform(-bound, bound)
    if distribution == "normal":
        return law.Normal(0.0, std)
    scale = std / _TRUNCATED_STD
    return law.TruncatedNormal(0.0, scale, -2 * scale, 2 * scale)


def _truncated(mean: float, scale: float, low: float, high: float) -> law.Distribution:
    trunc_bounds(mean, scale, low, high)  # raises where too little is left to draw from
    return law.TruncatedNormal(mean, scale, low, high)


def _check_order(scheme: Scheme, low: Number, high: Number) -> None:
    if isinstance(low, float) and isinstance(high, float) and low > high:
        raise _bad(scheme, "low", f"must not be above high, but {low:g} > {high:g}")


def _same_constant(laws: Sequence[law.Distribution]) -> bool:
    return isinstance(laws[0], law.Constant) and all(one == laws[0] for one in laws)


@lru_cache(maxsize=256)
def _cut_std(cutoff: float) -> float:
    """Return the std of a standard normal cut at ``cutoff`` on both sides."""
    return law.TruncatedNormal(0.0, 1.0, -cutoff, cutoff).moments[1]


def _solve(f: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Return x with f(x) = wanted, for a growing f with f(low) <= wanted."""
    while f(high) < wanted:
        low, high = high, high * 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) < wanted else (low, middle)
    return (low + high) / 2


CORE: tuple[type[Scheme], ...] = (
    Constant,
    Zeros,
    Ones,
    Normal,
    Uniform,
    TruncNormal,
    ZeroMaskUniform,
    XavierUniform,
    XavierNormal,
    KaimingUniform,
    KaimingNormal,
    LecunUniform,
    LecunNormal,
    VarianceScaling,
    Orthogonal,
    DeltaOrthogonal,
    Eye,
    Dirac,
    Sparse,
    PriorBias,
    Blocks,
    Scaled,
    TorchDefault,
    Keep,
)
