"""What is known of a scheme, laid out for a reader."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import MISSING
from typing import Any

from ..numbers import Value, frozen
from ..render import Names, Table, html_page
from ..wording import checks_calls
from .base import Scheme, summary_of
from .elsewhere import unknown_scheme
from .registry import (
    SYNONYMS,
    RegisteredFunction,
    canonical_name,
    defaults_of,
    factory_of,
    kind_elsewhere,
    registered_names,
    scheme_names,
)


@frozen
class SchemeInfo(Value):
    """Hold what is known of a scheme: name, summary, formula, moments, source and options."""

    name: str
    summary: str
    formula: str
    moments: str
    source: str
    options: tuple[tuple[str, Any], ...]
    synonyms: tuple[str, ...]

    @property
    def signature(self) -> str:
        """The scheme as a rule writes it, with every option."""
        if self.name == "blocks":
            return "blocks(s0, s1, ..., dim=0, sizes=None)"
        options = (f"{k}" if v is MISSING else f"{k}={_default(v)}" for k, v in self.options)
        return f"{self.name}({', '.join(options)})"

    def _repr_html_(self) -> str:
        return html_page(self.signature, [self.summary, Table(("", ""), self._rows())])

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("formula", self.formula), ("moments", self.moments), ("source", self.source)]
        rows += [("also", ", ".join(self.synonyms))]
        return [(what, text) for what, text in rows if text]

    def __str__(self) -> str:
        body = "\n".join(f"  {what:<8} {text}" for what, text in self._rows())
        return f"{self.signature}\n  {self.summary}\n{body}"


@checks_calls
def describe_scheme(name: str) -> SchemeInfo:
    """Show a scheme's formula, moments, source and options.

    Raises :class:`UnknownNameError` for an unknown name.

    >>> print(describe_scheme("lecun_normal"))
    lecun_normal(fans='module')
      Keep the variance of a linear layer: normal form, not truncated.
      formula  N(0, 1/sqrt(fan_in))
      moments  mean 0, std 1/sqrt(fan_in)
      source   LeCun et al. 1998, Efficient BackProp
    """
    found = canonical_name(name)
    if found is None:
        kind = kind_elsewhere(name)
        hint = f"It is a {kind}: describe_{kind}({name!r}) shows it." if kind else ""
        raise unknown_scheme("scheme", name, scheme_names(), hint)
    factory = factory_of(found)
    if isinstance(factory, RegisteredFunction):
        described, about = factory.function, ("", "", "a registered function")
    else:
        described, about = factory, (factory.formula, factory.moments, factory.source)
    return SchemeInfo(
        found,
        summary_of(described),
        *about,
        tuple(defaults_of(factory).items()),
        tuple(other for other, meant in SYNONYMS.items() if meant == found),
    )


@checks_calls
def list_schemes() -> list[str]:
    """Return the names of all schemes; a notebook shows what each of them is.

    >>> [name for name in list_schemes() if name.startswith("kaiming")]
    ['kaiming_normal', 'kaiming_uniform']
    """
    return Names(registered_names(), _schemes_page)


def _schemes_page(names: Sequence[str]) -> str:
    infos = [describe_scheme(name) for name in names]
    rows = [(i.name, i.formula, i.summary, ", ".join(i.synonyms)) for i in infos]
    table = Table(("scheme", "formula", "what it does", "also called"), rows, "lppp")
    return html_page(f"{len(rows)} schemes", [table])


def _default(value: object) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return format(value, "g")
    return str(value) if isinstance(value, Scheme) else repr(value)
