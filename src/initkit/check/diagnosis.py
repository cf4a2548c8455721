"""What a tensor that failed looks like instead: torch's default, another rule, a multiple."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from torch import Tensor

from ..distributions import Constant, Distribution, Normal, TruncatedNormal, Uniform
from ..plan import WRITE, Plan, Step, slot_info
from .measure import Measured
from .report import Checked
from .sample_tests import judge
from .structure import look

_FEWEST = 200  # elements that tell distributions apart
_FITS = 1e-4
_KNOWN = {"sqrt(2)": math.sqrt(2), "sqrt(3)": math.sqrt(3), "1/sqrt(2)": math.sqrt(0.5),
          "1/sqrt(3)": 1 / math.sqrt(3), "2": 2.0, "1/2": 0.5, "5/3": 5 / 3}  # fmt: skip


def suspect(found: Checked, plan: Plan) -> str:
    """Return what the values of a failed tensor look like, or nothing."""
    step, seen = found.step, found.seen
    if (
        step is None
        or seen is None
        or step.distribution is None
        or not found.parts
        or not seen.finite
    ):
        return ""
    if isinstance(step.distribution, TruncatedNormal) and _torchs_edge(step.distribution, seen):
        return (
            "torch.nn.init.trunc_normal_ in float32 gives the bound itself once in 16 million "
            "elements; initkit never does"
        )
    if seen.n < _FEWEST or seen.low == seen.high:
        return ""
    for distribution, told in _candidates(found, step.distribution, plan):
        if (
            distribution != step.distribution
            and _near(distribution, seen)
            and _fits(distribution, found.parts)
        ):
            return told
    return ""


def _candidates(
    found: Checked, distribution: Distribution, plan: Plan
) -> Iterator[tuple[Distribution, str]]:
    default = _torch_default(found)
    if default is not None:
        told = f"it looks like torch's own default, {default}: as if nothing had initialised it"
        yield default, told
    seen = found.seen
    assert seen is not None and found.step is not None
    others: dict[Distribution, str] = {}
    for step in plan.steps:
        if step.status == WRITE and step.distribution is not None and step.distribution.elementwise:
            others.setdefault(step.distribution, step.name)
    for other, name in others.items():
        if other.random and other != distribution:
            yield other, f"it looks like {other}, which is planned for {name}"
    if (
        distribution.elementwise
        and distribution.random
        and distribution.mean == 0
        and distribution.std
    ):
        bounded = math.isfinite(distribution.high) and distribution.high > 0
        factor = (
            seen.high / distribution.high
            if bounded and seen.n > 1000
            else seen.std / distribution.std
        )
        name = next((text for text, v in _KNOWN.items() if abs(factor / v - 1) < 3e-3), "")
        times = f"{factor:.4g}" + (f", about {name}" if name else "")
        yield distribution.scaled(factor), f"it looks like the planned distribution times {times}"
    for kind in (Normal(seen.mean, seen.std), _uniform(seen)):
        yield kind, f"it looks like {kind}"


def _torchs_edge(distribution: TruncatedNormal, seen: Measured) -> bool:
    """Whether a lone value stands on a bound that no value should come near."""
    far = (
        min(distribution.loc - distribution.low, distribution.high - distribution.loc)
        > 7 * distribution.scale
    )
    return far and (seen.low == distribution.low or seen.high == distribution.high)


def _uniform(seen: Measured) -> Uniform:
    room = (seen.high - seen.low) / seen.n
    return Uniform(seen.low - room, seen.high + room)


def _torch_default(found: Checked) -> Distribution | None:
    info = slot_info(found.slot) if found.slot is not None else None
    if info is None or info.default is None or not info.default.value:
        return None
    value = info.default.value
    if info.default.kind == "uniform":
        return Uniform(-value, value)
    return Normal(0.0, value) if info.default.kind == "normal" else Constant(value)


def _near(distribution: Distribution, seen: Measured) -> bool:
    """Whether mean and std are near enough for a closer look."""
    if (
        distribution.std is None
        or distribution.mean is None
        or not distribution.random
        or not distribution.std
    ):
        return False
    room = 8 / math.sqrt(seen.n)
    return (
        abs(seen.std / distribution.std - 1) < room
        and abs(seen.mean - distribution.mean) < room * distribution.std
    )


def _fits(distribution: Distribution, parts: Sequence[Tensor]) -> bool:
    tests = judge(distribution, parts[0].dtype, look(distribution, parts))
    return all(test.p > _FITS for test in tests)


# ---------------------------------------------------------------------------- trained weights


def left_initialisation(checked: Sequence[Checked], failed: set[str]) -> bool:
    """Whether most of the model moved a little, as training does, and nothing is broken.

    Training moves what was planned constant, element by element; a mistake in a rule does not, and
    weights that still look like torch's own defaults were never initialised.
    """
    written = [c for c in checked if c.step is not None and c.step.status == WRITE and c.seen]
    fixed = [c for c in written if isinstance(_law(c), Constant) and c.seen and c.seen.n > 1]
    drawn = [c for c in written if not isinstance(_law(c), Constant)]
    if not failed or any(c.seen is not None and not c.seen.finite for c in written):
        return False
    if _still_default([c for c in written if c.name in failed]):
        return False
    moved = [c for c in fixed if c.name in failed and c.seen and _scattered(c)]
    if len(fixed) >= 3:
        return len(moved) >= 0.6 * len(fixed) and _mild(drawn) >= 0.6 * len(drawn)
    wide = [c for c in drawn if c.seen and c.seen.n >= 1000]
    ratios = [_ratio(c) for c in wide if c.name in failed]
    spread = max(ratios, default=1.0) / max(min(ratios, default=1.0), 1e-30)
    mostly = len(ratios) >= max(3, 0.8 * len(wide))
    return mostly and spread > 1.01 and _mild(wide) >= 0.9 * len(wide)


def _still_default(failed: Sequence[Checked]) -> bool:
    """Whether some of the failed tensors are as torch's constructors left them."""
    large = [c for c in failed if c.parts and c.seen is not None and c.seen.n >= _FEWEST]
    defaults = [(c, distribution) for c in large if (distribution := _torch_default(c)) is not None]
    fits = [
        _near(distribution, c.seen) and _fits(distribution, c.parts)
        for c, distribution in defaults[:16]
        if c.seen
    ]
    return sum(fits) * 4 > len(fits)


def _law(c: Checked) -> object:
    return c.step.distribution if c.step is not None else None


def _scattered(c: Checked) -> bool:
    """Whether a constant became many values nearby."""
    assert c.seen is not None and isinstance(c.step, Step)
    distribution = c.step.distribution
    assert isinstance(distribution, Constant)
    return c.seen.std > 0 and abs(c.seen.mean - distribution.value) < 1 + abs(distribution.value)


def _ratio(c: Checked) -> float:
    distribution, seen = c.step.distribution if c.step is not None else None, c.seen
    if distribution is None or seen is None or not distribution.std:
        return 1.0
    return seen.std / distribution.std


def _mild(checked: Sequence[Checked]) -> int:
    """Count the tensors whose std is still of the planned order."""
    return sum(0.2 < _ratio(c) < 5 and math.isfinite(_ratio(c)) for c in checked)
