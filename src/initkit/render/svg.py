"""Numbers -> small pictures in SVG, which take their colours from the page around them."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Literal, TypeAlias, TypeVar

from ..errors import visible
from .style import PICTURE
from .tied import TieFold, fold_ties, one_place_a_name, places_of_names

Ink: TypeAlias = Literal["one", "two", "three", "four", "five", "dim"]
S = TypeVar("S")
_WIDTH, _WIDE, _HEIGHT = 560.0, 760.0, 240.0
_INKS: tuple[Ink, ...] = ("one", "two", "three", "four", "five")
_MOST_ARCS = 60  # names that a picture has room for
_MOST_LETTERS = 72  # of such a name
_MOST_MARKS = 2_000  # of one picture, or more where they lie apart
_LETTER = 6.4  # how wide a letter is, at most
_LINE = 16.0  # how tall a line of a legend is
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 12.0, 24.0, 40.0


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart: its points from left to right; what is no number leaves a gap.

    ``line`` is drawn through the points, ``dots`` at them; ``dashed`` is for what was fitted.
    """

    label: str
    ys: Sequence[float | None]
    ink: Ink = "one"
    dashed: bool = False
    dots: bool = True
    names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A section of a page: an SVG under its title."""

    svg: str = field(repr=False)
    title: str = ""

    def document(self) -> str:
        """Return the picture as a file of its own, in the colours of a light or a dark system.

        >>> Picture(line_chart([Series("rms", [1.0])], x="depth", y="rms")).document()[:38]
        '<svg xmlns="http://www.w3.org/2000/svg'
        """
        opened = '<svg xmlns="http://www.w3.org/2000/svg" '
        named = f"<title>{_escape(self.title)}</title>" if self.title else ""
        start = f"><style>{PICTURE}</style>{named}"
        return self.svg.replace("<svg ", opened, 1).replace(">", start, 1) + "\n"

    _repr_svg_ = document


def line_chart(
    series: Sequence[Series], *, x: str, y: str, log: bool = True, marks: Sequence[str] = ()
) -> str:
    """Draw lines over 1, 2, 3, ... or over ``marks``; with ``log`` the heights are logarithms.

    >>> line_chart([Series("rms", [1.0, 0.5, None])], x="depth", y="rms")[:5]
    '<svg '
    """
    heights = [_height(v, log) for one in series for v in one.ys]
    held = [h for h in heights if h is not None]
    low, high = heights_of(held, log)
    count = max((len(one.ys) for one in series), default=1)
    place = _Places(low, high, max(count, 2))
    parts = [*_grid(place, log), *_marks(place, count, marks), *_axes(x, y)]
    for one in series:
        parts += _drawn(one, place, log)
    return _under_legend(series, parts, _WIDTH, _HEIGHT, f"{y} against {x}")


def strips(rows: Sequence[tuple[str, Sequence[float]]], *, x: str, ends: tuple[str, str]) -> str:
    """Draw one row of cells per layer, the darker the more of its values lie there.

    >>> strips([("fc", [0.2, 0.6, 0.2])], x="value", ends=("-1", "1"))[:5]
    '<svg '
    """
    tall = max(4.0, min(14.0, 420.0 / max(len(rows), 1)))
    left, width = 150.0, _WIDTH - 150.0 - _RIGHT
    parts = []
    for i, (label, shares) in enumerate(rows):
        top = 4 + i * tall
        most = max(shares, default=0.0) or 1.0
        cell = width / max(len(shares), 1)
        if tall >= 9 or i % math.ceil(9 / tall) == 0:
            parts.append(_text(left - 6, top + tall * 0.75, _short(label), "end"))
        for j, share in enumerate(shares):
            if share > 0:
                parts.append(
                    f'<rect class="ink-one" x="{left + j * cell:.1f}" y="{top:.1f}" '
                    f'width="{cell + 0.3:.1f}" height="{tall - 0.6:.1f}" '
                    f'fill-opacity="{share / most:.3f}"/>'
                )
    bottom = 4 + len(rows) * tall + 14
    parts += [_text(left, bottom, ends[0], "start"), _text(left + width, bottom, ends[1], "end")]
    parts.append(_text(left + width / 2, bottom, x, "middle"))
    return _svg(parts, _WIDTH, bottom + 6, f"histograms of {x}")


@dataclass(frozen=True, slots=True)
class Spot:
    """One mark of a scatter: its place from left to right, its height, and what it says."""

    place: int
    height: float
    group: int
    says: str = ""


def scatter(
    spots: Sequence[Spot],
    groups: Sequence[tuple[str, Ink]],
    guide: tuple[str, Mapping[int, float]],
    *,
    x: str,
    y: str,
) -> str:
    """Draw marks in the colours of their groups, heights as logarithms, before the guide's dashes.

    ``guide`` has a label, and a height for some places. Of marks that would lie on one another the
    first is drawn, so that a picture of very many stays small.

    >>> scatter([Spot(0, 0.02, 0, "fc")], [("Linear", "one")], ("law", {0: 0.1}), x="x", y="y")[:5]
    '<svg '
    """
    label, heights = guide
    drawn = [(s, h) for s in spots if (h := _height(s.height, True)) is not None]
    dashes = [(i, h) for i, v in heights.items() if (h := _height(v, True)) is not None]
    low, high = heights_of([h for _, h in (*drawn, *dashes)], True)
    count = max((s.place for s in spots), default=0) + 1
    place = _Places(low, high, max(count, 2), _WIDE, 14.0)
    half = min(12.0, max(0.6, 0.4 * (_WIDE - _LEFT - _RIGHT) / place.count))
    parts = [*_grid(place, True), *_marks(place, count, ()), *_axes(x, y, _WIDE)]
    lines = _thinned(((place.x(i) - half, place.y(h), 0), "") for i, h in dashes)
    path = "".join(f"M{cx} {cy}h{2 * half:.1f}" for (cx, cy, _), _ in lines)
    parts.append(f'<path class="line ink-dim" stroke-opacity=".55" d="{path}"/>')
    marks = _thinned(((place.x(s.place), place.y(h), s.group), s) for s, h in drawn)
    for (cx, cy, group), spot in marks:
        said = f"<title>{_escape(spot.says)}</title>" if spot.says else ""
        parts.append(
            f'<circle class="ink-{groups[group][1]}" cx="{cx}" cy="{cy}" r="3">{said}</circle>'
        )
    keys = [Series(name, (), ink) for name, ink in groups]
    legend = [*keys, Series(label, (), "dim")]
    return _under_legend(legend, parts, _WIDE, _HEIGHT, f"{y} against {x}")


_Mark: TypeAlias = tuple[float, float, int]


def _thinned(marks: Iterable[tuple[_Mark, S]]) -> list[tuple[tuple[int, int, int], S]]:
    """Return marks on whole pixels; of those of one group that lie on one another the first.

    Few are those that share a pixel; where they are many, those that a mark covers in part.
    """
    placed = [((round(x), round(y), group), what) for (x, y, group), what in marks]
    for step in (1, 2, 4, 6):
        found: dict[_Mark, tuple[tuple[int, int, int], S]] = {}
        for mark in placed:
            cx, cy, group = mark[0]
            found.setdefault((cx // step, cy // step, group), mark)
        placed = list(found.values())
        if len(placed) <= _MOST_MARKS:
            break
    return placed


def tie_pictures(groups: Sequence[Sequence[str]]) -> list[Picture]:
    """Draw names below one another, and an arc between neighbours of each group of tied ones.

    Groups of many names that count in step have one arc, and say how many they are; what is more
    than a picture has room for is counted below it. Without groups there is no picture.

    >>> [picture.title for picture in tie_pictures([["wte", "head"]])]
    ['Ties']
    """
    if not groups:
        return []
    if sum(map(len, groups)) <= _MOST_ARCS:
        folds = [one for g in groups for one in fold_ties([g], places=one_place_a_name, key=len)]
    else:
        folds = fold_ties(groups, places=places_of_names, key=len)
    held = list(accumulate(len(fold.labels) for fold in folds))
    shown = max(sum(count <= _MOST_ARCS for count in held), 1)
    return [Picture(_arcs(folds[:shown], sum(len(f.rows) for f in folds[shown:])), "Ties")]


def _by_number(name: str) -> list[str]:
    """Return what sorts names as people do, 2 before 10."""
    return [part.zfill(9) if part.isdigit() else part for part in name.split(".")]


def _arcs(folds: Sequence[TieFold[Sequence[str]]], more: int) -> str:
    places = [(label, number) for number, fold in enumerate(folds) for label in fold.labels]
    places.sort(key=lambda place: _by_number(place[0]))
    labels = [_short(label, _MOST_LETTERS) for label, _ in places]
    left, row = 8 + _LETTER * max(map(len, labels)), 18.0
    parts = [_text(4, i * row + 14, label, "start") for i, label in enumerate(labels)]
    widest = 0.0
    for number, fold in enumerate(folds):
        ink, told = _INKS[number % len(_INKS)], fold.told
        mine = [i * row + 10 for i, (_, whose) in enumerate(places) if whose == number]
        # Names of one line are tied among themselves: a loop.
        for top, bottom in pairwise(mine) if len(mine) > 1 else [(mine[0] - 5, mine[0] + 5)]:
            out = 16 + (bottom - top) * 0.5
            curve = f"M{left:.0f} {top:.0f}C{left + out:.0f} {top:.0f} {left + out:.0f} "
            curve += f"{bottom:.0f} {left:.0f} {bottom:.0f}"
            parts.append(f'<path class="line ink-{ink}" d="{curve}"/>')
            if told:  # once, beside the first arc, whose curve comes three quarters of the way
                parts.append(_text(left + 0.75 * out + 5, (top + bottom) / 2 + 4, told, "start"))
            widest, told = max(widest, out + _LETTER * len(told)), ""
    if more:
        said = f"and {more:,} tie{'s' * (more > 1)} more"
        parts.append(_text(4, len(places) * row + 14, said, "start"))
    tall = (len(places) + bool(more)) * row + 6
    return _svg(parts, left + widest + 8, tall, "ties between names")


@dataclass(frozen=True, slots=True)
class Density:
    """What share of a tensor's values was planned, and seen, between neighbouring ``edges``."""

    label: str
    edges: Sequence[float]
    planned: Sequence[float]
    seen: Sequence[float]


def densities(panels: Sequence[Density]) -> str:
    """Draw the planned density as an area and the seen one as a line, two panels side by side.

    >>> densities([Density("fc.weight", [-1, 0, 1], [0.5, 0.5], [0.4, 0.6])])[:5]
    '<svg '
    """
    width, height = _WIDE / 2, 150.0
    parts: list[str] = []
    for i, panel in enumerate(panels):
        left, top = i % 2 * width + 12, i // 2 * height + 24
        parts.append(_text(left, top + 8, _short(panel.label, 52), "start"))
        parts += _panel(panel, left, top + 16, width - 24, height - 44)
    rows = (len(panels) + 1) // 2
    legend = [Series("planned", (), "dim"), Series("measured", (), "one")]
    title = "planned density and measured values"
    return _under_legend(legend, parts, _WIDE, rows * height + 24, title)


def _panel(panel: Density, left: float, top: float, width: float, height: float) -> Iterable[str]:
    edges, bottom = panel.edges, top + height
    widths = [b - a for a, b in pairwise(edges)]
    planned, seen = (
        [share / wide for share, wide in zip(shares, widths, strict=True)]
        for shares in (panel.planned, panel.seen)
    )
    # A spike of equal values would make all else flat: it ends at the top.
    broad = [h for h, wide in zip(planned, widths, strict=True) if wide > 0.01 * sum(widths)]
    most = min(max(*planned, *seen), 2 * max(broad, default=math.inf)) or 1.0

    def outline(heights: Sequence[float]) -> str:
        ys = (bottom - height * min(h / most, 1.0) for h in heights)
        xs = [left + width * (edge - edges[0]) / (edges[-1] - edges[0]) for edge in edges]
        steps = (f"V{y:.1f}H{x:.1f}" for x, y in zip(xs[1:], ys, strict=True))
        return f"M{left:.1f} {bottom:.1f}{''.join(steps)}V{bottom:.1f}"

    yield f'<path class="area ink-dim" fill-opacity=".35" d="{outline(planned)}"/>'
    yield f'<path class="line ink-one" d="{outline(seen)}"/>'
    yield f'<path class="grid" d="M{left:.1f} {bottom:.1f}h{width:.1f}"/>'
    yield _text(left, bottom + 14, f"{edges[0]:.3g}", "start")
    yield _text(left + width, bottom + 14, f"{edges[-1]:.3g}", "end")


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a number lies on the paper."""

    low: float
    high: float
    count: int
    width: float = _WIDTH
    inset: float = 0.0

    def x(self, i: int) -> float:
        wide = self.width - _LEFT - _RIGHT - 2 * self.inset
        return _LEFT + self.inset + wide * i / (self.count - 1)

    def y(self, height: float) -> float:
        share = (height - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share


def _height(value: float | None, log: bool) -> float | None:
    if value is None or not math.isfinite(value) or (log and value <= 0):
        return None
    return math.log10(value) if log else value


def heights_of(held: Sequence[float], log: bool) -> tuple[float, float]:
    """Return the lowest and the highest of an axis: whole decades, where they are logarithms."""
    if not held:
        return 0.0, 1.0
    low, high = min(held), max(held)
    if log:
        low, high = math.floor(low + 1e-9), math.ceil(high - 1e-9)
    else:
        low = min(low, 0.0)
    return (low, high) if high > low else (low - 1.0, high + 1.0)


def _grid(place: _Places, log: bool) -> Iterable[str]:
    for tick in decades(place.low, place.high) if log else _ticks(place.low, place.high):
        y = place.y(tick)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{place.width - _RIGHT}"/>'
        yield _text(_LEFT - 6, y + 4, f"{10**tick:.4g}" if log else f"{tick:.3g}", "end")


def _marks(place: _Places, count: int, marks: Sequence[str]) -> Iterable[str]:
    numbers = dict.fromkeys(round(t) for t in _ticks(1, max(count, 2)))
    found = list(enumerate(marks)) or [(i - 1, str(i)) for i in numbers if 1 <= i <= count]
    for i, text in found:
        yield _text(place.x(i), _HEIGHT - _BOTTOM + 16, text, "middle")


def decades(low: float, high: float) -> list[float]:
    """Return the logarithms of round numbers: 1, 2 and 5 where decades are few, else some of 1."""
    if high - low <= 2:
        several = (math.log10(n) + d for d in range(round(low), round(high) + 1) for n in (1, 2, 5))
        return [tick for tick in several if tick <= high + 1e-9]
    step = math.ceil((high - low) / 8)
    return [float(d) for d in range(round(low), round(high) + 1, step)]


def _ticks(low: float, high: float) -> list[float]:
    """Return up to eight round numbers from low to high."""
    step = 10 ** math.floor(math.log10((high - low) / 4))
    while (high - low) / step > 7:
        step *= 2 if str(step)[0] in "15" or f"{step:e}"[0] in "15" else 2.5
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _axes(x: str, y: str, width: float = _WIDTH) -> list[str]:
    middle = (_LEFT + width - _RIGHT) / 2
    turn = f'transform="rotate(-90 12 {_HEIGHT / 2 - 10})"'
    return [
        _text(middle, _HEIGHT - 6, x, "middle"),
        f'<text x="12" y="{_HEIGHT / 2 - 10}" text-anchor="middle" {turn}>{_escape(y)}</text>',
    ]


def _drawn(one: Series, place: _Places, log: bool) -> list[str]:
    heights = [_height(v, log) for v in one.ys]
    moves, down = [], False
    for i, height in enumerate(heights):
        if height is not None:
            moves.append(f"{'L' if down else 'M'}{place.x(i):.1f} {place.y(height):.1f}")
        down = height is not None
    style = " stroke-dasharray='5 4'" if one.dashed else ""
    parts = [f'<path class="line ink-{one.ink}"{style} d="{"".join(moves)}"/>'] if moves else []
    if not one.dots:
        return parts
    for i, height in enumerate(heights):
        if height is not None:
            name = f"{one.names[i]}: " if i < len(one.names) else ""
            said = f"<title>{_escape(name)}{one.ys[i]:.4g}</title>"
            at = f'cx="{place.x(i):.1f}" cy="{place.y(height):.1f}"'
            parts.append(f'<circle class="ink-{one.ink}" {at} r="2.4">{said}</circle>')
    return parts


def _under_legend(
    series: Sequence[Series], parts: Iterable[str], width: float, height: float, label: str
) -> str:
    """Return a picture under its legend, which takes as many lines as it needs."""
    keys, left, line = [], _LEFT + 8, 0
    for one in series:
        wide = 38 + _LETTER * len(one.label)
        if left + wide > width and left > _LEFT + 8:
            left, line = _LEFT + 8, line + 1
        style = " stroke-dasharray='5 4'" if one.dashed else ""
        y = 8 + line * _LINE
        keys.append(f'<path class="line ink-{one.ink}"{style} d="M{left} {y:.0f}h18"/>')
        keys.append(_text(left + 23, y + 4, one.label, "start"))
        left += wide
    down = line * _LINE
    below = [f'<g transform="translate(0 {down:.0f})">', *parts, "</g>"] if down else parts
    return _svg([*below, *keys], width, height + down, label)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_escape(text)}</text>'


def _escape(text: str) -> str:
    """Return a text as a page shows it: names come from files of any origin."""
    return html.escape(visible(text))


def _short(label: str, most: int = 22) -> str:
    label = visible(label)
    return label if len(label) <= most else f"…{label[1 - most :]}"


def _svg(parts: Iterable[str], width: float, height: float, label: str) -> str:
    box = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return f'<svg role="img" aria-label="{_escape(label)}" {box}>{"".join(parts)}</svg>'
