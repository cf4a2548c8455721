"""Schemes that need no fans: constants, plain draws, a module's own default."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import field
from typing import Any

from .. import distributions
from ..numbers import Formula, Number, frozen
from .base import Scheme, check_order, normal_or_constant, option_text
from .options import Extended, NonNegative, option_error
from .site import Site


@frozen
class Keep(Scheme, name="keep", formula="x", source="initkit", reads="options"):
    """Leave the tensor as it is."""

    whole = True

    def resolve(self, site: Site) -> distributions.Distribution:
        # Only an inner scheme comes here: plans do not resolve a rule that keeps.
        raise site.mismatch(
            "keep stands for a whole tensor; it cannot be scaled or be one of blocks"
        )


@frozen
class Constant(
    Scheme,
    name="constant",
    formula="value",
    source="torch.nn.init.constant_",
    moments="the mean is the value, std 0",
    positional=("value",),
    synonyms={"val": "value"},
    reads="options",
):
    """Set every element to ``value``."""

    value: Extended

    def resolve(self, site: Site) -> distributions.Distribution:
        return distributions.Constant(self.number(site, "value"))

    def __str__(self) -> str:
        # A number is a rule by itself; a formula alone would be read as a scheme's name.
        plain = isinstance(self.value, float)
        return option_text(self.value) if plain else f"constant({self.value})"


@frozen
class Zeros(
    Scheme,
    name="zeros",
    formula="0",
    source="torch.nn.init.zeros_",
    moments="mean 0, std 0",
    reads="options",
):
    """Set every element to 0."""

    def resolve(self, site: Site) -> distributions.Distribution:
        return distributions.Constant(0.0)


@frozen
class Ones(
    Scheme,
    name="ones",
    formula="1",
    source="torch.nn.init.ones_",
    moments="mean 1, std 0",
    reads="options",
):
    """Set every element to 1."""

    def resolve(self, site: Site) -> distributions.Distribution:
        return distributions.Constant(1.0)


@frozen(kw_only=True)
class Normal(
    Scheme,
    name="normal",
    formula="N(mean, std)",
    source="torch.nn.init.normal_",
    moments="mean and std as given",
    reads="options",
):
    """Draw from the normal distribution with ``mean`` and ``std``."""

    mean: Number = 0.0
    std: NonNegative = 1.0

    def resolve(self, site: Site) -> distributions.Distribution:
        return normal_or_constant(self.number(site, "mean"), self.number(site, "std"))


@frozen
class Uniform(
    Scheme,
    name="uniform",
    formula="U(low, high)",
    source="torch.nn.init.uniform_",
    moments="mean (low + high)/2, std (high - low)/sqrt(12)",
    positional=("low", "high"),
    synonyms={"a": "low", "b": "high"},
    reads="options",
):
    """Draw from the uniform distribution between ``low`` and ``high``."""

    low: Number = 0.0
    high: Number = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_order(self, self.low, self.high)

    def resolve(self, site: Site) -> distributions.Distribution:
        low, high = self.number(site, "low"), self.number(site, "high")
        check_order(self, low, high)
        # One value is no density: as a constant it is written and compared exactly.
        return distributions.Uniform(low, high) if low < high else distributions.Constant(low)


@frozen
class ZeroMaskUniform(
    Scheme,
    name="zero_mask_uniform",
    formula="x ~ U(low, high); 0 where |x| < threshold",
    source="Dive into Deep Learning, chapter 6.3 (custom initialisation)",
    moments="half the entries 0 and std 5.401 with the default options",
    positional=("low", "high"),
    synonyms={"a": "low", "b": "high"},
    reads="options",
):
    """Draw from the uniform distribution between ``low`` and ``high``, then zero what is small.

    Entries with ``|x| < threshold`` become 0. The defaults are the tutorials' example.
    """

    low: Number = -10.0
    high: Number = 10.0
    threshold: NonNegative = field(default=5.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_order(self, self.low, self.high)

    def resolve(self, site: Site) -> distributions.Distribution:
        low, high = self.number(site, "low"), self.number(site, "high")
        threshold = self.number(site, "threshold")
        # Again, since formulas have an order only where they have values.
        check_order(self, low, high)
        if low == high:
            return distributions.Constant(low if abs(low) >= threshold else 0.0)
        return distributions.MaskedUniform(low, high, threshold)


@frozen(kw_only=True)
class PriorBias(
    Scheme,
    name="prior_bias",
    formula="-log((1 - p)/p)",
    source="Lin et al. 2017, Focal Loss for Dense Object Detection, section 4.1",
    moments="mean -log((1 - p)/p), std 0",
    reads="options",
):
    """Start a classifier's bias so that it predicts the rare class with probability ``p``."""

    p: Number = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.p, float):
            self._check(self.p)

    def resolve(self, site: Site) -> distributions.Distribution:
        p = self.number(site, "p")
        self._check(p)
        # As torchvision's retinanet.py writes it: log(p / (1 - p)) may differ in the last bit.
        return distributions.Constant(-math.log((1 - p) / p))

    def _check(self, p: float) -> None:
        # Not as ``Limits``, which include their ends: neither 0 nor 1 has log-odds.
        if not 0 < p < 1:
            raise option_error(self.name, "p", f"must lie strictly between 0 and 1, not {p:g}")


@frozen
class TorchDefault(
    Scheme,
    name="torch_default",
    formula="Linear, Conv: U(-1/sqrt(fan_in), 1/sqrt(fan_in)), biases too; ConvTranspose: so, of "
    "fan_out; LSTM, GRU, RNN: so, of hidden_size; Bilinear: so, of in1_features; Embedding: "
    "N(0, 1); norms: 1, biases 0; MultiheadAttention: U(-sqrt(3 / (2 embed_dim)), ...) packed, "
    "biases 0; PReLU: 0.25",
    source="torch.nn",
    reads="shape",
):
    """Start as torch's own constructor of the module does."""

    def resolve(self, site: Site) -> distributions.Distribution:
        default = site.default
        if default is None:
            whose = site.owner or "an unknown module"
            raise site.mismatch(
                f"initkit does not know how the constructor of {whose} starts this tensor; name a "
                "scheme for it, or 'keep'"
            )
        if default.kind == "uniform":
            return distributions.Uniform(-default.value, default.value)
        if default.kind == "normal":
            return normal_or_constant(0.0, default.value)
        return distributions.Constant(default.value)


@frozen
class Function(Scheme, source="the user's own function", reads="shape"):
    """Let a user's own function write into the tensor it is given."""

    function: Callable[..., object]
    options: tuple[tuple[str, Any], ...] = ()  # pairs, since a frozen value is hashed
    label: str = ""

    @property
    def formulas(self) -> tuple[Formula, ...]:
        return tuple(value for _, value in self.options if isinstance(value, Formula))

    def resolve(self, site: Site) -> distributions.Distribution:
        options = tuple(
            (name, value.value(site.lookup) if isinstance(value, Formula) else value)
            for name, value in self.options
        )
        return distributions.UserFunction(site.shape, self.function, options, label=self.label)

    def __str__(self) -> str:
        options = ", ".join(f"{k}={option_text(v)}" for k, v in self.options)
        if self.label:
            return f"{self.label}({options})" if options else self.label
        return f"{_name_of(self.function)}({options})"


@frozen
class PerModule(Function, source="the user's own function", reads="axes"):
    """Let a user's own function start the parameters of the modules that it is called with.

    These are the ``owners`` of the parameters alone, or modules around them as well.
    """

    owners: bool = field(default=False, compare=False, repr=False)
    whole = True

    def resolve(self, site: Site) -> distributions.Distribution:
        if site.shape_only:
            raise site.mismatch("a state_dict has no modules to call it with; apply to the module")
        return distributions.UserFunction(
            site.shape, self.function, self.options, per_module=True, owners=self.owners
        )

    def __str__(self) -> str:
        options = "".join(f", {k}={option_text(v)}" for k, v in self.options)
        return f"per_module({_name_of(self.function)}{options})"


def _name_of(function: Callable[..., object]) -> str:
    return getattr(function, "__qualname__", "") or distributions.function_name(function)
