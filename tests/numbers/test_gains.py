"""Gains: torch's numbers where torch has them, the definition's integral everywhere else."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm
from torch import Tensor, nn

from initkit.errors import OptionError, UnknownNameError
from initkit.numbers.gains import gain, gain_formula, gain_names, is_leaky, second_moment

LAWS = settings(deadline=None, derandomize=True)
TORCH_NAMES = [
    *("linear", "conv1d", "conv2d", "conv3d"),
    *("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    *("sigmoid", "tanh", "relu", "leaky_relu", "selu"),
]

# --- torch's numbers


@pytest.mark.parametrize("name", TORCH_NAMES)
def test_what_torch_knows_has_torchs_number(name: str) -> None:
    assert gain(name) == nn.init.calculate_gain(name)
    assert gain(name, 0.3) == nn.init.calculate_gain(name, 0.3)


@LAWS
@given(st.floats(-1e3, 1e3))
def test_leaky_slopes_have_torchs_number(slope: float) -> None:
    assert gain("leaky_relu", slope) == nn.init.calculate_gain("leaky_relu", slope)


def test_kaimings_default_slope_gives_torchs_linear_bound() -> None:
    assert gain("leaky_relu", math.sqrt(5)) == nn.init.calculate_gain("leaky_relu", math.sqrt(5))


# --- the definition, integrated by scipy through torch's own functions


def reference(f: Callable[[Tensor], Tensor], *kinks: float) -> float:
    """Return 1 / sqrt(E[f(z)^2]) by QUADPACK, piece by piece."""

    def integrand(z: float) -> float:
        return f(torch.tensor(z, dtype=torch.float64)).item() ** 2 * norm.pdf(z)

    cuts = sorted({-12.0, -6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0, 12.0, *kinks})
    parts = (quad(integrand, a, b, epsabs=1e-13, epsrel=1e-12)[0] for a, b in pairwise(cuts))
    return 1 / math.sqrt(math.fsum(parts))


def squared_relu(z: Tensor) -> Tensor:
    return F.relu(z) ** 2


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda z: z,
    "attention_value": lambda z: z,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "abs": torch.abs,
    "prelu": lambda z: F.leaky_relu(z, 0.25),
    "relu_squared": squared_relu,
    "sin": torch.sin,
    "cos": torch.cos,
    "gelu": F.gelu,
    "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"),
    "quick_gelu": lambda z: z * torch.sigmoid(1.702 * z),
    "silu": F.silu,
    "mish": F.mish,
    "elu": F.elu,
    "elu_plus_one": lambda z: F.elu(z) + 1,
    "celu": F.celu,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "logsigmoid": F.logsigmoid,
    "tanhshrink": F.tanhshrink,
    "hardshrink": F.hardshrink,
    "softshrink": F.softshrink,
    "threshold": lambda z: F.threshold(z, 0.0, 0.0),
    # a gate times an independent N(0, 1): the expectation is the gate's
    "glu": torch.sigmoid,
    "swiglu": F.silu,
    "geglu": F.gelu,
    "reglu": F.relu,
}
CONVENTIONS = set(TORCH_NAMES) - {"relu", "leaky_relu"}


def test_every_name_is_checked_and_says_what_it_is() -> None:
    assert all(map(gain_formula, gain_names()))
    assert set(gain_names()) == set(FUNCTIONS) | CONVENTIONS | {"rrelu"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_gain_is_the_definitions_integral(name: str) -> None:
    kinks = (-0.5, 0.5) if "shrink" in name else ()
    assert gain(name) == pytest.approx(reference(FUNCTIONS[name], *kinks), rel=1e-9)


MODULES: list[tuple[nn.Module, tuple[float, ...]]] = [
    (nn.LeakyReLU(0.2), ()),
    (nn.LeakyReLU(-1.5), ()),
    (nn.ELU(0.3), ()),
    (nn.CELU(0.3), ()),
    (nn.GELU("none"), ()),
    (nn.GELU("tanh"), ()),
    (nn.Softplus(beta=3.0, threshold=4.0), (4 / 3,)),
    (nn.Softplus(beta=40.0), (0.5, 0.1, -0.1)),
    (nn.Hardtanh(-0.3, 2.2), (-0.3, 2.2)),
    (nn.Hardshrink(1.25), (-1.25, 1.25)),
    (nn.Softshrink(0.75), (-0.75, 0.75)),
    (nn.Threshold(0.4, -2.0), (0.4,)),
    (nn.ReLU6(), ()),
    (nn.SiLU(), ()),
    (nn.Mish(), ()),
    (nn.Hardswish(), ()),
    (nn.Softsign(), ()),
    (nn.Tanhshrink(), ()),
    (nn.LogSigmoid(), ()),
    (nn.PReLU(init=0.5), ()),
]


@pytest.mark.parametrize(("module", "kinks"), MODULES, ids=str)
def test_a_module_brings_its_own_numbers(module: nn.Module, kinks: tuple[float, ...]) -> None:
    with torch.no_grad():
        expected = reference(lambda z: module.double()(z.view(1)), *kinks)
    assert gain(module) == pytest.approx(expected, rel=1e-9)


def test_rrelu_takes_the_second_moment_over_its_random_slopes() -> None:
    """E[a^2] of a slope uniform on [l, u], by 1000 midpoints."""
    low, high = 0.1, 0.9
    slopes = [low + (high - low) * (i + 0.5) / 1000 for i in range(1000)]
    expected = math.sqrt(2 / (1 + math.fsum(a * a for a in slopes) / 1000))
    assert gain(nn.RReLU(low, high)) == pytest.approx(expected, rel=1e-6)


@LAWS
@given(st.floats(0.01, 60))
def test_a_sine_has_a_gain_at_any_frequency(frequency: float) -> None:
    assert gain("sin", frequency) == pytest.approx(
        1 / math.sqrt((1 - math.exp(-2 * frequency**2)) / 2), rel=1e-9
    )


def test_a_gain_keeps_the_second_moment_of_a_deep_network() -> None:
    """Ten layers of 1000 units: each multiplies the mean square by 1 +- a few per cent."""
    for name, f in (("gelu", F.gelu), ("silu", F.silu), ("mish", F.mish)):
        x = torch.randn(64, 1000)
        for _ in range(10):
            x = f(x) @ torch.randn(1000, 1000) * gain(name) / math.sqrt(1000)
        assert 0.5 < x.square().mean().item() < 2, name


@LAWS
@given(st.integers(0, 5))
def test_moments_of_powers_are_the_normals(power: int) -> None:
    """E[z^(2n)] = (2n - 1)!!."""
    exact = math.prod(range(2 * power - 1, 0, -2))
    assert second_moment(lambda z: z**power) == pytest.approx(exact, rel=1e-12)


# --- ways to say which


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("ReLU", "relu"),
        ("LeakyReLU", "leaky_relu"),
        ("leaky-relu", "leaky_relu"),
        ("Swish", "silu"),
        ("gelu_new", "gelu_tanh"),
        ("gelu_pytorch_tanh", "gelu_tanh"),
        ("relu2", "relu_squared"),
        ("HardTanh", "hardtanh"),
        ("log_sigmoid", "logsigmoid"),
        ("attention values", "attention_value"),
        ("Conv_Transpose2d", "conv_transpose2d"),
    ],
)
def test_spellings_of_one_name(spelling: str, name: str) -> None:
    assert gain(spelling) == gain(name)


@pytest.mark.parametrize(
    "cls",
    [
        *(nn.ReLU, nn.Tanh, nn.SELU, nn.GELU, nn.LeakyReLU, nn.RReLU, nn.PReLU, nn.ELU),
        *(nn.Hardtanh, nn.Identity, nn.Sigmoid, nn.GLU, nn.ReLU6),
    ],
)
def test_a_class_has_the_gain_of_its_defaults(cls: type[nn.Module]) -> None:
    assert gain(cls) == gain(cls())


@pytest.mark.parametrize("function", [F.relu, torch.tanh, F.silu, F.gelu, torch.sin, torch.relu_])
def test_a_function_goes_by_its_name(function: Callable[..., Tensor]) -> None:
    assert gain(function) == gain(function.__name__)


def test_only_the_leaky_rectifier_takes_kaimings_slope() -> None:
    leaky = ("leaky_relu", "LeakyReLU", nn.LeakyReLU, nn.LeakyReLU(0.2), F.leaky_relu)
    assert all(map(is_leaky, leaky))
    assert not any(map(is_leaky, ("relu", "elu", nn.RReLU(), nn.PReLU())))


def test_a_subclass_counts_as_its_base() -> None:
    class Mine(nn.ELU):
        pass

    assert gain(Mine(0.5)) == gain("elu", 0.5) != gain("elu")


def test_a_module_ignores_the_param_that_a_scheme_passes_by_default() -> None:
    assert gain(nn.LeakyReLU(0.2), 0.0) == gain("leaky_relu", 0.2)


def test_a_name_without_a_number_ignores_it_as_in_torch() -> None:
    assert gain("gelu", 0.0) == gain("gelu")
    assert gain("relu", math.nan) == gain("relu")


@pytest.mark.models
def test_activations_of_transformers_have_gains_by_name_and_by_module() -> None:
    activations = pytest.importorskip("transformers.activations")
    for name in (
        *("gelu", "gelu_10", "gelu_fast", "gelu_new", "gelu_python", "gelu_python_tanh"),
        *("gelu_pytorch_tanh", "gelu_accurate", "quick_gelu", "relu2", "relu6", "silu", "swish"),
        *("mish", "linear", "leaky_relu", "hardswish", "prelu", "tanh", "sigmoid"),
    ):
        assert gain(activations.ACT2FN[name]) == gain(name), name


# --- errors


@pytest.mark.parametrize(
    ("given_as", "message"),
    [
        ("gelo", "'gelo'; did you mean 'gelu' or 'geglu'?"),
        ("GELUU", "'GELUU'; did you mean 'gelu' or 'geglu' or 'glu'?"),
        ("xyz", "'xyz'."),
        (nn.Softmax(-1), "'Softmax'. Softmax mixes its inputs, so no gain describes it."),
        ("log_softmax", "'log_softmax'. log_softmax mixes its inputs, so no gain describes it."),
        (nn.Dropout(), "'Dropout'."),
        (lambda x: x, "'<lambda>'."),
    ],
)
def test_unknown_nonlinearities_are_told(given_as: object, message: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        gain(given_as)
    expected = f"there is no nonlinearity {message} A gain of your own is a number."
    assert str(caught.value) == expected


@pytest.mark.parametrize("bad", [True, "0.1", math.nan, math.inf])
def test_a_slope_must_be_a_number(bad: object) -> None:
    with pytest.raises(OptionError) as caught:
        gain("leaky_relu", bad)
    assert str(caught.value) == f"negative_slope must be a finite number, not {bad!r}"


@pytest.mark.parametrize(
    ("given_as", "param", "message"),
    [
        ("sin", 0.0, "sin(0.0) has no finite gain"),
        ("celu", 0.0, "celu(0.0) has no finite gain"),
        (nn.Threshold(20.0, 0.0), None, "threshold(20.0, 0.0) has no finite gain"),
    ],
)
def test_a_number_without_a_gain_is_told(
    given_as: object, param: float | None, message: str
) -> None:
    with pytest.raises(OptionError) as caught:
        gain(given_as, param)
    assert str(caught.value) == message
