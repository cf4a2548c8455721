"""Which rule started what: remembered for as long as the module lives, to be looked up later."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

from ..plan import WRITE, Plan

# By identity, since modules need not hash by it; of each name the number of the run, and the rule.
_started: Mapping[nn.Module, dict[str, tuple[int, str]]] = WeakIdKeyDictionary()
_runs = itertools.count()


def remember_rules(root: nn.Module | None, plan: Plan) -> None:
    """Note which rule wrote each name of a module; of a state_dict nothing is noted."""
    if root is not None:
        run = next(_runs)
        written = {n: (run, s.rule) for s in plan.steps if s.status == WRITE for n in s.names}
        _started.setdefault(root, {}).update(written)  # type: ignore[attr-defined]


def rules_that_started(root: nn.Module) -> dict[str, str]:
    """Return for each name which rule wrote it last, through this module or one inside it."""
    latest: dict[str, tuple[int, str]] = {}
    if not _started:
        return {}
    for path, module in root.named_modules():
        for key, entry in _started.get(module, {}).items():
            name = f"{path}.{key}" if path else key
            if name not in latest or latest[name][0] < entry[0]:
                latest[name] = entry
    return {name: rule for name, (_, rule) in latest.items()}
