"""The registry: names are found under every spelling, and never replaced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from initkit import apply_init, distributions, list_schemes, register_scheme, schemes
from initkit.errors import DuplicateNameError, InitkitError, RuleError, UnknownNameError
from initkit.schemes import canonical_name, read_scheme, scheme_names, unregister_scheme


@pytest.fixture
def stripes() -> Iterator[str]:
    """The name of a registered function, for the length of a test."""

    @register_scheme("stripes")
    def stripes(tensor: torch.Tensor, width: int, *, value: float = 1.0) -> None:
        tensor.zero_()[..., :width] = value

    yield "stripes"
    unregister_scheme("stripes")


def test_a_function_is_a_scheme_with_its_parameters_as_options(stripes: str) -> None:
    tensor = torch.empty(2, 3)
    apply_init({"w": tensor}, {"w": "stripes(width=2, value=7)"}, seed=0)
    assert tensor.tolist() == [[7, 7, 0]] * 2
    with pytest.raises(InitkitError, match=r"stripes needs the option width: stripes\(width=...\)"):
        read_scheme(stripes)


def test_every_synonym_and_torchs_underscore_lead_to_a_scheme() -> None:
    for name in set(scheme_names()) - {"he_normal"}:
        assert canonical_name(name) == canonical_name(name + "_")
        assert canonical_name(name) in list_schemes()
    assert canonical_name("no_such_scheme") is None


def test_a_name_with_two_meanings_is_answered_with_both() -> None:
    with pytest.raises(RuleError, match=r"write kaiming_normal .* variance_scaling\(scale=2\)"):
        read_scheme("he_normal_")


@pytest.mark.parametrize("name", ["normal", "normal_", "msra", "he_normal"])
def test_the_name_of_a_scheme_is_never_replaced(name: str) -> None:
    with pytest.raises(DuplicateNameError) as caught:
        register_scheme(name)(lambda tensor: None)
    assert str(caught.value) == f"the name {name!r} belongs to a scheme already; choose another"


def test_the_name_of_a_recipe_is_never_replaced() -> None:
    with pytest.raises(DuplicateNameError, match="the name 'bert' belongs to a recipe already"):
        register_scheme("bert")(lambda tensor: None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "'' is no good name: use letters, digits, '_', '-' and '/'"),
        ("two words", "'two words' is no good name: use letters, digits, '_', '-' and '/'"),
        ("1e-3", "'1e-3' is no good name: rules read it as a number"),
    ],
)
def test_a_name_that_no_text_can_read_back_is_refused(name: str, message: str) -> None:
    with pytest.raises(RuleError) as caught:
        register_scheme(name)
    assert str(caught.value) == message


class Unresolved(schemes.Scheme):
    """A class that does not say what it becomes."""


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (Unresolved, "Unresolved must derive from initkit.schemes.Scheme and define resolve(site)"),
        (int, "int must derive from initkit.schemes.Scheme"),
        (3, "register a function or a Scheme class, not 3 (int)"),
        (lambda: None, "a scheme's function writes into the tensor it is given; it takes none"),
    ],
)
def test_what_is_no_scheme_is_not_registered(thing: Any, message: str) -> None:
    with pytest.raises(RuleError) as caught:
        register_scheme("odd")(thing)
    assert str(caught.value).startswith(f"odd: {message}")
    with pytest.raises(UnknownNameError, match="there is no scheme 'odd'"):
        unregister_scheme("odd")


def test_a_class_takes_the_name_that_it_is_registered_by() -> None:
    class Half(schemes.Scheme):
        def resolve(self, site: schemes.Site) -> distributions.Distribution:
            return distributions.Constant(0.5)

    register_scheme("half")(Half)
    try:
        assert str(read_scheme("half")) == "half"
    finally:
        unregister_scheme("half")


def define(name: str, value: float, module: str = __name__) -> Any:
    """Register a function that is defined here, as if it stood in a module."""

    def cell(tensor: torch.Tensor) -> None:
        tensor.fill_(value)

    cell.__module__ = module
    return register_scheme(name)(cell)


@pytest.fixture
def again() -> Iterator[str]:
    yield "again"
    unregister_scheme("again")


def test_a_definition_that_is_run_again_replaces_the_first(again: str) -> None:
    for value in (1.0, 2.0):  # as a notebook's cell that was edited
        define(again, value)
        tensor = torch.empty(2)
        apply_init({"w": tensor}, {"w": again}, seed=0)
        assert tensor.tolist() == [value, value]


def test_a_class_that_is_defined_again_replaces_the_first(again: str) -> None:
    for value in (1.0, 2.0):

        class Half(schemes.Scheme):
            level = value

            def resolve(self, site: schemes.Site) -> distributions.Distribution:
                return distributions.Constant(self.level)

        register_scheme(again)(Half)
        assert read_scheme(again).resolve(schemes.Site((1,))) == distributions.Constant(value)


def test_in_a_session_a_cell_may_call_its_function_otherwise(again: str) -> None:
    def renamed(tensor: torch.Tensor) -> None:
        tensor.fill_(3)

    renamed.__module__ = "__main__"
    define(again, 1.0, module="__main__")
    register_scheme(again)(renamed)
    tensor = torch.empty(1)
    apply_init({"w": tensor}, {"w": again}, seed=0)
    assert tensor.tolist() == [3]


def test_another_definition_of_a_taken_name_is_refused(again: str) -> None:
    define(again, 1.0)
    refused = "the name 'again' belongs to a scheme already; choose another"
    with pytest.raises(DuplicateNameError, match=refused):
        define(again, 1.0, module="elsewhere")
    with pytest.raises(DuplicateNameError, match=refused):
        register_scheme(again)(lambda tensor: None)
    with pytest.raises(DuplicateNameError, match=refused):
        register_scheme(again)(lambda tensor: None)  # no lambda is another's second run
