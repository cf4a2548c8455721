"""Which rule started a parameter is remembered as long as its module lives, and no longer."""

from __future__ import annotations

import gc
import weakref

from torch import nn

from initkit import apply_init, plan_init
from initkit.write import rules_that_started


def net() -> nn.Sequential:
    """Return two layers."""
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))


def test_only_what_was_written_is_remembered() -> None:
    model = net()
    apply_init(model, {"0.weight": 1, "0.bias": "keep", "1.*": 0}, only=["0", "1.weight"])
    assert rules_that_started(model) == {"0.weight": "0.weight", "1.weight": "1.*"}


def test_the_last_rule_counts_whichever_module_it_went_through() -> None:
    model = net()
    apply_init(model[0], {"weight": 1, "bias": 2})
    apply_init(model, {"*.weight": 0, "*": "keep"})
    assert rules_that_started(model)["0.weight"] == "*.weight"
    assert rules_that_started(model)["0.bias"] == "bias"
    apply_init(model[0], {"weight": 1, "*": "keep"})
    assert rules_that_started(model)["0.weight"] == "weight"
    assert rules_that_started(model[0]) == {"weight": "weight", "bias": "bias"}


def test_a_plan_that_is_applied_is_remembered_too() -> None:
    model = net()
    plan_init(net(), {"*.weight": 1, "*": 0}).apply(model)
    assert rules_that_started(model)["1.weight"] == "*.weight"


def test_nothing_is_remembered_of_a_state_dict() -> None:
    model = net()
    apply_init(model.state_dict(), {"*": 0})
    assert rules_that_started(model) == {}


def test_a_module_is_not_kept_alive() -> None:
    model = net()
    apply_init(model, {"*": 0})
    watched = weakref.ref(model)
    del model
    gc.collect()
    assert watched() is None
