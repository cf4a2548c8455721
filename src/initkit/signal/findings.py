"""What is wrong with a signal, and which layer spoils it.

The thresholds are conventions: nothing in theory says that a factor of 1,000 is too much and one of
999 is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any, Literal, TypeAlias

from ..numbers import Value, frozen
from .laws import Law
from .points import Activation, ParameterSignal, Point, Seen
from .remedies import Remedies, Remedy
from .trunk import Trunk

Severity: TypeAlias = Literal["problem", "note"]
KINDS = frozenset(
    "not_finite exploding vanishing overflow dead saturated alike peaked loss no_gradient unseen "
    "identity".split()
)
"""The kinds of findings."""


@frozen(kw_only=True)
class Thresholds(Value):
    """From where on a number is a finding. All are conventions.

    ``ratio`` is that of trunk ends, ``outlier`` how many times its peers' a layer's weights may be,
    ``gain`` the factor of any single layer, ``dead`` and ``saturated`` shares of units, ``peaked``
    an entropy over its largest, ``loss`` nats above knowing nothing (a fifth is a note; of squares
    it is the factor), ``alike`` and ``apart`` cosines at the end and at the start, ``overflow`` a
    share of the largest number of a 16-bit dtype.
    """

    ratio: float = 1e3
    outlier: float = 2.2
    gain: float = 16.0
    dead: float = 0.5
    saturated: float = 0.5
    peaked: float = 0.3
    loss: float = 5.0
    alike: float = 0.99
    apart: float = 0.9
    overflow: float = 0.25


@frozen
class Finding(Value):
    """One thing that a probe found: a ``problem``, or a ``note``.

    ``name`` is the module or parameter, ``value`` what was measured and ``threshold`` where a
    finding begins, ``what`` says it in a sentence and ``remedy`` what to write instead; ``rules``
    are that remedy as rules, by names of parameters.

    >>> import torch
    >>> from torch import nn
    >>> from initkit import probe_init
    >>> model, x = nn.Sequential(nn.Linear(8, 8), nn.ReLU()), torch.ones(4, 8)
    >>> finding = probe_init(model, x, rules={"0.weight": "orthogonal", "0.bias": -9}).findings[0]
    >>> finding.kind, finding.name, finding.value
    ('dead', '0', 1.0)
    """

    kind: str
    severity: Severity
    name: str
    value: float
    threshold: float
    what: str
    remedy: str = ""
    rules: tuple[tuple[str, str | float], ...] = ()

    def __str__(self) -> str:
        end = f". {self.remedy}" if self.remedy else ""
        return f"{self.name or 'the model'}: {self.what}{end}"

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "name": self.name,
            "value": self.value,
            "threshold": self.threshold,
            "what": self.what,
            "remedy": self.remedy,
            "rules": dict(self.rules),
        }


@dataclass(slots=True)
class Evidence:
    """What findings are read off."""

    seen: Seen
    parameters: Sequence[ParameterSignal]
    trunk: Trunk | None
    backward: bool
    limits: Thresholds
    remedies: Remedies

    @property
    def layers(self) -> list[Point]:
        """The points that are linear in a parameter, and have an input."""
        return [p for p in self.seen.points if p.parameters and p.entering]


def find_all(evidence: Evidence) -> tuple[Finding, ...]:
    """Return all findings, problems first, causes before what they cause."""
    found = [(i, finding) for i, test in enumerate(_TESTS) for finding in test(evidence)]
    place = {p.name: i for i, p in reversed(list(enumerate(evidence.seen.points)))}

    def order(pair: tuple[int, Finding]) -> tuple[bool, int, int]:
        test, f = pair
        return f.severity != "problem", test, place.get(f.name, len(place))

    return tuple(finding for _, finding in sorted(found, key=order))


def _finding(
    kind: str,
    point_or_name: Point | str,
    numbers: tuple[float, float],
    what: str,
    remedy: Remedy | None = None,
    severity: Severity = "problem",
) -> Finding:
    name = point_or_name if isinstance(point_or_name, str) else point_or_name.name
    remedy = remedy or Remedy("")
    return Finding(kind, severity, name, *numbers, what, remedy.text, remedy.rules)


# ------------------------------------------------------------------------- the range of numbers


def _not_finite(e: Evidence) -> Iterator[Finding]:
    for p in e.seen.points:
        if p.nonfinite:
            what = f"{p.nonfinite:.3g} of its output is not finite, the first to be so"
            yield _finding("not_finite", p, (p.nonfinite, 0.0), what, e.remedies.trunk(e.trunk))
            return


def _overflow(e: Evidence) -> Iterator[Finding]:
    limits = {"float16": 65504.0, "bfloat16": 3.39e38}
    for p in e.seen.points:
        largest = limits.get(p.dtype)
        if largest is not None and not p.nonfinite and p.peak > e.limits.overflow * largest:
            what = f"its peak of {p.peak:.3g} is close to {p.dtype}'s largest number, {largest:.5g}"
            yield _finding("overflow", p, (p.peak, e.limits.overflow * largest), what)
            return


# ------------------------------------------------------------------------------ along the trunk


def _trunk(e: Evidence) -> Iterator[Finding]:
    if e.trunk is None or len(e.trunk.names) < 3:
        return
    for what, law in (("signal", e.trunk.forward), ("gradient", e.trunk.backward)):
        ratio = _worst(law, e.limits.ratio) if law is not None else None
        if law is None or ratio is None:
            continue
        kind = "exploding" if ratio > 1 else "vanishing"
        limit = e.limits.ratio if ratio > 1 else 1 / e.limits.ratio
        verb = "grows" if ratio > 1 else "falls"
        text = f"the {what} {verb} {_by(law)} over {len(e.trunk.names)} layers ({law})"
        name = _steepest(e.trunk, ratio > 1) if what == "signal" else e.trunk.names[0]
        yield _finding(kind, name, (ratio, limit), text, e.remedies.trunk(e.trunk))


def _by(law: Law) -> str:
    return f"by a factor of {law.rate:.3g} a layer" if law.kind == "exponential" else "with depth"


def _worst(law: Law, limit: float) -> float | None:
    """Return the ratio that is beyond the limit, as measured or as fitted; None where none is."""
    for ratio in (law.ratio, law.fitted_ratio):
        if not 1 / limit <= ratio <= limit and not math.isnan(ratio):
            return ratio
    return None


def _steepest(trunk: Trunk, up: bool) -> str:
    """Return the layer with the largest step, or the first where all steps are alike."""
    held = [(n, s) for n, s in zip(trunk.names, trunk.signal, strict=True) if 0 < s < math.inf]
    steps = [(math.log(b / a) * (1 if up else -1), name) for (_, a), (name, b) in pairwise(held)]
    if not steps:
        return trunk.names[0]
    largest, name = max(steps)
    typical = median(step for step, _ in steps)
    return name if largest - typical > math.log(3) else trunk.names[0]


# --------------------------------------------------------------------------- one layer of many


def _outliers(e: Evidence) -> Iterator[Finding]:
    """Compare the weights of each layer with those of its like, or its factor with all others'."""
    weights = {p.name: p for p in e.parameters if len(p.shape) > 1 and p.rms > 0}
    layers: dict[str, Point] = {}
    for point in e.layers:
        layers.setdefault(point.parameters[0], point)
    factors = {name: _factor(point, e) for name, point in layers.items()}
    for name, point in layers.items():
        own = weights.get(name)
        if own is None:
            continue
        usual = _usual(own, weights)
        limit = e.limits.outlier * (1 + 3 / math.sqrt(math.prod(own.shape)))
        if usual is not None and not 1 / (4 * limit) < own.rms / usual < limit:
            ratio = own.rms / usual
            what = f"its weights have an rms of {own.rms:.3g}, {ratio:.3g} times that of its like"
            remedy = e.remedies.normal(name, usual, "as those have")
            kind = "exploding" if ratio > 1 else "vanishing"
            yield _finding(kind, point, (ratio, limit), what, remedy)
        elif usual is None and _stands_out(name, factors, e.limits.gain):
            others = max((f for n, f in factors.items() if n != name), default=1.0)
            what = (
                f"it multiplies the signal by {factors[name]:.3g}, and no other layer by more than "
                f"{others:.3g}"
            )
            std = own.rms / factors[name] * min(others, 1.0)
            remedy = e.remedies.normal(name, std, "for a factor as those have")
            yield _finding("exploding", point, (factors[name], e.limits.gain), what, remedy)


def _factor(point: Point, e: Evidence) -> float:
    """Return the factor of a layer without its bias, which multiplies nothing."""
    bias = point.parameters[0].removesuffix("weight") + "bias"
    shift = next((p.rms for p in e.parameters if bias in p.names), 0.0)
    return math.sqrt(max(point.rms**2 - shift**2, 0.0)) / (point.entering or math.inf)


def _usual(own: ParameterSignal, weights: dict[str, ParameterSignal]) -> float | None:
    """Return the median rms of up to four nearest peers: one number of the name is another."""
    parts = own.name.split(".")
    for place, part in enumerate(parts):
        if not part.isdecimal():
            continue
        peers = [
            (abs(int(number) - int(part)), other.rms)
            for other in weights.values()
            if other.shape == own.shape and other is not own
            if (number := _number(other.name.split("."), parts, place)) is not None
        ]
        if len(peers) > 1:
            return median(rms for _, rms in sorted(peers)[:4])
    return None


def _number(theirs: list[str], parts: list[str], place: int) -> str | None:
    """Return the number that stands in ``place`` of a name that is like another elsewhere."""
    alike = theirs[:place] == parts[:place] and theirs[place + 1 :] == parts[place + 1 :]
    return theirs[place] if alike and theirs[place].isdecimal() else None


def _stands_out(name: str, factors: dict[str, float], gain: float) -> bool:
    """Say whether a layer multiplies the signal by far more than all others do."""
    others = sorted(f for n, f in factors.items() if n != name)
    own = factors[name]
    return own > gain or (len(others) > 2 and own > 3 and own > 4 * others[-1])


# ------------------------------------------------------------------------------ units and attention


def _units(e: Evidence) -> Iterator[Finding]:
    for a in e.seen.activations:
        # Of few values all may be negative by chance.
        limit = e.limits.dead if a.seen >= 8 else max(e.limits.dead, 0.9)
        if a.dead > limit:
            what = f"{a.dead:.0%} of the units of {_called(a)} are zero for every sample"
            yield _finding("dead", a.source or a.name, (a.dead, limit), what, e.remedies.alive(a))
        if a.saturated > e.limits.saturated:
            what = f"{a.saturated:.0%} of {_called(a)} is saturated"
            remedy = e.remedies.unsaturated(a, e.seen.points)
            numbers = a.saturated, e.limits.saturated
            yield _finding("saturated", a.source or a.name, numbers, what, remedy)


def _called(a: Activation) -> str:
    return f"{a.kind} in {a.name}" if a.name and a.name != a.source else f"its {a.kind}"


def _attention(e: Evidence) -> Iterator[Finding]:
    for a in e.seen.attention:
        if a.entropy < e.limits.peaked:
            what = f"the entropy of its {a.kind} is {a.entropy:.3g} of ln {a.places:.0f}"
            remedy = e.remedies.attention(a.name, e.seen.points)
            yield _finding("peaked", a.name, (a.entropy, e.limits.peaked), what, remedy)


def _alike(e: Evidence) -> Iterator[Finding]:
    known = [p for p in e.seen.points if p.alike is not None]
    start = next((p for p in known if p.parameters), None)
    if start is None or (start.alike or 0.0) >= e.limits.apart or e.trunk is None:
        return
    for p in known:
        if p.name in e.trunk.names and (p.alike or 0.0) > e.limits.alike:
            what = (
                f"samples are alike from here on: their mean cosine is {p.alike:.4g}, and was "
                f"{start.alike:.2g} at {start.name}"
            )
            yield _finding(
                "alike", p, (p.alike or 0.0, e.limits.alike), what, None, severity="note"
            )
            return


# ---------------------------------------------------------------------------- losses and gradients


def _losses(e: Evidence) -> Iterator[Finding]:
    for loss in e.seen.losses:
        squares = loss.kind == "mse_loss"
        limit = e.limits.loss * loss.nothing if squares else e.limits.loss + loss.nothing
        noted = limit if squares else e.limits.loss / 5 + loss.nothing
        if loss.value > noted or math.isnan(loss.value):
            nothing = f"ln {loss.classes}" if loss.classes else "knowing nothing"
            what = f"the loss is {loss.value:.4g}, and {nothing} = {loss.nothing:.4g}"
            if squares:
                what = f"the loss is {loss.value:.4g}; targets vary by {loss.nothing:.4g}"
            remedy = e.remedies.head(loss.name, e.seen.points)
            severity: Severity = "note" if loss.value <= limit else "problem"
            yield _finding("loss", loss.name, (loss.value, limit), what, remedy, severity)


def _no_gradient(e: Evidence) -> Iterator[Finding]:
    trained = [p for p in e.parameters if not p.frozen]
    if not e.backward or not trained:
        return
    used = [p for p in trained if p.uses]
    missing = [p for p in used if p.gradient is None]
    zero = [p for p in used if p.gradient == 0]
    # Behind weights that start at zero nothing else is to be expected.
    excused = any(p.rms == 0 for p in e.parameters if len(p.shape) > 1) or any(
        s.branch == 0 for s in e.seen.sums
    )
    for found, what in ((missing, "get no gradient"), (zero, "get a gradient of zero")):
        if found:
            share = len(found) / len(trained)
            serious = share > 0.5 and not excused
            text = f"{_these(found)} {what}" + (", behind weights that are zero" * excused)
            severity: Severity = "problem" if serious else "note"
            yield _finding("no_gradient", found[0].name, (share, 0.5), text, None, severity)


def _these(found: Sequence[ParameterSignal]) -> str:
    return f"it and others, {len(found):,} parameters," if len(found) > 1 else "parameters"


def _unseen(e: Evidence) -> Iterator[Finding]:
    unused = [p for p in e.parameters if not p.uses]
    if unused:
        count = f"{len(unused):,} parameters were" if len(unused) > 1 else "it was"
        text = f"{count} not used in this forward"
        share = len(unused) / len(e.parameters)
        yield _finding("unseen", unused[0].name, (share, 0.0), text, None, "note")
    dark = [p for p in e.layers if p.gradient is None]
    if e.backward and dark and len(dark) < len(e.layers):
        text = f"the gradient of {len(dark):,} points was not seen"
        share = len(dark) / len(e.layers)
        yield _finding("unseen", dark[0].name, (share, 0.0), text, None, "note")


def _identity(e: Evidence) -> Iterator[Finding]:
    zero = [s for s in e.seen.sums if s.branch == 0]
    if zero:
        what = f"starts as identity: {len(zero)} of {len(e.seen.sums)} residual branches are zero"
        yield _finding("identity", zero[0].name, (0.0, 0.0), what, None, "note")


# A cause stands above what it causes elsewhere.
_TESTS = (
    _outliers,
    _not_finite,
    _units,
    _attention,
    _trunk,
    _losses,
    _overflow,
    _no_gradient,
    _alike,
    _unseen,
    _identity,
)
