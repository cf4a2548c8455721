"""Formulas: a whitelist of arithmetic; what it does not know is refused, never evaluated."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initkit.errors import FormulaError
from initkit.numbers import Formula, read_number

VALUES = {
    "fan_in": 16.0,
    "n_layers": 8.0,
    "shape[-1]": 3.0,
    "config.d_model": 64.0,
    "count('A')": 2.0,
}


def lookup(name: str) -> float:
    """Return a value as a model would, or say that it has none."""
    if name not in VALUES:
        raise FormulaError(f"{name} has no value", formula=name)
    return VALUES[name]


NUMBERS = {
    "1/sqrt(fan_in)": 0.25,
    "-2 ** 2 + +1": -3.0,
    "0.02 / sqrt(2*n_layers)": 0.005,
    "max(1, min(fan_in, 9, 12))": 9.0,
    "log(8, 2)": 3.0,
    "exp(0) * pi": math.pi,
    "shape[-1] * count('A')": 6.0,
    "config.width or config.d_model": 64.0,
    "fan_in or config.width": 16.0,
}


@pytest.mark.parametrize("text", NUMBERS)
def test_a_formula_has_its_value(text: str) -> None:
    assert Formula(text).value(lookup) == pytest.approx(NUMBERS[text], rel=1e-15)


def test_a_formula_knows_its_names_once_each_and_in_order() -> None:
    formula = Formula("fan_in * shape[-1] / fan_in + config.d_model + pi")
    assert formula.names == ("fan_in", "shape[-1]", "config.d_model")
    assert formula == Formula(str(formula)) and hash(formula) == hash(Formula(str(formula)))


@given(st.floats(allow_nan=False))
def test_a_number_reads_back_from_its_text(x: float) -> None:
    assert read_number(repr(x)) == read_number(x) == x


CHOSEN = {
    "where(fan_in > 200, 2, 3)": 2.0,
    "where(fan_in == 200, 2, 3)": 3.0,
    "1 + (fan_in >= 1)*2": 3.0,
    "where(fan_in < 0, 1/0, 3)": 3.0,
    "where(1, 2, log(-1))": 2.0,
    "abs(7 // 2 - 7 % 4) + floor(2.5)": 2.0,
    "sin(0) + cos(0)": 1.0,
}


@pytest.mark.parametrize("text", CHOSEN)
def test_a_formula_reckons_no_more_than_counts(text: str) -> None:
    assert Formula(text).value({"fan_in": 300.0}.__getitem__) == CHOSEN[text]
    assert type(Formula(text).value({"fan_in": 300.0}.__getitem__)) is float


def test_a_number_stands_for_a_name_within_a_choice() -> None:
    filled = Formula("where(layer == n_layers - 1, 0, config.std)").with_names({"config.std": 0.5})
    assert filled.value({"layer": 2.0, "n_layers": 4.0}.__getitem__) == 0.5
    assert filled.value({"layer": 3.0, "n_layers": 4.0}.__getitem__) == 0.0


REFUSED = {
    "where(1, 2)": "the formula 'where(1, 2)' gives where 2 numbers, and it takes 3",
    "1 < fan_in < 3": "the formula '1 < fan_in < 3' holds '1 < fan_in < 3', which formulas do not",
    "1 +": "cannot read the formula '1 +'",
    "fan_inn": "the formula 'fan_inn' has an unknown name 'fan_inn'; did you mean 'fan_in'?",
    "sqrt()": "the formula 'sqrt()' holds 'sqrt()', which formulas do not know",
    "log(1, 2, 3)": "the formula 'log(1, 2, 3)' gives log 3 numbers, and it takes 1 or 2",
    "max(1)": "the formula 'max(1)' gives max 1 numbers, and it takes 2 or more",
    "True": "the formula 'True' holds 'True', which formulas do not know",
    "fan_in if 1 else 2": "the formula 'fan_in if 1 else 2' holds",
    "(lambda: 1)()": "the formula '(lambda: 1)()' holds '(lambda: 1)()'",
    "1 " + "+ 1" * 500: "a formula of more than 1000 characters",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_what_is_no_formula_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(FormulaError) as caught:
        Formula(text)
    assert str(caught.value).startswith(REFUSED[text])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1/(fan_in - 16)", "the formula '1/(fan_in - 16)' has no value here: it divides by zero"),
        ("(0 - fan_in) ** 0.5", "the formula '(0 - fan_in) ** 0.5' is not a real number here"),
        ("layer", "layer has no value"),
        ("config.a or config.b", "config.b has no value"),
    ],
)
def test_a_formula_without_a_value_here_says_why(text: str, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        Formula(text).value(lookup)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("value", [None, [1], "", 10**400])
def test_what_is_no_number_is_refused_by_the_name_of_the_option(value: object) -> None:
    with pytest.raises(FormulaError, match="^std|formula"):
        read_number(value, "std")
