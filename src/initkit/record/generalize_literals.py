"""A distribution -> the scheme that says its numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import distributions, schemes
from ..distributions import Distribution
from ..numbers import IndexFormula, ShareFormula
from ..schemes import Scheme
from .generalize_formulas import near
from .generalize_values import exponential


def literal(distribution: Distribution) -> Scheme | None:
    """Return the scheme that says a distribution's numbers; None where there is none."""
    write = next((w for kind, w in _LITERAL.items() if type(distribution) is kind), None)
    return write(distribution) if write is not None else None


def _truncated(d: Any) -> Scheme:
    below, above = (d.loc - d.low) / d.scale, (d.high - d.loc) / d.scale
    cutoff = round(above, 6)
    if near(below, above) and near(above, cutoff) and cutoff < 100:
        return schemes.TruncNormal(mean=d.loc, std=d.scale, cutoff=cutoff)
    return schemes.TruncNormal(mean=d.loc, std=d.scale, low=d.low, high=d.high)


def _mapped(scheme: Scheme, maps: Sequence[tuple[str, float]]) -> Scheme | None:
    """Return a scheme within those of its maps; None where no scheme has one of them."""
    for name, number in maps:
        if name not in _MAPS:
            return None
        scheme = _MAPS[name](scheme, number)
    return scheme


_MAPS: dict[str, Callable[[Scheme, float], Scheme]] = {
    "log": lambda scheme, _: schemes.LogOf(scheme),
    "exp": lambda scheme, _: schemes.ExpOf(scheme),
    "inverse softplus": lambda scheme, _: schemes.InverseSoftplusOf(scheme),
    "times": schemes.Scaled,
    "plus": schemes.Shifted,
    "rounded": schemes.Rounded,
}


def _map(d: Any) -> Scheme | None:
    if isinstance(d.part, distributions.Uniform) and d.maps[0][0] == "exp":
        floor = d.maps[1][1] if len(d.maps) > 1 and d.maps[1][0] == "at least" else 0.0
        ends = exponential(d.part.low), exponential(d.part.high)
        return _mapped(schemes.LogUniform(*ends, floor=floor), d.maps[2 if floor else 1 :])
    part = literal(d.part)
    return None if part is None else _mapped(part, d.maps)


def _times(scheme: Scheme, factor: float) -> Scheme:
    return scheme if factor == 1 else schemes.Scaled(scheme, factor)


def _opposed(d: Any) -> Scheme | None:
    """Return the scheme of gates of which one is minus another, in torch's order for the others."""
    forget = d.part.parts[d.drawn]
    if len(d.part.parts) != 4 or not isinstance(
        getattr(forget, "part", None), distributions.Uniform
    ):
        return None
    order = ["cell", "output"]
    for place, gate in sorted([(d.drawn, "forget"), (d.negated, "input")]):
        order.insert(place, gate)
    scheme = schemes.Chrono(forget.part.high + 1, order=tuple(order))
    log = distributions.Uniform(1.0, forget.part.high).mapped("log")
    return scheme if forget == log else None


def _indexed(d: Any) -> Scheme | None:
    formula = IndexFormula(d.formula)
    if d.numbers:  # or its text stays as it is, by which formulas are equal
        formula = formula.with_names(dict(d.numbers))
    return _mapped(schemes.Indexed(formula, axis=axis_of(d)), d.maps)


def _skew_pairs(d: Any) -> Scheme | None:
    part = literal(d.part)
    return None if part is None else schemes.SkewPairs(part)


def _rescaled(d: Any) -> Scheme:
    return schemes.GlorotOrthogonal(scale=round(d.size**2 * sum(d.grid[1:]), 12))


def _quantile(d: Any) -> Scheme:
    formula = ShareFormula(d.formula)
    return schemes.Quantile(formula.with_names(dict(d.numbers)) if d.numbers else formula)


def axis_of(d: distributions.ByFormula) -> int | None:
    """Return the axis that a rule names for a formula; None for the last, and for two."""
    return None if len(d.axes) > 1 or d.axes == (-1,) else d.axes[0]


def _repeated(d: Any) -> Scheme | None:
    part = literal(d.part)
    factor = round(d.times ** (1 / max(len(d.shape) - 2, 1)))
    return None if part is None else schemes.Icnr(part, factor=factor)


def _of_two(scheme: Callable[[Scheme, Scheme], Scheme]) -> Callable[[Any], Scheme | None]:
    def write(d: Any) -> Scheme | None:
        part, other = literal(d.part), literal(d.other)
        return None if part is None or other is None else scheme(part, other)

    return write


def _stored(d: Any) -> Scheme | None:
    if d.stored_shape != d.shape:  # the first rows of a larger one
        return None
    return _mapped(schemes.FromTensor(d.path, key=d.key), d.maps)


def _low_rank(scheme: Callable[..., Scheme]) -> Callable[[Any], Scheme | None]:
    def write(d: Any) -> Scheme | None:
        weight = schemes.Keep() if d.start is None else literal(d.start)
        return None if weight is None else scheme(scaling=d.scaling, weight=weight)

    return write


def _wave(d: Any) -> dict[str, Any]:
    return {"base": d.base, "endpoint": d.endpoint, "blank": d.blank, "single": d.single}


_LITERAL: dict[type[Distribution], Callable[[Any], Scheme | None]] = {
    distributions.Constant: lambda d: schemes.Constant(d.low),
    distributions.Normal: lambda d: schemes.Normal(mean=d.mean, std=d.std),
    distributions.Uniform: lambda d: schemes.Uniform(d.low, d.high),
    distributions.TruncatedNormal: _truncated,
    distributions.MaskedUniform: lambda d: schemes.ZeroMaskUniform(
        d.low, d.high, threshold=d.threshold
    ),
    distributions.Orthogonal: lambda d: schemes.Orthogonal(gain=d.gain),
    distributions.Standardized: lambda d: schemes.HeOrthogonal(gain=d.gain),
    distributions.DeltaOrthogonal: lambda d: schemes.DeltaOrthogonal(gain=d.gain),
    distributions.Sparse: lambda d: schemes.Sparse(sparsity=d.zeros / d.grid[1], std=d.scale),
    distributions.Eye: lambda d: _times(schemes.Eye(), d.value),
    distributions.Dirac: lambda d: _times(schemes.Dirac(groups=d.groups), d.value),
    distributions.Arranged: lambda d: literal(d.part),
    distributions.Repeated: _repeated,
    distributions.Product: _of_two(schemes.Product),
    distributions.Sum: _of_two(schemes.Sum),
    distributions.ByFormula: _indexed,
    distributions.Quantile: _quantile,
    distributions.SkewPairs: _skew_pairs,
    distributions.RescaledOrthogonal: _rescaled,
    distributions.Interpolation: lambda d: _mapped(schemes.BilinearUpsampling(), d.maps),
    distributions.Fourier: lambda d: _mapped(
        schemes.Stft(window=d.window, orthonormal=d.orthonormal), d.maps
    ),
    distributions.Mel: lambda d: _mapped(
        schemes.MelBands(
            sample_rate=d.sample_rate,
            low_frequency=d.low_frequency,
            high_frequency=d.high_frequency,
            norm="slaney" if d.slaney else "none",
        ),
        d.maps,
    ),
    distributions.HadamardIdentity: lambda d: _mapped(schemes.ZerO(), d.maps),
    distributions.RandomFeatures: lambda d: schemes.RandomFeatures(
        gain=d.gain, norms="fixed" if d.fixed else "chi"
    ),
    distributions.Reservoir: lambda d: schemes.Reservoir(radius=d.radius, density=d.density),
    distributions.Opposed: _opposed,
    distributions.Stored: _stored,
    distributions.MeanResized: lambda d: schemes.MeanResizing(d.scale),
    distributions.CopiedRows: lambda d: schemes.CopiedRows(d.of, d.average),
    distributions.Copy: lambda d: schemes.CopyOf(d.parameter),
    distributions.Pissa: _low_rank(schemes.Pissa),
    distributions.Olora: _low_rank(schemes.Olora),
    distributions.Mimetic: lambda d: schemes.Mimetic(
        d.heads,
        alpha_qk=d.alpha_qk,
        beta_qk=d.beta_qk,
        alpha_vp=d.alpha_vp,
        beta_vp=d.beta_vp,
    ),
    distributions.Quaternion: lambda _: schemes.Quaternion(),
    distributions.GlowLU: lambda _: schemes.GlowLU(),
    distributions.FunctionOfSeveral: lambda d: schemes.FunctionOfSeveral(
        d.function, d.options, d.label
    ),
    distributions.Arange: lambda d: _mapped(
        schemes.Arange(start=d.start, step=d.step, axis=d.axis), d.maps
    ),
    distributions.Sinusoids: lambda d: _mapped(
        schemes.Sinusoids(interleaved=d.interleaved, first=d.first, **_wave(d)), d.maps
    ),
    distributions.Sinusoids2d: lambda d: _mapped(
        schemes.Sincos2d(columns=d.columns, rows_first=d.rows_first, **_wave(d)), d.maps
    ),
    distributions.Rotated: lambda d: _times(schemes.RotatedFrequencies(base=d.base), d.factor),
    distributions.Table: lambda d: _mapped(
        schemes.Table(distributions.Table(d.shape, d.dtype, d.bits)), d.maps
    ),
    distributions.Mapped: _map,
    distributions.UserFunction: lambda d: _times(
        schemes.Function(d.function, d.options, d.label), d.factor
    ),
}
