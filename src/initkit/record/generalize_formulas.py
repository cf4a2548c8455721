"""Numbers of several parameters -> one formula of what is known of each of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import TypeAlias

from torch import nn

from ..errors import FormulaError
from ..model import Slot
from ..numbers import Formula
from ..schemes import Site

NEAR = 1e-9
"""How far, relative, a number may be from another that was reckoned in another order."""

Place: TypeAlias = tuple[Slot, Site]
_Term: TypeAlias = tuple[str, list[float]]

_WIDTHS = ("fan_in", "fan_out", "fan_avg")
_DEPTHS = ("n_layers", "(layer + 1)")
_DIGITS = 6  # of a constant that somebody chose


def find_formula(places: Sequence[Place], values: Sequence[float]) -> str | None:
    """Return the plainest formula that has these values at these places, or None.

    It is a constant times or over a fan, the number of layers, a figure of the model's config, the
    root of one, or the root of a product of two.

    >>> from initkit.model import walk
    >>> model = nn.ModuleList(nn.Linear(n, 4) for n in (4, 9))
    >>> slots = [slot for slot in walk(model) if slot.key == "weight"]
    >>> find_formula([(slot, Site(tuple(slot.shape))) for slot in slots], [1.0, 2 / 3])
    '2/sqrt(fan_in)'
    """
    known = {name: found for name in _names(places) if (found := _values(name, places))}
    ranked: list[tuple[float, int, str]] = []
    for text in _texts([*_single(known), *_products(known)], values):
        formula = Formula(text)
        numbers = [formula.value(site.lookup) for _, site in places]
        if all(map(near, numbers, values)):
            ranked.append((_cost(text) + (numbers != list(values)), len(text), text))
    return min(ranked)[2] if ranked else None


def _cost(text: str) -> float:
    """Return how much a formula asks to be believed: names, and constants that are not 1."""
    # Of names that fit as well, the fan that keeps the variance is the likeliest.
    names = sum(1.5 + _unlikely(name) for name in Formula(text).names)
    odd = sum(
        _USUAL.get(c, 0.6 + 0.25 * len(c.removeprefix("0."))) for c in _CONSTANT.findall(text)
    )
    return names + odd + 0.2 * text.count("sqrt(") + 0.3 * text.count("**")


def _unlikely(name: str) -> float:
    if name in ("fan_in", "n_layers", "layer"):
        return 0.0
    return 0.2 if _counts_layers(name) else 0.3 if name == "fan_out" else 0.6


_USUAL = {"1": 0.0, "2": 0.6, "0.02": 0.6}
_CONSTANT = re.compile(r"(?<![\w.-])\d[\d.e-]*")


def near(a: float, b: float) -> bool:
    """Whether two numbers are one, but for the order in which they were reckoned."""
    return a == b or math.isclose(a, b, rel_tol=NEAR)


# -------------------------------------------------------------------------- what a formula may name


def _names(places: Sequence[Place]) -> list[str]:
    """Return the names that may tell the places apart."""
    figures = [_figures(slot) for slot, _ in places]
    shared = set(figures[0]).intersection(*figures[1:]) if figures else set()
    varying = [n for n in figures[0] if n in shared and len({f[n] for f in figures}) > 1]
    return [*_WIDTHS, *_DEPTHS, *(f"config.{name}" for name in varying)]


def _figures(slot: Slot) -> Mapping[str, float]:
    """Return the numbers in the nearest config around a parameter."""
    for module in reversed(slot.lineage):
        config = getattr(module, "config", None)
        if config is not None and not isinstance(config, nn.Module):
            held = config if isinstance(config, Mapping) else getattr(config, "__dict__", {})
            return {
                name: float(value)
                for name, value in held.items()
                if isinstance(name, str) and name.isidentifier() and not name.startswith("_")
                if isinstance(value, int | float) and not isinstance(value, bool) and value > 0
            }
    return {}


def _values(name: str, places: Sequence[Place]) -> list[float] | None:
    """Return the values of a name at all places; None where one has none, or none above 0."""
    formula = Formula(name)
    try:
        found = [formula.value(site.lookup) for _, site in places]
    except FormulaError:
        return None
    except Exception:  # a site without fans says so in words of its own
        return None
    return found if min(found) > 0 else None


def _single(known: Mapping[str, list[float]]) -> Iterator[_Term]:
    """Yield each name's value, its root, and of numbers of layers the root of twice the value."""
    for name, values in known.items():
        yield f"sqrt({name.strip('()')})", [math.sqrt(v) for v in values]
        yield name, values
        if _counts_layers(name):
            yield f"sqrt(2*{name})", [math.sqrt(2 * v) for v in values]


def _products(known: Mapping[str, list[float]]) -> Iterator[_Term]:
    """Yield the roots of products of two names, and of twice those with a number of layers."""
    for (one, first), (other, second) in combinations(known.items(), 2):
        for times in (1, 2) if _counts_layers(one) != _counts_layers(other) else (1,):
            product = [math.sqrt(times * a * b) for a, b in zip(first, second, strict=True)]
            yield f"sqrt({'2*' * (times - 1)}{one}*{other})", product


def _counts_layers(name: str) -> bool:
    return "layer" in name or "depth" in name


# ----------------------------------------------------------------------- the constant that is left


def _texts(terms: Iterable[_Term], values: Sequence[float]) -> Iterator[str]:
    """Yield formulas of a constant and one term, in the orders in which code reckons them."""
    for text, numbers in terms:
        over = [v * t for v, t in zip(values, numbers, strict=True)]
        times = [v / t for v, t in zip(values, numbers, strict=True)]
        if constant := _decimal(over):
            yield f"{constant}/{text}"
            yield from _powers(constant, text)
        elif squared := _decimal([number * number for number in over]):
            yield f"sqrt({squared})/{text}"
            if text.startswith("sqrt("):
                inside = text[5:-1]
                yield f"sqrt({squared}/{_grouped(inside)})"
                yield f"sqrt({float(squared) * 2:g}/(2*{inside}))"  # of two equal fans
        if constant := _decimal(times):
            yield text if constant == "1" else f"{constant}*{text}"


def _powers(constant: str, text: str) -> Iterator[str]:
    """Yield a constant over a root in other words, whose last bits may differ."""
    if not text.startswith("sqrt("):
        return
    inside = text[5:-1]
    factor = "" if constant == "1" else f"{constant}*"
    yield f"{factor}{_grouped(inside)}**-0.5"
    if inside.count("*") == 1 and not inside.startswith("2*"):
        one, other = (name.strip("()") for name in inside.split("*"))
        yield f"{constant}/sqrt({one})/sqrt({other})"
        yield f"{constant}/sqrt({other})/sqrt({one})"


def _grouped(text: str) -> str:
    return f"({text})" if "*" in text or "+" in text else text


def _decimal(numbers: Sequence[float]) -> str:
    """Return the one short decimal that all of these are, or nothing."""
    first = numbers[0]
    if not all(near(first, other) for other in numbers):
        return ""
    text = f"{first:.{_DIGITS}g}"
    return text if near(float(text), first) else ""
