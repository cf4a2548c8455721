"""Compare a recipe with the model that it speaks of: what it declares, and what it writes.

A row of a test table is one line, a recipe and a builder:

    @recipe_rows(
        ("resnet/timm", lambda: need("timm").create_model("resnet18", num_classes=10)),
        ("fixup", "fixup original ImageNet BasicBlock"),   # figures of tests/data/published.json
    )
    def test_recipe(recipe, builder):
        check_recipe(recipe, builder)

A builder returns a fresh model whose own code has just initialised it. Where that code cannot be
installed, a text names the figures that were measured on it; the model is then rebuilt from torch
modules with the same names, shapes and class names.

Every tolerance comes from the sample size: the chance that a true recipe fails is ``_LEVEL`` per
model, shared out among all its comparisons, whatever their number.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import pytest
import torch
from published import published, skeleton
from torch import Tensor, nn

import initkit
from initkit import Plan, Step
from initkit.distributions import Blocks, Distribution, Orthogonal
from initkit.errors import DeferredError
from initkit.record import record_init
from initkit.write.recorded_rules import PLAN

Builder = Callable[[], nn.Module]

_LEVEL = 1e-4  # chance of a false alarm per model
_SEEDS = 3  # as many seeds for a small model, fewer for one of many parameters
_LARGE = 2_000_000
_SAMPLE = 100_000  # a tensor's values are thinned to this many for its moments,
_KS_SAMPLE = 20_000  # and to this many for the Kolmogorov-Smirnov test


def need(module: str) -> Any:
    """Return a module of a package that may be missing; skip the test where it is."""
    package = module.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    return importlib.import_module(module)


def recipe_rows(*rows: tuple[str, Builder | str]) -> Any:
    """Parametrise a test with ``recipe`` and ``builder``; ids are the recipes' names, numbered."""
    seen: dict[str, int] = {}
    params = []
    for recipe, builder in rows:
        seen[recipe] = seen.get(recipe, 0) + 1
        label = f" {builder.partition(' ')[2]}" if isinstance(builder, str) else ""
        params.append(pytest.param(recipe, builder, id=f"{recipe}-{seen[recipe]}{label}"))
    return pytest.mark.parametrize(("recipe", "builder"), params)


def check_recipe(recipe: Any, builder: Builder | str, **options: Any) -> None:
    """Fail with every parameter on which recipe and model differ."""
    if isinstance(builder, str):
        check_facts(recipe, builder, **options)
    else:
        check_model(recipe, builder, **options)


# ------------------------------------------------------------------------- against its recording


def check_recorded(recipe: Any, build: Builder) -> None:
    """Compare ``recipe`` with what the code of ``build()`` is seen to do, without any values.

    That takes a tenth of the time of drawing them, and tells distributions that look alike apart.
    """
    model, code = _recorded(build)
    recorded = {name: step for step in code for name in step.names}
    assert model is not None
    plan = initkit.plan_init(model, recipe)
    _whole(plan, ())
    wrong = [
        f"{step.name} by {step.rule!r}: {step.start}, and the code {recorded[step.name].start}"
        for step in plan
        if step.status == "write" and _other(step, recorded[step.name])
    ]
    _fail(recipe, wrong)


def _recorded(build: Builder) -> tuple[nn.Module | None, Plan]:
    """Record without values; with them where the code looks at them."""
    try:
        with initkit.deferred(record=True):
            model = build()
        plan: Plan = vars(model)[PLAN]
        if not plan.with_status("unexplained"):
            return model, plan
    except DeferredError:
        pass
    plan = record_init(build)
    return plan.model, plan


def _other(step: Step, code: Step) -> bool:
    """Say whether two steps start a tensor otherwise: in moments, bounds or kind of values."""
    ours, theirs = step.distribution, code.distribution
    assert ours is not None
    if theirs is None or (ours.random, ours.elementwise) != (theirs.random, theirs.elementwise):
        return True
    return ours != theirs and not torch.allclose(
        _figures(ours), _figures(theirs), rtol=1e-5, atol=1e-9
    )


def _figures(distribution: Distribution) -> Tensor:
    mean, std = distribution.mean or 0.0, distribution.std or 0.0
    far = abs(mean) + 8 * std  # bounds further away cut nothing
    edges = [max(-far, min(far, bound)) for bound in distribution.bounds]
    return torch.tensor([mean, std, *edges], dtype=torch.float64)


# ------------------------------------------------------------------------------ against a model


def check_model(
    recipe: Any,
    build: Builder,
    *,
    seeds: int | None = None,
    kept: Sequence[str] = (),
    ours: Builder | None = None,
) -> None:
    """Compare ``recipe`` with what ``build()`` draws over some seeds, and with what it writes.

    ``kept`` are names that the recipe leaves as they are; ``ours`` builds the model that the recipe
    is applied to, where that differs (with the same names and shapes).
    """
    models = [_built(build, 0)]
    seeds = seeds or _how_many(models[0])
    models += [_built(build, seed) for seed in range(1, seeds)]
    target = ours() if ours else models[0]
    plan = initkit.plan_init(target, recipe)
    _whole(plan, kept)
    drawn = _Pool([dict(_tensors(model)) for model in models], {})
    wrong = [f"the code draws otherwise: {text}" for text in _compare(plan, drawn)]
    written = _Pool([_written(target, recipe, seed) for seed in range(seeds)], {})
    wrong += [f"apply_init writes otherwise: {text}" for text in _compare(plan, written)]
    _fail(recipe, wrong)


def _built(build: Builder, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return build()


def _how_many(model: nn.Module) -> int:
    """Return how many seeds a model needs: the more parameters, the fewer."""
    size = sum(p.numel() for p in model.parameters())
    return max(1, min(_SEEDS, _LARGE // max(size, 1)))


def _whole(plan: Plan, kept: Sequence[str]) -> None:
    """Fail where the recipe does not say of every parameter how it starts."""
    assert not plan.problems, "\n".join(map(str, plan.problems))
    open_ = [s.name for s in plan if s.status not in ("write", "empty") and s.name not in kept]
    assert not open_, f"the recipe leaves {len(open_)} parameters open: {', '.join(open_[:10])}"


def _tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield every parameter by its public name; parametrized ones as their module shows them."""
    parametrized = nn.utils.parametrize.is_parametrized
    for path, module in model.named_modules():
        names = [name for name, p in module.named_parameters(recurse=False) if p is not None]
        if parametrized(module):
            names += list(module.parametrizations)
        if "weight" not in names and isinstance(getattr(module, "weight", None), Tensor):
            names.append("weight")  # computed, as under a legacy weight_norm
        for name in names:
            value = getattr(module, name)
            yield f"{path}.{name}" if path else name, value.detach()


def _written(model: nn.Module, recipe: Any, seed: int) -> dict[str, Tensor]:
    """Return what ``apply_init`` writes into memory that holds nothing."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(math.nan)
    initkit.apply_init(model, recipe, seed=seed)
    return {name: tensor.clone() for name, tensor in _tensors(model)}


@dataclass(frozen=True)
class _Pool:
    """The values of every parameter in several draws."""

    draws: list[dict[str, Tensor]]
    cache: dict[str, Tensor]

    def __getitem__(self, name: str) -> Tensor:
        """The draws of a parameter, stacked."""
        if name not in self.cache:
            self.cache[name] = torch.stack([draw[name] for draw in self.draws])
        return self.cache[name]


def _compare(plan: Plan, pool: _Pool) -> list[str]:
    steps = [step for step in plan if step.status == "write"]
    z = _z(12 * len(steps))
    wrong: list[str] = []
    for step in steps:
        assert step.distribution is not None
        values = pool[step.name]
        if step.padding is not None:
            padding = values[:, step.padding]
            if padding.abs().max() > 0:
                wrong.append(f"{step.name}: padding row {step.padding} is not zero")
            keep = torch.arange(values.shape[1]) != step.padding
            values = values[:, keep]
        wrong += [_line(step, what) for what in _differences(step.distribution, values, z)]
    return wrong


def _line(step: Step, what: str) -> str:
    return f"{step.name} {list(step.shape)} by {step.rule!r}: {step.start}, but {what}"


def _differences(distribution: Distribution, values: Tensor, z: float) -> Iterator[str]:
    """Yield how ``values`` (draws x shape) differ from what ``distribution`` promises."""
    if isinstance(distribution, Blocks) and values[0].numel():
        for i, (part, block) in enumerate(
            zip(distribution.parts, values.chunk(len(distribution.parts), 1), strict=True)
        ):
            for what in _differences(part, block, z):
                yield f"block {i} ({part.describe()}): {what}"
        return
    if not torch.isfinite(values).all():
        yield "some values are not finite"
    elif not distribution.random:
        yield from _exact_differences(distribution, values)
    else:
        yield from _random_differences(distribution, values, z)


def _exact_differences(distribution: Distribution, values: Tensor) -> Iterator[str]:
    expected = torch.empty(values[0].numel(), dtype=torch.float32)
    distribution.write(expected, None)  # no word is drawn
    error = (values.reshape(len(values), -1) - expected).abs().max().item()
    size = expected.abs().max().item()
    if error > 1e-5 * size:
        yield f"the values are from {values.min().item():.4g} to {values.max().item():.4g}"


def _random_differences(distribution: Distribution, values: Tensor, z: float) -> Iterator[str]:
    flat = values.reshape(-1)
    low, high = flat.min().item(), flat.max().item()
    some = _thinned(flat, _SAMPLE)
    n = some.numel()
    mean, std = some.mean().item(), some.std(correction=0).item()
    yield from _moments_differ(distribution, _Measured(n, mean, std, low, high), z, _kurtosis(some))
    if isinstance(distribution, Orthogonal):
        yield from _not_orthogonal(distribution, values.double())
    if distribution.elementwise and n >= 20:
        few = _thinned(flat, _KS_SAMPLE)
        distance = _ks(distribution, few)
        # P(sqrt(n) D > t) <= 2 exp(-2 t^2), whatever the distribution
        limit = math.sqrt(-math.log(1 - NormalDist().cdf(z)) / (2 * few.numel()))
        if distance > limit:
            yield f"the distribution is another (Kolmogorov-Smirnov {distance:.4f} > {limit:.4f})"


def _thinned(flat: Tensor, most: int) -> Tensor:
    """Return evenly spaced values, at most about so many, in double precision."""
    return flat[:: -(-flat.numel() // most)].double()


def _not_orthogonal(distribution: Orthogonal, values: Tensor) -> Iterator[str]:
    _, rows, columns = distribution.grid
    for matrix in values.reshape(-1, rows, columns):
        gram = matrix @ matrix.mT if rows <= columns else matrix.mT @ matrix
        square = distribution.gain**2
        error = (gram - square * torch.eye(len(gram), dtype=gram.dtype)).abs().max().item()
        if error > 1e-4 * max(square, 1e-12):
            yield f"a matrix is not orthogonal (by {error:.2g})"
            return


def _ks(distribution: Distribution, values: Tensor) -> float:
    """Return the largest distance between the empirical and the declared CDF."""
    x = values.sort().values
    rank = torch.arange(1, len(x) + 1, dtype=torch.float64)
    last = torch.ones(len(x), dtype=torch.bool)
    last[:-1] = x[1:] > x[:-1]  # of equal values only the last counts, and the first from below
    first = torch.ones_like(last)
    first[1:] = last[:-1]
    slack = 1e-6 * x.abs()  # float32's rounding must not move an atom to the wrong side
    above = distribution.cdf(x + slack) - (rank / len(x))
    below = ((rank - 1) / len(x)) - distribution.cdf(x - slack)
    return max(float((-above)[last].max()), float((-below)[first].max()))


# ---------------------------------------------------------------------------------- comparisons


@dataclass(frozen=True)
class _Measured:
    """What is known of a sample: size, moments, extremes, excess kurtosis."""

    n: int
    mean: float
    std: float
    low: float
    high: float
    excess: float | None = None


def _moments_differ(
    distribution: Distribution, sample: _Measured, z: float, kurtosis: float
) -> Iterator[str]:
    """Yield where mean, std or bounds of a sample are too far from the distribution's."""
    assert distribution.mean is not None and distribution.std is not None
    n, std = sample.n, distribution.std
    if abs(sample.mean - distribution.mean) > z * std / math.sqrt(n):
        yield f"the mean is {sample.mean:.4g} instead of {distribution.mean:.4g} (n = {n})"
    wiggle = z * math.sqrt((max(kurtosis, 1.8) - 1) / (4 * n))
    if n >= 30 and abs(sample.std / std - 1) > wiggle:
        yield f"the std is {sample.std:.4g} instead of {std:.4g} (n = {n}, tolerance {wiggle:.1%})"
    low, high = distribution.low, distribution.high
    edge = 1e-5 * max(abs(low), abs(high)) if math.isfinite(high - low) else 0.0
    if sample.low < low - edge or sample.high > high + edge:
        yield f"values reach from {sample.low:.4g} to {sample.high:.4g}"
    furthest = max(distribution.mean - sample.low, sample.high - distribution.mean)
    if math.isinf(high) and furthest > 8 * std and kurtosis < 3.5:
        yield f"a value lies {furthest / std:.1f} standard deviations off"


def _z(comparisons: float) -> float:
    """Return how many standard errors one of that many comparisons may be off."""
    return NormalDist().inv_cdf(1 - _LEVEL / (2 * comparisons))


def _kurtosis(flat: Tensor) -> float:
    squares = (flat - flat.mean()).square()
    variance = squares.mean()
    return float(squares.square().mean() / variance.square()) if variance else 3.0


def _fail(recipe: Any, wrong: list[str]) -> None:
    if wrong:
        more = f"\n... and {len(wrong) - 20} more" if wrong[20:] else ""
        pytest.fail(f"{recipe}\n" + "\n".join(wrong[:20]) + more, pytrace=False)


# --------------------------------------------------------------------------- against the figures


def check_facts(
    recipe: Any,
    key: str,
    *,
    kept: Sequence[str] = (),
    config: object = None,
    model: nn.Module | None = None,
    write: bool = True,
) -> None:
    """Compare ``recipe`` with the figures measured on a published model, and with what it writes.

    ``model`` has the same names and shapes, and is rebuilt where it is not given: then its torch
    modules have their classes, the containers have not. ``config`` is what it carries as
    ``model.config``. ``write=False`` spares a large model the writing.
    """
    model = model or skeleton(key)
    if config is not None:
        model.config = config
    plan = initkit.plan_init(model, recipe)
    _whole(plan, kept)
    wrong = [f"measured otherwise: {text}" for text in _facts_differ(plan, published(key))]
    if write:
        written = _Pool([_written(model, recipe, seed) for seed in range(_how_many(model))], {})
        wrong += [f"apply_init writes otherwise: {text}" for text in _compare(plan, written)]
    _fail(recipe, wrong)


def _facts_differ(plan: Plan, entry: dict[str, Any]) -> Iterator[str]:
    steps = [step for step in plan if step.status == "write"]
    z = _z(6 * len(steps))
    for step in steps:
        assert step.distribution is not None
        share = 1 / step.shape[0] if step.padding is not None else 0.0
        if None in entry["params"][step.name]:  # the published code leaves it as the memory was
            continue
        sample = measured(entry["params"][step.name], entry["seeds"])
        for what in sample_differs(step.distribution, sample, share, z):
            yield _line(step, what)


def measured(row: Sequence[Any], seeds: int) -> _Measured:
    """Read a row of the figures: class, shape, then the one value, or moments and extremes."""
    _, shape, *numbers = row
    numbers = [x for x in numbers if not isinstance(x, dict)]
    n = math.prod(shape) * seeds
    if len(numbers) == 1:
        return _Measured(n, numbers[0], 0.0, numbers[0], numbers[0])
    mean, std, low, high, excess = numbers
    return _Measured(n, mean, std, low, high, excess)


def sample_differs(
    distribution: Distribution, sample: _Measured, share: float = 0.0, z: float = 5.5
) -> Iterator[str]:
    """Compare one sample of which a ``share`` is zero (padding rows) with a distribution."""
    mean, std, kurtosis = _shape_of(distribution)
    if not std:
        if max(abs(sample.low - mean), abs(sample.high - mean)) > 1e-5 * abs(mean):
            yield f"the values are from {sample.low:.6g} to {sample.high:.6g}"
        return
    n = sample.n * (1 - share)
    square = (sample.std**2 + sample.mean**2) / (1 - share)
    seen = sample.mean / (1 - share)
    spread = math.sqrt(max(square - seen**2, 0.0))
    if not share:
        seen, spread = sample.mean, sample.std
    rest = _Measured(int(n), seen, spread, sample.low, sample.high)
    if distribution.elementwise or not isinstance(distribution, Orthogonal):
        yield from _moments_differ(distribution, rest, z, kurtosis)
    elif abs(math.hypot(spread, seen) / std - 1) > 1e-3:  # of one row the norm is exact
        yield f"the std is {spread:.5g} instead of {std:.5g}"
    if sample.excess is not None and n >= 2000 and not share and distribution.elementwise:
        off = abs(sample.excess + 3 - kurtosis)
        # the fourth moment's own error, as for a normal distribution; lighter tails vary less
        if off > z * math.sqrt(24 / n) * max(1.0, (kurtosis / 3) ** 2):
            yield f"the excess kurtosis is {sample.excess:.3f} instead of {kurtosis - 3:.3f}"
    finite = math.isfinite(distribution.low) and math.isfinite(distribution.high)
    if finite and distribution.elementwise and n >= 500 and kurtosis < 1.9:
        missed = 20 / n * (distribution.high - distribution.low)
        if distribution.high - sample.high > missed or sample.low - distribution.low > missed:
            yield f"values reach only from {sample.low:.5g} to {sample.high:.5g}"


@lru_cache(maxsize=4096)
def _shape_of(distribution: Distribution) -> tuple[float, float, float]:
    """Return mean, std and kurtosis of a distribution, the last from its CDF."""
    mean, std = distribution.mean, distribution.std
    assert mean is not None and std is not None
    if not std:
        return mean, 0.0, 3.0
    low, high = max(distribution.low, mean - 12 * std), min(distribution.high, mean + 12 * std)
    x = torch.linspace(low - 1e-9, high + 1e-9, 20_001, dtype=torch.float64)
    mass = distribution.cdf(x).diff()
    centred = (x[1:] + x[:-1]) / 2 - mean
    return mean, std, float((centred.pow(4) * mass).sum()) / std**4
