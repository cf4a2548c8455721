"""Steps -> a strip of std against depth, where a layer unlike its like is seen at a glance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..distributions import short
from ..render import (
    Ink,
    Picture,
    Spot,
    count_decades,
    count_whole,
    figure,
    say_nothing,
    scatter,
)
from .display import std_of
from .step import Step

_INKS: tuple[Ink, ...] = ("one", "two", "three", "four", "five")
_OTHER: tuple[str, Ink] = ("others", "dim")
_GUIDE = "1/sqrt(fan_in)"


def depth_pictures(steps: Sequence[Step], kinds: Mapping[str, str]) -> list[Picture]:
    """Return the strip of what is drawn at random; of fewer than two tensors there is none.

    ``kinds`` are the classes of the modules by the names of their parameters.
    """
    drawn = _drawn(steps)
    if len(drawn) < 2:
        return []
    groups = _groups(drawn, kinds)
    numbers = {name: i for i, (name, _) in enumerate(groups)}
    spots = [
        Spot(i, std, numbers.get(_kind(step, kinds), len(groups) - 1), _said(step, std))
        for i, (step, std) in enumerate(drawn)
    ]
    guide = _guide_label(drawn), _guide(drawn)
    svg = scatter(spots, groups, guide, x="random tensors in order", y="std")
    return [Picture(svg, "Std against depth")]


def plot_depth(steps: Sequence[Step], kinds: Mapping[str, str], title: str) -> Any:
    """Return the same strip as a figure of matplotlib."""
    made, axes = figure(1, 1, width=8.0)
    axis, drawn = axes[0][0], _drawn(steps)
    if not drawn:
        say_nothing(axis, f"{title}: nothing is drawn at random")
        return made
    guide = _guide(drawn)
    axis.scatter(
        [i + 1 for i in guide],
        list(guide.values()),
        marker="_",
        color="0.6",
        label=_guide_label(drawn),
    )
    groups = _groups(drawn, kinds)
    named = {name for name, _ in groups}
    for name, _ in groups:
        found = [
            (number, std)
            for number, (step, std) in enumerate(drawn, 1)  # as the page counts them
            if (kind if (kind := _kind(step, kinds)) in named else _OTHER[0]) == name
        ]
        axis.scatter([number for number, _ in found], [std for _, std in found], s=12, label=name)
    axis.set(xlabel="random tensors in order", ylabel="std", title=title)
    count_decades(axis, [*guide.values(), *(std for _, std in drawn)])
    count_whole(axis)
    axis.legend()
    return made


def _drawn(steps: Sequence[Step]) -> list[tuple[Step, float]]:
    """Return what is drawn at random, with its std: constants have no place on a logarithm."""
    return [(step, std) for step in steps if (std := std_of(step))]


def _guide(drawn: Sequence[tuple[Step, float]]) -> dict[int, float]:
    """Return the std at which a layer keeps the size of a signal, by place."""
    fans = ((i, step.fans) for i, (step, _) in enumerate(drawn))
    return {i: fan.fan_in**-0.5 for i, fan in fans if fan is not None and fan.fan_in}


def _guide_label(drawn: Sequence[tuple[Step, float]]) -> str:
    """Return what the dashes are, and of how many matrices no fans are known."""
    unknown = sum(_bare(step) for step, _ in drawn)
    return f"{_GUIDE}, unknown for {unknown:,} of {len(drawn):,}" if unknown else _GUIDE


def _bare(step: Step) -> bool:
    """Whether a tensor that has fans has none that are known: a vector has none."""
    return len(step.shape) > 1 and step.fans is None


def _groups(drawn: Sequence[tuple[Step, float]], kinds: Mapping[str, str]) -> list[tuple[str, Ink]]:
    """Return the most common kinds with a colour each, and one for all others."""
    counts = Counter(_kind(step, kinds) for step, _ in drawn)
    common = [name for name, _ in counts.most_common(len(_INKS))]
    rest = [_OTHER] if len(counts) > len(common) else []
    return [*zip(common, _INKS, strict=False), *rest]


def _kind(step: Step, kinds: Mapping[str, str]) -> str:
    return kinds.get(step.name) or step.name.rpartition(".")[2]


def _said(step: Step, std: float) -> str:
    about = "; fans unknown, layout= in its rule would tell" if _bare(step) else ""
    return f"{step.name}: {step.start}, std {short(std)}{about}"
