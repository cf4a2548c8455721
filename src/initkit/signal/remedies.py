"""What to write instead, in rules, with the numbers that it will give."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from ..model import ModelView, Slot
from ..numbers import Value, frozen
from ..plan import DEFAULTS, InitOptions, Plan, Step, plan_view, slot_info
from .points import Activation, ParameterSignal, Point
from .trunk import Trunk

Pairs = tuple[tuple[str, str | float], ...]
_NONLINEARITIES = {"relu": "relu", "relu6": "relu", "threshold": "relu", "tanh": "tanh"}
# What models call the projections that make queries and keys, alone or packed.
_SCORES = re.compile(r"(^|[._])(w?qk?v?|w?k|query|key|query_key_value|c_attn|in_proj)([._]|$)")


@frozen
class Remedy(Value):
    """What to do about a finding: a sentence, and rules by names of parameters."""

    text: str
    rules: Pairs = ()


class Remedies:
    """Find remedies for one model, from its plan, its parameters and what follows its layers."""

    def __init__(
        self,
        view: ModelView,
        plan: Plan | None,
        parameters: Sequence[ParameterSignal],
        activations: Sequence[Activation],
    ) -> None:
        self.view, self.plan = view, plan
        self.parameters = {name: p for p in parameters for name in p.names}
        self.slots = {name: slot for slot in view.slots for name in slot.canonicals}
        kinds = Counter(_NONLINEARITIES.get(a.kind, "linear") for a in activations)
        self.nonlinearity = kinds.most_common(1)[0][0] if kinds else "linear"
        self._planned: dict[str, Mapping[str, Step]] = {}

    def start(self, name: str) -> str:
        """Say how a parameter was started: by which rule, or with which rms."""
        step = next((s for s in self.plan or () if name in (*s.names, s.seed_name)), None)
        if step is not None and step.rule:
            return f"{name} (rule {step.rule!r}: {step.start})"
        known = self.parameters.get(name)
        return f"{name} (rms {known.rms:.3g})" if known is not None else name

    def normal(self, name: str, std: float, why: str) -> Remedy:
        """Return the remedy that gives a weight a std."""
        scheme = f"normal(std={std:.4g})"
        return Remedy(f"{self.start(name)}: write {scheme!r}, {why}", ((name, scheme),))

    def trunk(self, trunk: Trunk | None) -> Remedy | None:
        """Return the remedy for all weights along the trunk, with the factor that it will have."""
        names = self._inside(trunk.names) if trunk is not None else []
        if not names:
            return None
        assert trunk is not None
        scheme = f"kaiming_normal(nonlinearity={self.nonlinearity!r})"
        stds = self._stds(scheme)
        names = [name for name in names if name in stds]
        if not names:
            return None
        text = f"{self.start(names[0])}: write {scheme!r}"
        law, first = trunk.forward, self.parameters[names[0]]
        if law is not None and law.kind == "exponential" and first.rms:
            factor = law.rate * stds[names[0]] / first.rms
            text += f", which has a factor of {factor:.3g} where this has {law.rate:.3g}"
        return Remedy(text, tuple((name, scheme) for name in names))

    def alive(self, activation: Activation) -> Remedy | None:
        """Return the remedy for units that are dead: no bias, weights that keep the signal."""
        weight, bias = self._own(activation.source)
        rules: list[tuple[str, str | float]] = []
        if weight is not None:
            known = slot_info(self.slots[weight])
            norm = known is not None and known.role == "norm weight"
            scheme = "kaiming_normal(nonlinearity='relu')"
            if norm:
                rules.append((weight, 1))
            elif weight in self._stds(scheme):
                rules.append((weight, scheme))
        if bias is not None:
            rules.append((bias, 0))
        return self._written(rules)

    def unsaturated(self, activation: Activation, points: Sequence[Point]) -> Remedy | None:
        """Return the remedy for saturated units: an input of rms 1 at most, and no bias."""
        weight, bias = self._own(activation.source)
        point = next((p for p in points if p.name == activation.source), None)
        rules: list[tuple[str, str | float]] = []
        if point is not None and weight is not None and weight in self.parameters:
            shift = self.parameters[bias].rms if bias in self.parameters else 0.0
            signal = math.sqrt(max(point.rms**2 - shift**2, 0.0))
            if signal > 1:
                std = self.parameters[weight].rms / signal
                rules.append((weight, f"normal(std={std:.4g})"))
        if bias is not None:
            rules.append((bias, 0))
        return self._written(rules)

    def attention(self, name: str, points: Sequence[Point]) -> Remedy | None:
        """Return the remedy for scores that are too large: queries and keys of unit variance."""
        inside = [p for p in points if p.parameters and _within(p.name, name) and p.entering]
        named = [p for p in inside if _SCORES.search(".".join(p.parameters[0].split(".")[-2:]))]
        rules: list[tuple[str, str | float]] = []
        for p in named or inside:
            weight, bias = self._own(p.parameters[0])
            if weight is None or weight not in self.parameters or not p.rms:
                continue
            std = self.parameters[weight].rms / max(p.rms, 1.0)
            rules.append((weight, f"normal(std={std:.4g})"))
            if bias is not None and self.parameters[bias].rms:
                rules.append((bias, 0))
        return self._written(list(dict(rules).items()))

    def head(self, name: str, points: Sequence[Point]) -> Remedy | None:
        """Return the remedy for a loss that is too large: logits with a std of 0.5."""
        point = next((p for p in reversed(points) if p.name == name and p.parameters), None)
        if point is None or not point.rms or point.parameters[0] not in self.parameters:
            return None
        weight = point.parameters[0]
        std = self.parameters[weight].rms * min(1.0, 0.5 / point.rms)
        return self.normal(weight, std, "so that outputs have a std of 0.5 and the loss is near it")

    # ---- names

    def _written(self, rules: Sequence[tuple[str, str | float]]) -> Remedy | None:
        if not rules:
            return None
        listed = ", ".join(f"{self.start(name)}: {value!r}" for name, value in rules[:4])
        return Remedy(f"Write {listed}", tuple(rules))

    def _own(self, name: str) -> tuple[str | None, str | None]:
        """Return the weight and the bias of a module, or the parameter of that name."""
        if name in self.slots:
            owner, _, key = name.rpartition(".")
            weight, bias = name, name.removesuffix(key) + key.replace("weight", "bias")
            del owner
            return weight, bias if bias != weight and self._holds(bias) else None
        dot = f"{name}." if name else ""
        weight, bias = f"{dot}weight", f"{dot}bias"
        return (weight if self._holds(weight) else None, bias if self._holds(bias) else None)

    def _holds(self, name: str) -> bool:
        slot = self.slots.get(name)
        return slot is not None and slot.tensor is not None

    def _inside(self, modules: Sequence[str]) -> list[str]:
        """Return the matrices of some modules, or of some operations' parameters."""
        wanted = dict.fromkeys(modules)
        found = []
        for name, slot in self.slots.items():
            parts = name.split(".")
            paths = {".".join(parts[:i]) for i in range(len(parts) + 1)}
            if paths & wanted.keys() and self._is_matrix(slot) and name == slot.canonical:
                found.append(name)
        return found

    def _is_matrix(self, slot: Slot) -> bool:
        matrix = slot.kind == "parameter" and not slot.literal and slot.tensor is not None
        return matrix and len(slot.shape) > 1

    def _stds(self, scheme: str) -> Mapping[str, float]:
        """Return the std that a scheme would give every matrix, where it can be reckoned."""
        if scheme not in self._planned:
            names = [n for n, s in self.slots.items() if self._is_matrix(s)]
            options: InitOptions = {**DEFAULTS, "idle": "ignore"}
            plan = plan_view(self.view, [dict.fromkeys(names, scheme), {"*": "keep"}], options)
            self._planned[scheme] = {name: step for step in plan for name in step.names}
        found = {}
        for name, step in self._planned[scheme].items():
            std = step.distribution.std if step.distribution is not None else None
            if std:
                found[name] = std
        return found


def _within(name: str, module: str) -> bool:
    return name.startswith(f"{module}.") or not module
