"""What a suggestion says: the recipes in order, a table by part, and what nothing explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from ..errors import first_few, visible
from ..render import (
    Column,
    Line,
    Notes,
    Shown,
    Tone,
    column_html,
    column_lines,
    html_page,
    lines_of,
    lines_of_each,
)
from .evidence import Evidence

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Suggestion:
    """How well one recipe fits a model.

    ``covers`` is the share of the model's parameters that a rule of the recipe starts, ``agrees``
    the share that start so and hold such values; None where the values could not be asked.
    ``disagrees`` says of the first parameter that differs what was planned and what was seen.
    ``evidence`` is what else speaks for the recipe. ``open`` are the parameters without a rule.
    """

    recipe: str
    covers: float
    agrees: float | None
    disagrees: str
    evidence: Evidence
    open: tuple[str, ...]
    summary: str

    @property
    def why(self) -> str:
        """What speaks for the recipe beside the values, in words."""
        return self.evidence.why

    @property
    def verdict(self) -> str:
        """What the model's values say, in words."""
        if self.agrees is None:
            return "not asked"
        return f"{_percent(self.agrees)}" + (f"; not {self.disagrees}" if self.disagrees else "")

    def __str__(self) -> str:
        asked = "" if self.agrees is None else f", agrees {self.verdict}"
        return f"{self.recipe} (covers {_percent(self.covers)}{asked}; {self.why})"


@dataclass(frozen=True, slots=True)
class Parts:
    """A model by its parts: module path -> recipe, from the first that matches to the last.

    ``unexplained`` are the parts that no recipe explains; ``agrees`` is the share of parameters
    that its recipes start as the model holds them, None where that could not be asked, and
    ``disagrees`` says whether they start any otherwise.
    """

    rows: tuple[tuple[str, str], ...] = ()
    adapter: str = ""
    unexplained: tuple[str, ...] = ()
    agrees: float | None = None
    disagrees: bool = False

    @property
    def rules(self) -> Any:
        """The rules, as :func:`initkit.apply_init` takes them."""
        table: Any = dict(self.rows)
        if set(table) == {"*"}:
            table = table["*"]
        return [self.adapter, table] if self.adapter else table

    def __str__(self) -> str:
        if isinstance(self.rules, str):
            return repr(self.rules)
        lines = [f"    {path!r}: {recipe!r}," for path, recipe in self.rows]
        table = "\n".join(["{", *lines, "}"]) if len(lines) > 1 else repr(self.rules)
        return f"[{self.adapter!r}, {table}]" if self.adapter and len(lines) > 1 else table


class Suggestions(Shown, Sequence[Suggestion]):
    """The recipes that fit a model, the best first; printing shows a table.

    ``parts`` is the model by its parts, and ``parts.rules`` what :func:`initkit.apply_init` takes;
    ``silent`` says why the model's values do not decide, "" where they do; ``mute`` are the
    parameters that hold none, of which then nothing could be asked.
    """

    def __init__(
        self,
        model: str,
        parameters: int,
        found: Sequence[Suggestion],
        *,
        parts: Parts | None = None,
        silent: str = "",
        mute: Sequence[str] = (),
    ) -> None:
        self.model, self.parameters, self._found = model, parameters, tuple(found)
        self.parts, self.silent, self.mute = parts or Parts(), silent, tuple(mute)

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, index: int) -> Suggestion: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Suggestion, ...]: ...
    def __getitem__(self, index: int | slice) -> Suggestion | tuple[Suggestion, ...]:
        return self._found[index]

    @property
    def rules(self) -> Any:
        """The best rules that are known: one recipe, or the table by parts.

        The table, where no one recipe is true of all and it plans nothing that is not, or more that
        is; of values that could not be asked, where the recipe is of a part's code alone. None
        where nothing fits.
        """
        if not self:
            return self.parts.rules if self.parts.rows else None
        return self.parts.rules if self._is_by_part(self[0]) else self[0].recipe

    def _is_by_part(self, best: Suggestion) -> bool:
        if not self.parts.rows or best.agrees == 1:
            return False
        if self.parts.agrees is None or best.agrees is None:
            return len(self.parts.rows) > 1 and best.evidence.code < 1
        truer = bool(best.disagrees) and not self.parts.disagrees
        return truer or self.parts.agrees > best.agrees

    def to_dict(self) -> dict[str, Any]:
        """Return the suggestions as plain data."""
        return {
            "model": self.model,
            "parameters": self.parameters,
            "not_asked": self.silent,
            "without_values": list(self.mute),
            "suggestions": [_data(one) for one in self],
            "parts": {
                "rules": self.parts.rules,
                "agrees": self.parts.agrees,
                "unexplained": list(self.parts.unexplained),
            },
        }

    def lines(self, width: int | None = None) -> list[Line]:
        """Return the lines of ``text()``, each with what it is to the reader."""
        told = [*self._open(), *self._remarks()]
        return [
            *lines_of(self._head, "title", width),
            *(column_lines(_COLUMNS, self, width) if self else ()),
            *lines_of_each(told, "", width),
        ]

    @property
    def _head(self) -> str:
        return f"{visible(self.model)}: {self.parameters:,} parameters; nothing has been applied"

    def _open(self) -> list[str]:
        """Return a line on what the best recipe leaves without a rule."""
        if not self or not self[0].open:
            return []
        names = ", ".join(self[0].open[:_MOST_NAMED])
        return [visible(f"{self[0].recipe} leaves {len(self[0].open)} without a rule: {names}")]

    def _remarks(self) -> list[str]:
        lines = []
        if self.mute:
            some = first_few(self.mute, _MOST_NAMED)
            lines.append(visible(f"{len(self.mute)} parameters hold no values to ask: {some}"))
        if self.silent:
            asked = any(one.agrees is not None for one in self)
            why = "do not decide" if asked else "could not be asked"
            lines.append(
                f"the model's values {why}: {self.silent}. A fresh build on the CPU "
                "tells more, and record_init(lambda: build()) what its own code does"
            )
        if len(self.parts.rows) > 1 or (self.parts.rows and self.parts.adapter):
            agrees = self.parts.agrees
            said = "" if agrees is None else f", which agrees with {_percent(agrees)}"
            lines += [f"by part{said}:", str(self.parts)]
        for part in self.parts.unexplained[:_MOST_NAMED]:
            lines.append(f"nothing explains {visible(part)}")
        if more := self.parts.unexplained[_MOST_NAMED:]:
            lines.append(f"nothing explains {len(more)} more")
        if self.parts.unexplained:
            lines.append("record_init(lambda: build()) tells what the model's own code does there")
        return lines

    def _repr_html_(self) -> str:
        found = [column_html(_COLUMNS, self)] if self else []
        notes = Notes([*self._open(), *self._remarks()])
        return html_page("Recipes that fit", [self._head, *found, notes])

    def __repr__(self) -> str:
        return f"<Suggestions: {', '.join(s.recipe for s in self)}>"


def _percent(share: float) -> str:
    """Return a share in percent, which is 100% for all alone."""
    return "100%" if share >= 1 else f"{min(100 * share, 99.9):.3g}%"


def _data(one: Suggestion) -> Mapping[str, Any]:
    evidence = {name: getattr(one.evidence, name) for name in Evidence.__slots__}
    names = ("recipe", "covers", "agrees", "disagrees", "summary")
    return {**{n: getattr(one, n) for n in names}, "open": list(one.open), "evidence": evidence}


def _tone(one: Suggestion) -> Tone:
    return "warning" if one.disagrees else ""


_COLUMNS: tuple[Column[Suggestion], ...] = (
    Column("recipe", lambda one: one.recipe),
    Column("covers", lambda one: _percent(one.covers), "r"),
    Column("agrees", lambda one: "" if one.agrees is None else one.verdict, tone=_tone),
    Column("what speaks for it", lambda one: one.why),
    Column("what it is", lambda one: one.summary),
)
"""What a suggestion says, the most important first."""
