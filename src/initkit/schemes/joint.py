"""Schemes over a group of parameters, which one key with braces names and which start as one."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import field
from typing import Any, ClassVar, Literal

from .. import distributions
from ..errors import OptionError, RuleError
from ..numbers import Formula, Number, frozen, read_call
from .base import Scheme, option_text
from .basic import Keep
from .options import AtLeastOne, NonNegative, Positive, option_error
from .read import read_scheme
from .registry import RegisteredFunction, canonical_name, factory_of, read_options
from .site import FansOf, Site


@frozen
class Joint(Scheme):
    """Base of schemes over several parameters: a key such as ``"*.{lora_A,lora_B}.weight"``.

    Its braces list the members in the order that the scheme has them. Parameters for which the
    stars of the key took the same are one group: planned, drawn and checked as one.
    """

    whole = True
    example: ClassVar[str] = "*.{a,b}"
    several: ClassVar[bool] = False
    """Whether other rules of its kind may bring further members to one group's first."""

    def resolve(self, site: Site) -> distributions.Distribution:
        if site.member is None:
            raise site.mismatch(
                "it starts several parameters as one; list them in braces, in their order, as in "
                f"{self.example!r}"
            )
        return self.of_member(site, site.member)

    def of_member(self, site: Site, member: int) -> distributions.Joint:
        """Return the distribution of a member, which knows nothing of the others yet."""
        raise NotImplementedError

    def unjoinable(self, first: Joint) -> str:
        """Return why its members cannot be further ones of a group that ``first`` starts."""
        return ""


@frozen
class _LowRank(Joint):
    """Base of adapters that take a part of their weight out of it."""

    scaling: Positive = field(default=1.0, kw_only=True)
    weight: Any = field(default="keep", kw_only=True)
    example = "*.{base_layer,lora_A.default,lora_B.default}.weight"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "weight", read_scheme(self.weight))
        drawn = [] if isinstance(self.weight, Keep) else self.weight.walk()
        if any(scheme.whole for scheme in drawn):
            raise option_error(self.name, "weight", f"cannot be {self.weight}")

    def _start(self, site: Site, member: int) -> tuple[float, distributions.Distribution | None]:
        """Return the scaling, and what draws the weight; None where it is read."""
        # The weight's own site decides, which its member alone sees; a group goes by its first.
        drawn = not member and not isinstance(self.weight, Keep)
        return self.number(site, "scaling"), self.weight.resolve(site) if drawn else None

    def unjoinable(self, first: Joint) -> str:
        if isinstance(self.weight, Keep) or self.weight == getattr(first, "weight", None):
            return ""
        return f"of {self.name} over one weight the first rule alone says weight="

    def __str__(self) -> str:
        options = [] if self.scaling == 1 else [f"scaling={option_text(self.scaling)}"]
        options += [] if isinstance(self.weight, Keep) else [f"weight={str(self.weight)!r}"]
        return f"{self.name}({', '.join(options)})" if options else self.name


@frozen
class Pissa(
    _LowRank,
    name="pissa",
    formula="A = sqrt(S_r / scaling) V_r', B = U_r sqrt(S_r / scaling), W = U S V' - scaling B A",
    source="Meng et al. 2024, PiSSA; peft, init_lora_weights='pissa'",
    moments="the singular values of the weight decide",
    reads="site",
):
    """Start low-rank adapters as the principal part of a weight, which loses it (PiSSA).

    Over the weight (out x in), A (rank x in) and B (out x rank), in this order; further pairs of A
    and B, in the same key or by another rule, take what those before them left. The weight is what
    the model holds, or, with ``weight=`` a scheme, drawn by that, which the first rule says.
    ``scaling`` is what the layer multiplies B A by, such as lora_alpha / rank; of adapters that
    differ in it each has a rule of its own. Each weight is factored whole, on every rank.
    """

    several = True

    def of_member(self, site: Site, member: int) -> distributions.Joint:
        return distributions.Pissa(site.shape, member, *self._start(site, member))


@frozen
class Olora(
    _LowRank,
    name="olora",
    formula="A = R_r, B = Q_r, W = Q R - scaling B A",
    source="Buyukakyuz 2024, OLoRA; peft, init_lora_weights='olora'",
    moments="the columns of B are orthonormal",
    reads="site",
):
    """Start low-rank adapters as the first part of a weight's QR factors, which it loses (OLoRA).

    Over the weight (out x in), A (rank x in) and B (out x rank), in this order, and no other pair;
    the options and the costs are those of ``pissa``.
    """

    def of_member(self, site: Site, member: int) -> distributions.Joint:
        return distributions.Olora(site.shape, member, *self._start(site, member))


@frozen
class Mimetic(
    Joint,
    name="mimetic",
    formula="of each head query' key ~ alpha_qk Z + beta_qk I; projection value = alpha_vp Z - "
    "beta_vp I; Z of N(0, 1/width)",
    source="Trockman & Kolter 2023, Mimetic Initialization of Self-Attention Layers",
    moments="the trace of projection value is -beta_vp width, with the std alpha_vp",
    reads="site",
):
    """Start attention as trained attention looks: products of its weights near the identity.

    Over query, key, value and projection, in this order, or over a packed ``in_proj_weight`` and
    the projection. Each head costs a singular value decomposition of width x width, on every rank.
    """

    heads: AtLeastOne
    alpha_qk: NonNegative = field(default=0.7, kw_only=True)
    beta_qk: Number = field(default=0.7, kw_only=True)
    alpha_vp: NonNegative = field(default=0.4, kw_only=True)
    beta_vp: Number = field(default=0.4, kw_only=True)
    example = "*.attn.{qkv,proj}.weight"

    def of_member(self, site: Site, member: int) -> distributions.Joint:
        names = ("alpha_qk", "beta_qk", "alpha_vp", "beta_vp")
        numbers = (self.number(site, name) for name in names)
        return distributions.Mimetic(site.shape, member, int(self.number(site, "heads")), *numbers)


@frozen
class GlowLU(
    Joint,
    name="glow_lu",
    formula="P L U = a random rotation",
    source="Kingma & Dhariwal 2018, Glow, section 3.2",
    moments="P L U is orthogonal",
    reads="site",
):
    """Start the factors of an invertible 1x1 convolution as those of a random rotation (Glow).

    Over P, L and U, in this order, U with its diagonal; or over P, L, U, the sign and the logarithm
    of the diagonal, which U then lacks. Buffers among them need ``buffers=True``.
    """

    example = "*.{p,l,u}"

    def of_member(self, site: Site, member: int) -> distributions.Joint:
        return distributions.GlowLU(site.shape, member)


@frozen
class Quaternion(
    Joint,
    name="quaternion",
    formula="s chi(4) (cos t + v sin t), t of U(-pi, pi), v of length 1; s = 1/sqrt(2 fan)",
    source="Parcollet et al. 2019, Quaternion Recurrent Neural Networks; Orkis-Research/"
    "Pytorch-Quaternion-Neural-Networks, quaternion_init",
    moments="the real part sqrt(2) s, an imaginary one sqrt(2/3) s",
    reads="site",
):
    """Start the four parts of quaternion weights as random quaternions.

    Over the real part and the three imaginary ones, of one shape, in this order. With
    ``criterion="glorot"`` the fan is fan_in + fan_out of one part, with ``"he"`` its fan_in. The
    direction v is that of a point in a cube, as published.
    """

    criterion: Literal["glorot", "he"] = field(default="glorot", kw_only=True)
    fans: FansOf = field(default="module", kw_only=True)
    example = "*.{r,i,j,k}_weight"

    def of_member(self, site: Site, member: int) -> distributions.Joint:
        fans = site.fans(self.fans)
        fan = fans.fan_in + (fans.fan_out if self.criterion == "glorot" else 0)
        return distributions.Quaternion(site.shape, member, 1 / math.sqrt(2 * fan))


@frozen
class FunctionOfSeveral(Joint, source="the user's own function", reads="site"):
    """Let a user's own function write into several parameters at once."""

    function: Callable[..., object]
    options: tuple[tuple[str, Any], ...] = ()
    label: str = ""

    @property
    def formulas(self) -> tuple[Formula, ...]:
        return tuple(value for _, value in self.options if isinstance(value, Formula))

    def of_member(self, site: Site, member: int) -> distributions.Joint:
        options = tuple(
            (name, value.value(site.lookup) if isinstance(value, Formula) else value)
            for name, value in self.options
        )
        return distributions.FunctionOfSeveral(
            site.shape, member, self.function, options, self.label
        )

    def __str__(self) -> str:
        options = ", ".join(f"{k}={option_text(v)}" for k, v in self.options)
        name = self.label or distributions.function_name(self.function)
        return f"{name}({options})" if options or not self.label else name


def read_scheme_of(value: object, count: int) -> Scheme:
    """Return the scheme of a key with ``count`` members.

    A function that takes so many tensors, by parameters without defaults, is one over all of them;
    everything else is a scheme for each by itself, or one that says itself that it is over several.
    """
    if count > 1:
        if isinstance(value, str) and (found := _registered(value, count)) is not None:
            return found
        if inspect.isfunction(value) and _tensors(value) == count:
            return FunctionOfSeveral(value)
    return read_scheme(value)


def _registered(text: str, count: int) -> Scheme | None:
    """Return the scheme of a registered function over so many tensors, where a text calls one."""
    try:
        call = read_call(text)
        name = canonical_name(call.name)
    except RuleError:
        return None  # to be refused where it is read as a scheme
    factory = factory_of(name) if name is not None else None
    if not isinstance(factory, RegisteredFunction):
        return None
    needed = _needed(factory.function)
    if len(needed) != count:
        if len(needed) > 1 and call.kwargs.keys().isdisjoint(needed):
            many = f"starts {len(needed)} tensors as one ({', '.join(needed)})"
            message = f"{factory.name} {many}, and its key names {count}"
            raise OptionError(message, owner=factory.name)
        return None
    options = read_options(factory, call, needed)
    return FunctionOfSeveral(factory.function, options, factory.name)


def _tensors(function: Callable[..., object]) -> int:
    return len(_needed(function))


def _needed(function: Callable[..., object]) -> list[str]:
    """Return the parameters that a call must give; ``slot`` says where the first tensor stands."""
    return [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "slot"
    ]
