"""``calibrate_init``: layer-sequential unit variance, as factors of a plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from ..errors import OptionError, TargetError
from ..model import ModelView, preserved
from ..plan import DEFAULTS, WRITE, Plan, Selection, plan_view, slot_info
from ..rules import Listing, Rules
from ..wording import checks_calls
from .calibration import Calibration
from .operations import CONVOLUTIONS, LOOKUPS
from .tracer import LinearUse, Memory, Tracer
from .written import seeded, written

Target: TypeAlias = float | Mapping[str, float]


@checks_calls
def calibrate_init(
    model: nn.Module,
    rules: Rules | Plan | None,
    /,
    *inputs: Any,
    seed: int | None = None,
    target: Target = 1.0,
    only: Selection = None,
    protect: Selection = None,
    tol: float = 0.01,
    passes: int = 20,
    **kwargs: Any,
) -> Calibration:
    """Find factors of weights that give every layer's output a std of ``target``.

    ``inputs`` and ``kwargs`` are those of the model, of which nothing is written: the result holds
    the factors, and the plan of ``rules`` with its laws multiplied by them, whose values depend on
    ``seed`` and names alone. With ``rules=None`` the weights are those that the model has, and
    there is no plan. ``target`` is a std, or a table from names, globs or paths to one (1 for all
    others); ``only`` and ``protect`` choose parameters as everywhere. Layers are scaled in the
    order of the forward, each seeing those before it as they will be; a further forward confirms.
    A weight that is used several times gets one factor, for the std over all its uses, ``tol`` is
    how far from the target a std may stay, ``passes`` the most forwards.

    Norms, embeddings, memory tied between layers of different kinds, weights whose output is zero
    or whose bias alone exceeds the target are left alone, with the reason in ``.skipped``.

    Raises :class:`TargetError` as :func:`initkit.probe_init` does, :class:`PlanError` where rules,
    ``only`` or ``protect`` don't fit the model, :class:`OptionError` for other options.

    The idea is that of Mishkin and Matas, "All you need is a good init" (2016).

    >>> import torch
    >>> model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
    >>> rules = {"*.weight": "orthogonal", "*.bias": 0}
    >>> found = calibrate_init(model, rules, torch.randn(256, 64), seed=0)
    >>> found.converged, {name: round(std, 3) for name, std in found.after.items()}
    (True, {'0.weight': 1.0, '2.weight': 1.0})
    >>> found.plan.apply(model, seed=0).written[0]
    '0.weight'
    """
    if not isinstance(model, nn.Module):
        raise TargetError(f"calibrating needs a module to run, not {type(model).__name__}")
    _check(target, tol, passes)
    view = ModelView(model)
    plan = None
    if rules is not None:
        plan = rules if isinstance(rules, Plan) else plan_view(view, rules, DEFAULTS)
        plan.check()
    tracer = Calibrator(view, target)
    tracer.skipped |= _left_alone(tracer, plan, _selected(view, only, protect))
    with written(plan, model, tracer, seed) as used, preserved(model), torch.no_grad():
        # Not a pass yet: what the weights do as they are, and how often each is used.
        for _ in tracer.forwards(passes, tol):
            seeded(view, used if used is not None else 0)
            with tracer.following():
                model(*inputs, **kwargs)
    factors = {name: f for name, f in tracer.factors.items() if name not in tracer.skipped}
    return Calibration(
        factors=factors,
        before={name: tracer.before[name] for name in factors},
        after={name: tracer.stds[name] for name in factors},
        skipped=dict(tracer.skipped),
        passes=tracer.passes,
        converged=tracer.converged(tol),
        seed=used,
        plan=plan.scaled(factors) if plan is not None else None,
    )


def _check(target: Target, tol: float, passes: int) -> None:
    stds = target.values() if isinstance(target, Mapping) else [target]
    for std in stds:
        if not 0 < std < math.inf:
            raise OptionError(f"target is a positive std, not {std!r}", option="target")
    if not tol > 0:
        raise OptionError(f"tol is a positive number, not {tol!r}", option="tol")
    if passes < 1:
        raise OptionError(f"passes is at least 1, not {passes!r}", option="passes")


def _selected(view: ModelView, only: Selection, protect: Selection) -> dict[str, str]:
    """Return why parameters are not selected, by every name; raise for entries that match none."""
    plan = plan_view(view, {"*": "keep"}, {**DEFAULTS, "only": only, "protect": protect})
    plan.check()
    return {
        name: step.status
        for step in plan
        if step.status in ("protected", "not in only")
        for name in (*step.names, step.seed_name)
    }


def _left_alone(
    tracer: Calibrator, plan: Plan | None, unselected: Mapping[str, str]
) -> dict[str, str]:
    """Return why parameters are left alone, before anything has run; biases are not listed."""
    steps = {n: step for step in plan or () for n in (*step.names, step.seed_name)}
    found = {}
    for memory in tracer.memories.values():
        step = steps.get(memory.name)
        reason = next((unselected[n] for n in memory.names if n in unselected), "") or _kind(memory)
        if not reason and plan is not None and (step is None or step.status != WRITE):
            reason = "no rule writes it"
        elif not reason and step is not None and not _scalable(step.distribution):
            reason = "a function of yours starts it"
        if reason:
            found[memory.name] = reason
    biases = [m.name for m in tracer.memories.values() if _role(m) in ("bias", "norm bias")]
    return {name: reason for name, reason in found.items() if name not in biases}


def _scalable(distribution: Any) -> bool:
    return distribution is not None and distribution.known


def _role(memory: Memory) -> str:
    known = slot_info(memory.slot)
    return known.role if known is not None else ""


def _kind(memory: Memory) -> str:
    """Return why a parameter is none that can be calibrated, or nothing."""
    owners = {type(slot.owner).__name__ for slot in memory.slots}
    if len(owners) > 1:
        return f"tied between {' and '.join(sorted(owners))}"
    if _role(memory) == "norm weight":
        return "a norm's"
    if isinstance(memory.slot.owner, nn.Embedding | nn.EmbeddingBag):
        return "an embedding"
    if isinstance(memory.slot.owner, nn.RNNBase | nn.RNNCellBase):
        return "inside a fused recurrent layer"
    return "no matrix" if len(memory.slot.shape) < 2 else ""


@dataclass(slots=True)
class _Sums:
    """Pooled moments of the outputs of one weight in one pass."""

    n: int = 0
    first: float = 0.0
    second: float = 0.0
    uses: int = 0

    def add(self, x: Tensor) -> None:
        y = x.detach().double()
        self.n += y.numel()
        self.first += float(y.sum())
        self.second += float(y.square().sum())
        self.uses += 1

    @property
    def std(self) -> float:
        mean = self.first / self.n
        return math.sqrt(max(self.second / self.n - mean * mean, 0.0))


class Calibrator(Tracer):
    """Scale the outputs of layers on their way, and remember by how much."""

    def __init__(self, view: ModelView, target: Target) -> None:
        super().__init__(view)
        self.target = target
        self.skipped: dict[str, str] = {}
        self.factors: dict[str, float] = {}
        self.sums: dict[str, _Sums] = {}
        self.before: dict[str, float] = {}
        self.stds: dict[str, float] = {}
        self.shared: set[str] = set()  # used several times in one forward
        self.passes = 0
        self.measuring = True

    def forwards(self, most: int, tol: float) -> Iterable[None]:
        """Yield for every forward to be run: one to measure, then until all is on target."""
        yield from self._forward()
        self.before = dict(self.stds)
        self.shared = {name for name, sums in self.sums.items() if sums.uses > 1}
        self.skipped |= {
            name: "never seen as a layer's weight in this forward"
            for memory in self.memories.values()
            if (name := memory.name) not in self.sums
            and name not in self.skipped
            and _role(memory) not in ("bias", "norm bias")
        }
        self.measuring = False
        while self.passes < most:
            self.passes += 1
            scaled = dict(self.factors)
            yield from self._forward()
            if self.passes > 1 and self.converged(tol):
                self.factors = scaled | {n: f for n, f in self.factors.items() if n not in scaled}
                return
            self._scale_shared()

    def _forward(self) -> Iterable[None]:
        self.sums = {}
        yield
        self.stds = {name: sums.std for name, sums in self.sums.items()}

    def converged(self, tol: float) -> bool:
        """Say whether every std of the last pass is on target."""
        return all(
            abs(self.stds.get(name, 0.0) / self._wanted(name) - 1) <= tol for name in self.factors
        )

    def _wanted(self, name: str) -> float:
        if not isinstance(self.target, Mapping):
            return self.target
        names = self.memories[name].names
        found = (
            std for entry, std in self.target.items() if any(map(Listing([entry]).matches, names))
        )
        return next(found, 1.0)

    def _scale_shared(self) -> None:
        for name in self.shared - self.skipped.keys():
            sums = self.sums.get(name)
            if sums is None or not sums.std:
                continue
            # Each use passes the factor on to the next, so that all of them together overshoot.
            power = 1 / sums.uses
            self.factors[name] *= (self._wanted(name) / sums.std) ** power

    def linear(self, use: LinearUse, run: Callable[[], object]) -> object:
        """Scale the result of an operation on a weight."""
        result, name = run(), use.memory.name
        if not isinstance(result, Tensor) or not result.is_floating_point():
            return result
        if use.operation in LOOKUPS:
            self.skipped.setdefault(name, "an embedding")
        if name in self.skipped:
            return result
        bias = _broadcast(use, result)
        part = result if bias is None else result - bias
        first = name not in self.sums
        if not self.measuring and first and name not in self.shared:
            reason = self._solve(name, part, bias)
            if reason:
                self.skipped[name] = reason
                self.factors.pop(name, None)
                return result
        if not self.measuring:
            factor = self.factors.setdefault(name, 1.0)
            result = part * factor if bias is None else torch.add(bias, part, alpha=factor)
        self.sums.setdefault(name, _Sums()).add(result)
        return result

    def _solve(self, name: str, part: Tensor, bias: Tensor | None) -> str:
        """Set the factor for which bias + factor * part has the std; return why there is none."""
        x = part.double()
        spread = float(x.var(correction=0))
        wanted = self._wanted(name)
        if not math.isfinite(spread):
            return "its output is not finite"
        if spread == 0:
            return "its output is zero"
        shift = both = 0.0
        if bias is not None:
            b = bias.double().expand_as(x)
            shift = float(b.var(correction=0))
            both = float(((x - x.mean()) * (b - b.mean())).mean())
        if shift >= wanted**2:
            return f"its bias alone has a std of {math.sqrt(shift):.3g}"
        root = math.sqrt(both * both + spread * (wanted**2 - shift))
        self.factors[name] = (root - both) / spread
        return ""


def _broadcast(use: LinearUse, result: Tensor) -> Tensor | None:
    """Return the bias in a shape that adds to the result."""
    bias = use.bias
    if bias is None or bias.dim() != 1 or use.operation not in CONVOLUTIONS:
        return bias
    shape = [1] * result.dim()
    shape[-3 if "2d" in use.operation else -4 if "3d" in use.operation else -2] = -1
    return bias.view(shape)
