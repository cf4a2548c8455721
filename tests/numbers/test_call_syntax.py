"""Call syntax: a name with options is read without evaluating anything."""

from __future__ import annotations

import pytest

from initkit.errors import RuleError
from initkit.numbers import Call, read_call

READ = {
    "normal": Call("normal"),
    " normal() ": Call("normal"),
    "vit/timm-jax": Call("vit/timm-jax"),
    "uniform(-1, 2.5)": Call("uniform", (-1, 2.5)),
    "constant(1e-6)": Call("constant", (1e-6,)),
    "blocks([0, 1])": Call("blocks", ([0, 1],)),
    "normal(std=0.02/sqrt(n_layers))": Call("normal", (), {"std": "0.02/sqrt(n_layers)"}),
    "f(x=(1 +\n 2))": Call("f", (), {"x": "1 +\n 2"}),
}


@pytest.mark.parametrize("text", READ)
def test_literals_become_values_and_the_rest_stays_text(text: str) -> None:
    assert read_call(text) == READ[text]


REFUSED = {
    "": "cannot read ''; write a number, a name, or name(option=value)",
    "two words": "cannot read 'two words'; write a number, a name, or name(option=value)",
    "normal(": "cannot read 'normal('; write a number, a name, or name(option=value)",
    "normal(std=)": "cannot read the options of 'normal(std=)'; write normal(option=value)",
    "normal(std=1, mean=0, std=2)": "'normal(std=1, mean=0, std=2)' gives std twice",
    "f(*a)": "cannot read the options of 'f(*a)': * and ** are not known here",
    "f(**a)": "cannot read the options of 'f(**a)': * and ** are not known here",
    "f(1)(2)": "cannot read the options of 'f(1)(2)'; write f(option=value)",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_read_is_answered_with_what_can(text: str) -> None:
    with pytest.raises(RuleError) as caught:
        read_call(text)
    assert str(caught.value) == REFUSED[text]
