"""What a tensor that failed looks like instead: torch's default, another rule, a multiple."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from torch import Tensor

from ..distributions import Blocks, Constant, Distribution, Normal, Uniform, short
from ..plan import WRITE, Plan, slot_info
from .checked import Checked
from .measure import Measured
from .sample import TensorSample

_FEWEST = 200  # elements that tell distributions apart
# Looser than a verdict: it names the likeliest of a few candidates, and the failure stands anyway.
_FITS = 1e-4
_FACTORS = {"sqrt(2)": math.sqrt(2), "sqrt(3)": math.sqrt(3), "1/sqrt(2)": math.sqrt(0.5),
            "1/sqrt(3)": 1 / math.sqrt(3), "2": 2.0, "1/2": 0.5, "5/3": 5 / 3}  # fmt: skip


def diagnose(checked: Checked, plan: Plan) -> str:
    """Return what the values of a failed tensor look like, or nothing."""
    planned, measured = checked.distribution, checked.measured
    if planned is None or measured is None or not checked.pieces or not measured.finite:
        return ""
    if flaw := planned.known_flaw(measured.low, measured.high):
        return flaw
    if measured.n > 1 and measured.low == measured.high:
        return f"every element is {short(measured.low)}" if planned.constant is None else ""
    if moved := _moved_blocks(planned, checked.pieces):
        return moved
    if measured.n < _FEWEST:
        return ""
    for distribution, description in _candidates(checked, planned, measured, plan):
        if distribution != planned and _looks_like(distribution, measured, checked.pieces):
            return description
    return ""


def _candidates(
    checked: Checked, planned: Distribution, measured: Measured, plan: Plan
) -> Iterator[tuple[Distribution, str]]:
    """Yield distributions that the values may be from, and how to say so, likeliest first."""
    default = _torch_default(checked)
    if default is not None:
        yield (
            default,
            f"it looks like torch's own default, {default}: as if nothing had initialised it",
        )
    for other, name in _planned_elsewhere(plan).items():
        if other.random and other != planned:
            yield other, f"it looks like {other}, which is planned for {name}"
    # Around a mean that is not 0 a factor would move the mean as well.
    if planned.elementwise and planned.random and planned.mean == 0 and planned.std:
        factor = _factor(planned, planned.std, measured)
        name = next((text for text, v in _FACTORS.items() if abs(factor / v - 1) < 3e-3), "")
        times = f"{factor:.4g}" + (f", about {name}" if name else "")
        yield planned.scaled(factor), f"it looks like the planned distribution times {times}"
    for plain in (Normal(measured.mean, measured.std), _uniform(measured)):
        yield plain, f"it looks like {plain}"


def _moved_blocks(planned: Distribution, pieces: Sequence[Tensor]) -> str:
    """Return which blocks hold what is planned for other ones, as where gates were swapped."""
    if not isinstance(planned, Blocks) or planned.misfit(tuple(pieces[0].shape)):
        return ""
    blocks = planned.cut(pieces[0])
    found = [_fitting(planned.parts, place, block) for place, block in enumerate(blocks)]
    if told := [f"block {at} is as planned for {other}" for at, other in found if at != other]:
        return f"it looks as if blocks were moved: {', '.join(told)}"
    for place, (part, block) in enumerate(zip(planned.parts, blocks, strict=True)):
        if text := _moved_blocks(part, [block]):
            return f"{text}, in block {place}"
    return ""


def _fitting(parts: Sequence[Distribution], place: int, block: Tensor) -> tuple[int, int]:
    """Return the place of a block, and of a part that it fits: its own first, and without one."""
    for other in sorted(range(len(parts)), key=lambda at: at != place):
        part, tests = parts[other], []
        if not part.misfit(tuple(block.shape)):
            tests = list(part.tests(TensorSample(part, [block])))
        if tests and all(test.p > _FITS for test in tests):
            return place, other
    return place, place


def _planned_elsewhere(plan: Plan) -> dict[Distribution, str]:
    """Return the elementwise distributions of a plan, and the first parameter of each."""
    found: dict[Distribution, str] = {}
    for step in plan.steps:
        if step.status == WRITE and step.distribution is not None and step.distribution.elementwise:
            found.setdefault(step.distribution, step.name)
    return found


def _factor(planned: Distribution, std: float, measured: Measured) -> float:
    """Return how many times the planned distribution the values are; a bound tells it best."""
    if math.isfinite(planned.high) and planned.high > 0 and measured.n > 1000:
        # The largest of n values lies some 1/n below a bound, while a std is off by 1/sqrt(n).
        return measured.high / planned.high
    return measured.std / std


def _uniform(measured: Measured) -> Uniform:
    # The bounds of a uniform lie beyond its extremes by about as much as its values lie apart.
    room = (measured.high - measured.low) / measured.n
    return Uniform(measured.low - room, measured.high + room)


def _torch_default(checked: Checked) -> Distribution | None:
    info = slot_info(checked.slot) if checked.slot is not None else None
    if info is None or info.default is None or not info.default.value:
        return None
    value = info.default.value
    if info.default.kind == "uniform":
        return Uniform(-value, value)
    return Normal(0.0, value) if info.default.kind == "normal" else Constant(value)


def _looks_like(distribution: Distribution, measured: Measured, pieces: Sequence[Tensor]) -> bool:
    """Whether values pass the tests of a distribution; mean and std say whether to try."""
    mean, std = distribution.mean, distribution.std
    if mean is None or not std or not distribution.random:
        return False
    # Eight standard errors: cheaper than the tests below, and no candidate that fits is lost.
    room = 8 / math.sqrt(measured.n)
    if abs(measured.std / std - 1) >= room or abs(measured.mean - mean) >= room * std:
        return False
    tests = TensorSample(distribution, pieces).goodness_of_fit()
    return all(test.p > _FITS for test in tests)


# ---------------------------------------------------------------------------- trained weights


def looks_trained(checked: Sequence[Checked], failed: set[str]) -> bool:
    """Whether most of the model moved a little, as training does, and nothing is broken.

    Training moves what was planned constant, element by element; a mistake in a rule does not, and
    weights that still look like torch's own defaults were never initialised.
    """
    written = [c for c in checked if c.step is not None and c.step.status == WRITE and c.measured]
    if not failed or any(c.measured is not None and not c.measured.finite for c in written):
        return False
    if _still_default([c for c in written if c.name in failed]):
        return False
    constant = [c for c in written if _is_constant(c)]
    drawn = [c for c in written if not _is_constant(c)]
    # A single element that moved shows nothing; several that moved apart were moved one by one.
    fixed = [c for c in constant if c.measured and c.measured.n > 1]
    if len(fixed) >= 3:
        moved = [c for c in fixed if c.name in failed and _scattered(c)]
        return len(moved) >= 0.6 * len(fixed) and _mild(drawn) >= 0.6 * len(drawn)
    # Without constants to go by: most large tensors failed, each by another factor, all mildly.
    wide = [c for c in drawn if c.measured and c.measured.n >= 1000]
    moved = [c for c in wide if c.name in failed]
    if len(moved) < max(3, 0.8 * len(wide)) or _mild(wide) < 0.9 * len(wide):
        return False
    ratios = [_ratio(c) for c in moved]
    # A std is known to 1/sqrt(2n) of itself: factors nearer than that many times over are one.
    fewest = min(c.measured.n for c in moved if c.measured)
    return max(ratios) / max(min(ratios), 1e-30) > 1.01 + 8 / math.sqrt(2 * fewest)


def _still_default(failed: Sequence[Checked]) -> bool:
    """Whether some of the failed tensors are as torch's constructors left them."""
    defaults = [
        (c, default)
        for c in failed
        if c.pieces and c.measured is not None and c.measured.n >= _FEWEST
        if (default := _torch_default(c)) is not None
    ]
    alike = [
        _looks_like(default, c.measured, c.pieces) for c, default in defaults[:16] if c.measured
    ]
    # More than a quarter: a single one may be a layer that somebody meant to leave.
    return sum(alike) * 4 > len(alike)


def _is_constant(c: Checked) -> bool:
    return c.distribution is not None and c.distribution.constant is not None


def _scattered(c: Checked) -> bool:
    """Whether a constant became many values nearby."""
    if c.distribution is None or c.measured is None or c.distribution.constant is None:
        return False
    value = c.distribution.constant
    return c.measured.std > 0 and abs(c.measured.mean - value) < 1 + abs(value)


def _ratio(c: Checked) -> float:
    distribution, measured = c.distribution, c.measured
    if distribution is None or measured is None or not distribution.std:
        return 1.0
    return measured.std / distribution.std


def _mild(checked: Sequence[Checked]) -> int:
    """Count the tensors whose std is still of the planned order."""
    return sum(0.2 < _ratio(c) < 5 and math.isfinite(_ratio(c)) for c in checked)
