"""A distribution -> the schemes that may have become it, each as a rule would write it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from itertools import product
from typing import Any, TypeAlias

import torch

from .. import distributions, schemes
from ..distributions import Distribution
from ..errors import InitkitError
from ..numbers import Formula, Number
from ..schemes import Scheme, Site
from .generalize_formulas import Place, find_formula, near
from .generalize_literals import axis_of, literal
from .generalize_values import progressions, same_values, short_number

_Form: TypeAlias = "Callable[[Number], Scheme]"

_BY_FANS: dict[type[Distribution], tuple[str, ...]] = {
    distributions.Normal: (
        "xavier_normal",
        "kaiming_normal",
        "kaiming_normal(mode='fan_out')",
        "lecun_normal",
    ),
    distributions.Uniform: (
        "xavier_uniform",
        "kaiming_uniform",
        "kaiming_uniform(mode='fan_out')",
        "kaiming_uniform(a=sqrt(5))",
        "lecun_uniform",
    ),
    distributions.TruncatedNormal: (
        "variance_scaling",
        "variance_scaling(scale=2)",
        "variance_scaling(scale=2, mode='fan_out')",
        "variance_scaling(mode='fan_avg')",
        "variance_scaling(scale=2, mode='fan_avg')",
    ),
}
_GAINS = {"sqrt(2)": math.sqrt(2), "5/3": 5 / 3, "0.5": 0.5, "2": 2.0, "1/sqrt(2)": math.sqrt(0.5)}


def same(a: Distribution | None, b: Distribution | None) -> bool:
    """Whether two distributions are one, but for the order in which numbers were reckoned."""
    if isinstance(b, distributions.Table) and a is not None and a != b:
        return not a.random and same_values(a, b)
    if isinstance(b, distributions.ByFormula) and isinstance(a, distributions.ByFormula):
        return a == b or (a.shape == b.shape and torch.equal(a.table(), b.table()))
    return a == b or (type(a) is type(b) and a is not None and _same_fields(a, b))


def _same_fields(a: Distribution, b: Any) -> bool:
    return all(_same_value(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))


def _same_value(a: object, b: object) -> bool:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same_value, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return near(a, b)
    return same(a, b) if isinstance(a, Distribution) and isinstance(b, Distribution) else a == b


def resolved(scheme: Scheme, site: Site) -> Distribution | None:
    """Return what a scheme becomes at a site; None where it does not fit there."""
    try:
        return schemes.resolve(scheme, site)
    except InitkitError:
        return None


def candidates(distribution: Distribution, site: Site, text: str) -> Iterator[Scheme]:
    """Yield schemes that may become this distribution at a site, the plainest first.

    ``text`` is the scheme that a plan names, or nothing.
    """
    # Tried one by one afterwards, so that a guess too many does no harm.
    if (named := _read(text)) is not None:
        yield named
    if (plain := literal(distribution)) is not None:
        yield plain
    if site.default is not None:
        yield schemes.TorchDefault()
    for name in _BY_FANS.get(type(distribution), ()):
        yield schemes.read_scheme(name)
        if len(site.shape) != 2 and "(" not in name:
            yield schemes.read_scheme(f"{name}(fans='tensor')")
    for kind, more in _MORE.items():
        if type(distribution) is kind:
            yield from more(distribution, site)


def _prior(constant: distributions.Constant, _: Site) -> Iterator[Scheme]:
    if abs(constant.low) < 30:
        yield schemes.PriorBias(p=short_number(1 / (1 + math.exp(-constant.low))))


def _by_formula(d: distributions.ByFormula, _: Site) -> Iterator[Scheme]:
    yield schemes.Indexed(d.formula, axis=axis_of(d))  # with its names, whose values the site knows


def _table(table: distributions.Table, _: Site) -> Iterator[Scheme]:
    """Yield schemes of the index that may give a table's values, for tables of other sizes."""
    yield from progressions(table)
    if len(table.shape) > 1:
        for endpoint, interleaved in product((False, True), repeat=2):
            yield schemes.Sinusoids(endpoint=endpoint, interleaved=interleaved)
        yield schemes.Eye()


def _read(text: str) -> Scheme | None:
    try:
        return schemes.read_scheme(text) if text else None
    except InitkitError:  # a user's function is named, and not read
        return None


def _with_gain(distribution: Distribution, site: Site) -> Iterator[Scheme]:
    kind = "normal" if isinstance(distribution, distributions.Normal) else "uniform"
    name = f"xavier_{kind}"
    plain = resolved(schemes.read_scheme(name), site)
    if plain is None or not plain.std or not distribution.std:
        return
    ratio = distribution.std / plain.std
    for text, gain in _GAINS.items():
        if near(gain, ratio):
            yield schemes.read_scheme(f"{name}(gain={text})")


def _stored(
    stored: distributions.Stored, site: Site, rest: Scheme | None = None
) -> Iterator[Scheme]:
    """Yield the rule that takes as many rows as a file has, and the others by ``rest``."""
    rename = {site.name: stored.key}
    yield schemes.Pretrained(stored.path, rename=rename, rows="overlap", rest=rest)


def _quaternion(_: distributions.Quaternion, __: Site) -> Iterator[Scheme]:
    yield schemes.Quaternion(criterion="he")


def _blocks(distribution: distributions.Blocks, site: Site) -> Iterator[Scheme]:
    """Yield blocks of each part's own scheme, all by their numbers or all by their names."""
    dim, count = distribution.dim, len(distribution.parts)
    if not site.shape or (not distribution.sizes and site.shape[0] % count):
        return
    sizes = distribution.sizes or (site.shape[0] // count,) * count
    choices = []
    for part, size in zip(distribution.parts, sizes, strict=True):
        part_site = site.part(dim, size)
        fitting = (s for s in candidates(part, part_site, "") if same(resolved(s, part_site), part))
        choices.append(sorted(fitting, key=cost))
    first, *others = distribution.parts
    if isinstance(first, distributions.Stored) and len(others) == 1:
        # All of them: rows like those of the file are none by themselves, where they would not fit.
        for rest in sorted(candidates(others[0], site, ""), key=cost):
            yield from _stored(first, site, rest)
    if all(choices):
        cut = tuple(map(float, sizes)) if len(set(sizes)) > 1 else None
        yield schemes.Blocks(tuple(options[0] for options in choices), dim=dim, sizes=cut)


_MORE: dict[type[Distribution], Callable[[Any, Site], Iterator[Scheme]]] = {
    distributions.Constant: _prior,
    distributions.Normal: _with_gain,
    distributions.Uniform: _with_gain,
    distributions.ByFormula: _by_formula,
    distributions.Table: _table,
    distributions.Quaternion: _quaternion,
    distributions.Stored: _stored,
    distributions.Blocks: _blocks,
}


# ------------------------------------------------------------------------------- with a formula


def with_formula(found: Sequence[tuple[Place, Distribution]]) -> Scheme | None:
    """Return the one scheme with a formula that becomes all of these, or None."""
    numbers = [_number(distribution) for _, distribution in found]
    first = numbers[0]
    if first is None or any(n is None or n[0] != first[0] for n in numbers):
        return None
    values = [n[2] for n in numbers if n is not None]
    if min(values) <= 0 or all(near(values[0], value) for value in values):
        return None
    text = find_formula([place for place, _ in found], values)
    return first[1](Formula(text)) if text is not None else None


def _number(d: Distribution) -> tuple[object, _Form, float] | None:
    """Return what a distribution shares with its like, how to write those, and its own number."""
    match d:
        case distributions.Constant():
            return "constant", schemes.Constant, float(d.low)
        case distributions.Normal(mean=mean, std=std):
            return ("normal", mean), lambda n: schemes.Normal(mean=mean or 0.0, std=n), float(std)
        case distributions.Uniform(low=low, high=high) if near(-low, high):
            return "uniform", lambda n: schemes.Uniform(Formula(f"-{n}"), n), high
        case distributions.Uniform(low=low, high=high) if low == 0:
            return "from 0", lambda n: schemes.Uniform(0.0, n), high
        case distributions.TruncatedNormal():
            return _truncated_number(d)
        case distributions.Orthogonal(gain=gain):
            return "orthogonal", lambda n: schemes.Orthogonal(gain=n), gain
    return None


def _truncated_number(d: distributions.TruncatedNormal) -> tuple[object, _Form, float]:
    scheme: Any = literal(d)
    rest = {"mean": d.loc, "cutoff": scheme.cutoff}
    if scheme.cutoff is None:
        rest |= {"low": d.low, "high": d.high}
    return tuple(rest.items()), lambda n: schemes.TruncNormal(std=n, **rest), d.scale


def cost(scheme: Scheme) -> float:
    """Return how much a reader has to take in: what says the most with the least comes first."""
    text = str(scheme)
    long_number = any(sum(c.isdigit() for c in word) > 5 for word in _words(text))
    kind = 3.0 if long_number else 0.0
    if isinstance(scheme, schemes.TorchDefault):
        kind = 0.0
    elif isinstance(scheme, schemes.Table):
        kind = 5.0
    elif scheme.formulas:
        kind = 2.0
    elif not isinstance(scheme, schemes.Constant | schemes.Normal | schemes.Uniform):
        kind += 1.0
    return kind + len(text) / 1000


def _words(text: str) -> list[str]:
    return "".join(c if c.isdigit() or c in ".e" else " " for c in text).split()
