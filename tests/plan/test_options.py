"""Every option has one name, default and type, wherever a function takes it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

import initkit
from initkit import OptionError, apply_init, check_init, materialize, plan_init
from initkit.plan.options import DEFAULTS, InitOptions, MaterializeOptions, PlanOptions, of_kind

TAKERS: dict[Callable[..., Any], type] = {
    apply_init: InitOptions,
    plan_init: PlanOptions,
    check_init: PlanOptions,
    materialize: MaterializeOptions,
}


@pytest.mark.parametrize("function", TAKERS, ids=lambda function: function.__name__)
def test_a_signature_shows_every_option_with_its_default(function: Callable[..., Any]) -> None:
    shown = inspect.signature(function).parameters
    for option in TAKERS[function].__annotations__:
        assert shown[option].default == DEFAULTS[option]  # type: ignore[literal-required]
        assert shown[option].kind is inspect.Parameter.KEYWORD_ONLY


def test_every_option_has_a_default() -> None:
    assert InitOptions.__annotations__.keys() == DEFAULTS.keys()


@pytest.mark.parametrize("function", [plan_init, apply_init, check_init])
def test_an_unknown_option_is_refused_by_name(function: Callable[..., Any]) -> None:
    lines = "\n  as written:   strickt=True\n  to paste:     strict=True"
    text = f"{function.__name__} has no option 'strickt'{lines}"
    with pytest.raises(OptionError) as caught:
        function(nn.Linear(2, 2), {"*": 0}, strickt=True)
    assert (str(caught.value), caught.value.option) == (text, "strickt")


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("idle", "warn", "idle must be one of 'error', 'ignore', not 'warn'"),
        ("on_tie_conflict", "last", "on_tie_conflict must be one of 'error', 'first', not 'last'"),
    ],
)
@pytest.mark.parametrize("function", [plan_init, apply_init, check_init])
def test_a_value_that_is_no_choice_is_refused_everywhere(
    function: Callable[..., Any], option: str, value: str, text: str
) -> None:
    with pytest.raises(OptionError, match=text):
        function(nn.Linear(2, 2), {"*": 0}, **{option: value})


def test_a_generator_is_answered_with_the_seed() -> None:
    with pytest.raises(OptionError, match="takes a seed, not a generator: write seed=generator"):
        apply_init(nn.Linear(2, 2), {"*": 0}, generator=None)  # type: ignore[call-arg]


def test_a_helper_of_another_signature_passes_on_what_is_of_its_kind() -> None:
    assert of_kind(PlanOptions, {"seed": 0, "strict": True}) == {"strict": True}
    assert initkit.plan_init(nn.Linear(2, 2), {"*": 0}, **of_kind(PlanOptions, DEFAULTS))
