"""Reading schemes: what cannot be read is refused in the user's words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from initkit import apply_init, register_scheme
from initkit.errors import InitkitError, OptionError, UnknownNameError
from initkit.schemes import Site, read_scheme, resolve, unregister_scheme

REFUSED = {
    "normal(std=-1)": "normal: std must be at least 0, not -1",
    "normal(std=nan)": "normal: std must be a number, not NaN",
    "normal(mean=inf)": "normal: mean must be finite",
    "normal(std=1/0)": "the formula '1/0' has no value here: it divides by zero",
    "normal(std=sqrt(0-1))": r"the formula 'sqrt\(0-1\)' has no value here",
    "normal(std=sqrt(1, 2))": r"'sqrt\(1, 2\)' gives sqrt 2 numbers, and it takes 1",
    "normal(std=min(fan_in))": "gives min 1 numbers, and it takes 2 or more",
    "xavier_normal(gain=-1)": "xavier_normal: gain must be at least 0, not -1",
    "normal(std=1-2)": "normal: std must be at least 0, not -1",
    "uniform(2, 1)": "uniform: low must not be above high, but 2 > 1",
    "trunc_normal(std=1, cutoff=-2)": "trunc_normal: cutoff must be at least 0, not -2",
    "trunc_normal(cutoff=2, low=-1)": "trunc_normal: cutoff goes without low and high",
    "sparse(sparsity=1.5)": "sparse: sparsity must be between 0 and 1, not 1.5",
    "sparse": r"sparse needs the option sparsity: sparse\(sparsity=...\)",
    "prior_bias(p=1)": "prior_bias: p must lie strictly between 0 and 1, not 1",
    "dirac(groups=0)": "dirac: groups must be at least 1, not 0",
    "dirac(groups=1.5)": "dirac: groups must be a whole number, not 1.5",
    "kaiming_normal(mode='fan_inn')": "mode must be one of .* did you mean 'fan_in'",
    "kaiming_normal(nonlinearity='rellu')": "'rellu'; did you mean 'relu'",
    "trunc_normal(preserve_std=1)": "preserve_std must be True or False, not 1",
    "normal(0.02)": r"normal takes its options by name: write normal\(std=...\), not normal\(0",
    "normal(sdt=1)": "normal has no option 'sdt'; did you mean 'std'",
    "uniform(0, 1, low=2)": "uniform: low is given twice",
    "uniform(low=0, a=1)": "uniform: low is given twice",
    "normal(generator=3)": r"give apply_init seed=g.initial_seed\(\) instead",
    "blocks()": "blocks: give a scheme or a number for each block",
    "blocks(keep, 0)": "blocks: keep stands for a whole tensor",
    "constant(True)": "value must be a number or a formula, not True",
    "normal(std=__import__('os'))": "which formulas do not know",
    "normal(std=0.02": "cannot read",
    "normal(*args)": r"\* and \*\* are not known here",
}


@pytest.mark.parametrize("text", REFUSED)
def test_bad_options_are_refused_when_they_are_read(text: str) -> None:
    with pytest.raises(InitkitError, match=REFUSED[text]):
        read_scheme(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("log(1/0.07)", 2.6592600369327779), ("-log(99)", -4.5951198501345898), ("1/4", 0.25)],
)
def test_a_formula_stands_for_its_number(text: str, value: float) -> None:
    scheme = read_scheme(text)
    assert str(scheme) == f"constant({text})"
    assert resolve(scheme, Site((3, 2))).constant == pytest.approx(value, rel=1e-15)
    assert resolve(read_scheme("1/sqrt(fan_in)"), Site((3, 4))).constant == 0.5


@pytest.mark.parametrize("text", ["fan_in", "layer/foo", "lgo(3)", "pi"])
def test_a_name_or_what_no_formula_knows_is_no_number(text: str) -> None:
    with pytest.raises(UnknownNameError, match="there is no scheme"):
        read_scheme(text)


def test_the_name_of_a_nonlinearity_is_its_gain() -> None:
    for scheme in ("xavier_uniform", "xavier_normal", "orthogonal", "delta_orthogonal"):
        for name in ("relu", "tanh", "leaky_relu"):
            wanted = torch.nn.init.calculate_gain(name)
            assert read_scheme(f"{scheme}(gain='{name}')") == read_scheme(
                f"{scheme}(gain={wanted})"
            )
    with pytest.raises(OptionError, match="xavier_uniform: gain cannot be read: .*'rellu'"):
        read_scheme("xavier_uniform(gain='rellu')")


@pytest.fixture
def ramp() -> Iterator[list[object]]:
    """A function scheme that notes its options."""
    seen: list[object] = []

    @register_scheme("test_ramp")
    def ramp(
        tensor: torch.Tensor, *, fan_in="fan_in", top=1, mode="fan_out", kind: str = "a"
    ) -> None:
        seen.append((fan_in, top, mode, kind))
        tensor.fill_(fan_in)

    yield seen
    unregister_scheme("test_ramp")


def test_a_functions_option_may_be_a_formula_and_a_text_stays_one(ramp: list[object]) -> None:
    model = torch.nn.ModuleList([torch.nn.Linear(3, 2), torch.nn.Linear(5, 2)])
    rules = {"*weight": "test_ramp(top=2*fan_out, mode='fan_avg', kind='fan_in')", "*": 0}
    apply_init(model, rules, seed=0)
    assert ramp == [(3.0, 4.0, "fan_avg", "fan_in"), (5.0, 4.0, "fan_avg", "fan_in")]
    assert [layer.weight[0, 0].item() for layer in model] == [3.0, 5.0]


def test_an_option_that_a_text_misspells_is_told_without_an_error_of_python_s() -> None:
    with pytest.raises(InitkitError, match="sdt") as error:
        read_scheme("normal(sdt=1)")
    assert error.value.__context__ is None or error.value.__suppress_context__
