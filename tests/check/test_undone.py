"""What was drawn is found again beside what was added to it, however coarse the dtype."""

from __future__ import annotations

import pytest
import torch
from stats import ks_distance
from torch import Tensor, nn

from initkit import apply_init, check_init
from initkit.check.undone import values_behind
from initkit.distributions import ByFormula, Eye, Normal, Sum

NOISE = "sum(eye, 'normal(std=0.01)')"
FALLING = "product(normal, indexed(1/sqrt(i + 1)))"
DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def identity(noise: float) -> Tensor:
    return torch.eye(96, 64).double() + noise * torch.randn(96, 64).double()


def falling(power: float) -> Tensor:
    return torch.randn(96, 64).double() * (torch.arange(64) + 1.0) ** power


SAME = {NOISE: lambda: identity(0.01), FALLING: lambda: falling(-0.5)}
OTHERS = {
    NOISE: {
        "noise alone": lambda: 0.01 * torch.randn(96, 64),
        "no noise": lambda: identity(0.0),
        "a little more": lambda: identity(0.0115),
        "turned": lambda: identity(0.01).flip(1),
        "scaled": lambda: 1.1 * identity(0.01),
    },
    FALLING: {
        "the other way": lambda: falling(-0.5).flip(1),
        "as wide everywhere": lambda: 0.27 * torch.randn(96, 64),
        "another power": lambda: falling(-0.53),
    },
}


def check(rule: str, values: Tensor, dtype: torch.dtype) -> bool:
    layer = nn.Linear(64, 96, bias=False, dtype=dtype)
    with torch.no_grad():
        layer.weight.copy_(values)
    return check_init(layer, {"weight": rule}).ok


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", SAME)
def test_values_as_planned_pass_in_every_dtype(rule: str, dtype: torch.dtype) -> None:
    for seed in range(2):
        torch.manual_seed(seed)
        assert check(rule, SAME[rule](), dtype)
        layer = nn.Linear(64, 96, bias=False, dtype=dtype)
        apply_init(layer, {"weight": rule}, seed=seed)
        assert check_init(layer, {"weight": rule}).ok


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("rule", "wrong"), [(rule, name) for rule, names in OTHERS.items() for name in names]
)
def test_values_that_are_another_sum_or_product_fail(
    rule: str, wrong: str, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    assert not check(rule, OTHERS[rule][wrong](), dtype)


def test_a_failure_names_what_is_beside_the_values() -> None:
    layer = nn.Linear(64, 96, bias=False)
    torch.manual_seed(0)
    with torch.no_grad():
        layer.weight.copy_(identity(0.02))
    (failure,) = check_init(layer, {"weight": NOISE}).failures
    assert failure.text.startswith("the std is 0.02")


def test_what_is_not_0_beside_a_factor_of_0_is_counted() -> None:
    layer = nn.Linear(3, 200, bias=False)
    rules = {"weight": "product(normal, indexed(i))"}
    apply_init(layer, rules, seed=0)
    with torch.no_grad():
        layer.weight[5, 0] = 1e-3
    (failure,) = check_init(layer, rules).failures
    assert failure.text == "1 elements are not 0 where (0, 1, 2) along axis -1 is"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_values_behind_a_coarse_sum_are_a_sample_of_what_was_drawn(dtype: torch.dtype) -> None:
    """In bfloat16 near 1 all noise of so small a deviation rounds to a handful of values."""
    noise, shape = Normal(0.0, 0.004), (400, 100)
    known = ByFormula(shape, "1 + j/2 + 0*i", (-2, -1))
    made = Sum(shape, noise, known)
    torch.manual_seed(0)
    whole = (torch.randn(shape).double() * 0.004 + known.table().view(shape)).to(dtype)
    values, left, holes, _ = values_behind(whole, None, noise, known, made.undone, made.of)
    assert values is not None and not left and not holes
    # 40,000 values: a distance of 2.5 / sqrt(n) has the chance exp(-2 2.5^2), 4 in a million.
    assert ks_distance(values, noise) < 2.5 / 200


def test_of_a_matrix_with_holes_nothing_is_told() -> None:
    shape = (8, 8)
    known = Eye(shape, (1, 8, 8))
    from initkit.distributions import Orthogonal, Product

    made = Product(shape, Orthogonal(shape, 1.0, (1, 8, 8)), known)
    values, left, *_ = values_behind(torch.eye(8), None, made.part, known, made.undone, made.of)
    assert values is None and not left


CAREFUL = {
    "exp_of(normal)": "of so heavy a tail some values lie 100 deviations out",
    "sum(uniform, exp_of(normal))": "and so they do beside others",
    "sum(uniform, 'trunc_normal(std=0.3, cutoff=2)')": "the CDF is known near its ends, too",
    "product(uniform, 'trunc_normal(std=0.3, cutoff=2)')": "the CDF is known near its ends, too",
    "sum(indexed(i), 'uniform(-1e-3, 1e-3)')": "rounding leaves few values, or one",
    "product(normal, indexed(i < 5, axis=0))": "many rows are 0 altogether",
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rule", CAREFUL)
def test_no_alarm_is_false_however_odd_the_values(rule: str, dtype: torch.dtype) -> None:
    layer = nn.Linear(192, 128, bias=False, dtype=dtype)
    for seed in range(2):
        apply_init(layer, {"weight": rule}, seed=seed)
        report = check_init(layer, {"weight": rule})
        assert report.ok, (CAREFUL[rule], report)


@pytest.mark.parametrize("rule", ["sum(indexed(i), normal)", "product(normal, indexed(i + 1))"])
def test_rows_that_repeat_another_are_found_beside_what_is_known(rule: str) -> None:
    layer = nn.Linear(32, 48, bias=False)
    apply_init(layer, {"weight": rule}, seed=0)
    with torch.no_grad():
        layer.weight[7] = layer.weight[20]
    (failure,) = check_init(layer, {"weight": rule}).failures
    assert failure.kind == "repeated"


def test_an_exponential_that_is_a_little_wider_is_found() -> None:
    layer = nn.Linear(192, 128, bias=False)
    apply_init(layer, {"weight": "exp_of('normal(std=1.05)')"}, seed=0)
    assert not check_init(layer, {"weight": "exp_of(normal)"}).ok


@pytest.mark.parametrize("scheme", ["sum(indexed(1.5 + i/64), orthogonal)", "sum(eye, orthogonal)"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_holes_where_rounding_hides_values_do_not_depend_on_the_values(
    scheme: str, dtype: torch.dtype
) -> None:
    """Beside 1.9 a larger value crosses 2, behind which the dtype is coarser by half."""
    layer = nn.Linear(64, 96, bias=False, dtype=dtype)
    for seed in range(4):
        apply_init(layer, {"weight": scheme}, seed=seed)
        assert check_init(layer, {"weight": scheme}).ok, seed


MULTIPLES = (
    "rounded(product(normal, indexed(1/sqrt(i + 1))), 0.25)",
    "rounded(sum(indexed(i), 'normal(std=3)'), 1)",
    "rounded(sum(eye, 'uniform(-1, 1)'), 0.5)",
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", MULTIPLES)
def test_what_was_drawn_is_told_behind_multiples_too(rule: str, dtype: torch.dtype) -> None:
    layer = nn.Linear(64, 96, bias=False, dtype=dtype)
    for seed in range(4):
        apply_init(layer, {"weight": rule}, seed=seed)
        assert check_init(layer, {"weight": rule}, level=1e-4).ok
    with torch.no_grad():  # of the same distribution over all, each in another place
        layer.weight.copy_(layer.weight.flip(1))
    assert not check_init(layer, {"weight": rule}).ok
