"""What schemes make of each other passes as it was written, and fails once it is another."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from initkit import apply_init, check_init
from initkit.check import CheckReport

SHAPE = 128, 96
SIGNS = "scaled(shifted(rounded(uniform), -0.5), 2)"
TOLD = (
    # Beside known values, 0 among them, of what is drawn one by one and as one.
    "product(normal, indexed(i - 3))",
    "product(orthogonal, indexed(i))",
    "product(orthogonal, indexed(i - 3, axis=0))",
    "product('sparse(sparsity=0.5)', indexed(i + 1))",
    "sum(eye, scaled(orthogonal, 0.01))",
    "sum(indexed(i/n), orthogonal)",
    f"product({SIGNS}, indexed(1/(i+1)))",
    # Of rounded ones, with steps that are no binary fractions.
    "rounded(normal, 0.1)",
    "rounded(normal, 0.3)",
    "rounded(uniform, 0.1)",
    "rounded(rounded(normal, 0.1), 0.5)",
    "rounded(shifted(scaled(uniform, -2), 1), 0.3)",
    "rounded(sum(normal, uniform), 0.1)",
    "sum(rounded(normal, 0.5), rounded(normal, 0.5))",
    "sum(rounded(normal, 0.1), rounded('uniform(-1, 1)', 0.3))",
    "sum(rounded(normal, 0.5), uniform)",
    "sum(rounded(normal, 0.1), indexed(i/3))",
    "product(rounded(normal, 0.5), rounded(normal, 0.5))",
    "product(rounded(normal, 0.5), normal)",
    "product(zero_mask_uniform, normal)",
    "product(zero_mask_uniform, zero_mask_uniform)",
    f"sum({SIGNS}, {SIGNS})",
    f"sum({SIGNS}, orthogonal)",
    # Of whole matrices under maps, and of blocks.
    "shifted(orthogonal, 1)",
    "exp_of(orthogonal)",
    "product(normal, blocks(normal, uniform))",
    "sum(normal, blocks(normal, uniform))",
    "rounded(blocks(normal, uniform), 0.1)",
    "blocks(product(normal, indexed(i + 1)), sum(normal, uniform))",
)
UNTOLD = (
    "product(orthogonal, eye)",
    "product('sparse(sparsity=0.5)', indexed(i))",
    "rounded(orthogonal, 0.1)",
)
FAULTS = {
    "a third too large": lambda w: 1.3 * w,
    "one row in twenty 0": lambda w: torch.cat([0 * w[: len(w) // 20], w[len(w) // 20 :]]),
}


def written(scheme: str, dtype: torch.dtype) -> nn.Linear:
    layer = nn.Linear(*SHAPE[::-1], bias=False, dtype=dtype)
    apply_init(layer, {"weight": scheme}, seed=0)
    return layer


def checked(layer: nn.Linear, scheme: str, values: Tensor | None = None) -> CheckReport:
    if values is not None:
        with torch.no_grad():
            layer.weight.copy_(values)
    return check_init(layer, {"weight": scheme})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("scheme", TOLD)
def test_what_is_written_passes_and_what_is_not_fails(scheme: str, dtype: torch.dtype) -> None:
    layer = written(scheme, dtype)
    report = checked(layer, scheme)
    assert report.ok, report.failures
    assert not report.not_compared
    values = layer.weight.detach().clone()
    for fault in ("a third too large", "one row in twenty 0"):
        assert not checked(layer, scheme, FAULTS[fault](values)), fault


@pytest.mark.parametrize("scheme", UNTOLD)
def test_of_what_nothing_tells_no_check_says_that_it_is_as_planned(scheme: str) -> None:
    layer = written(scheme, torch.float32)
    report = checked(layer, scheme)
    assert report.ok
    assert report.not_compared == ("weight",)
    assert report.verdict == "nothing was compared with the plan: weight"
    (row,) = report.rows
    assert row[-1] == "not checked: too little of what was drawn shows in its values"


def test_a_matrix_that_rounding_hides_beside_large_values_is_said_to_be_unchecked() -> None:
    """In bfloat16 the noise of a whole matrix is lost beside 95, where one in float32 shows."""
    scheme = "sum(indexed(i), orthogonal)"
    assert checked(written(scheme, torch.float32), scheme).not_compared == ()
    assert checked(written(scheme, torch.bfloat16), scheme).not_compared == ("weight",)


HOLED = {
    "it is not orthogonal with gain 1: columns 5 and 9 are not orthogonal": lambda w: torch.cat(
        [w[:, :5], 0.5 * w[:, 5:6] + 0.5 * w[:, 9:10], w[:, 6:]], 1
    ),
    "it is not orthogonal with gain 1: 127 entries of column 7 are 1.016 long": lambda w: torch.cat(
        [w[:, :7], 1.02 * w[:, 7:8], w[:, 8:]], 1
    ),
    "it is not orthogonal with gain 1: 3 singular values are below the gain, beside 1 rows that "
    "are unknown": lambda w: torch.cat([w[:-2], 0 * w[-2:]]),
}


@pytest.mark.parametrize("text", HOLED)
def test_a_matrix_with_holes_says_what_of_it_is_not_orthogonal(text: str) -> None:
    scheme = "product(orthogonal, indexed(i, axis=0))"
    layer = written(scheme, torch.float32)
    (failure,) = checked(layer, scheme, HOLED[text](layer.weight.detach())).failures
    assert failure.kind == "structure"
    assert failure.text == f"{text}, of orthogonal beside (0, 1, ..., 127) along axis 0"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_rows_of_an_orthogonal_matrix_that_are_0_are_found_in_16_bits_too(
    dtype: torch.dtype,
) -> None:
    layer = written("orthogonal", dtype)
    values = layer.weight.detach().clone()
    assert not checked(layer, "orthogonal", FAULTS["one row in twenty 0"](values))


@pytest.mark.parametrize(
    "scheme", ["product(normal, blocks(normal, uniform))", "sum(normal, blocks(0, 1))"]
)
def test_a_product_or_a_sum_with_blocks_is_tested_block_by_block(scheme: str) -> None:
    layer = written(scheme, torch.float32)
    values = layer.weight.detach().clone()
    values[64:] *= 1.2
    (failure,) = checked(layer, scheme, values).failures
    assert failure.text.endswith(", in block 1 of 2")


def test_members_of_a_group_and_copies_are_compared_by_what_tells_them() -> None:
    model = nn.ModuleDict(
        {name: nn.Linear(32, 32, bias=False) for name in ("qkv", "proj", "reservoir", "copy")}
    )
    model["qkv"] = nn.Linear(32, 96, bias=False)
    rules = {
        "{qkv,proj}.weight": "mimetic(heads=4)",
        "reservoir.weight": "reservoir",
        "copy.weight": "copy_of('reservoir.weight')",
    }
    apply_init(model, rules, seed=0)
    report = check_init(model, rules)
    assert report.ok
    assert report.not_compared == ()


@pytest.mark.parametrize(
    "scheme",
    ["shifted(reservoir, 1)", "exp_of(reservoir)", "shifted(random_features(norms='fixed'), 1)"],
)
def test_a_map_of_a_matrix_is_checked_by_the_matrix(scheme: str) -> None:
    held, rules = {"w": torch.zeros(64, 64)}, {"w": scheme}
    apply_init(held, rules, seed=0)
    assert check_init(held, rules).ok and not check_init(held, rules).not_compared
    held["w"] = (held["w"] - 1) * 1.05 + 1
    assert not check_init(held, rules).ok


def test_a_matrix_that_is_rounded_is_compared_by_nothing_and_says_so() -> None:
    held, rules = {"w": torch.zeros(64, 64)}, {"w": "rounded(reservoir)"}
    apply_init(held, rules, seed=0)  # so small that all are 0
    report = check_init(held, rules)
    assert report.ok and report.not_compared == ("w",)


def test_exponentials_are_told_by_their_logarithms() -> None:
    held, rules = {"w": torch.zeros(96, 64)}, {"w": "exp_of(normal)"}
    for seed in range(20):
        apply_init(held, rules, seed=seed)
        assert check_init(held, rules, level=1e-3).ok
    held["w"] *= 1.1  # of lognormal values hardly a twentieth of a deviation
    (failure,) = check_init(held, rules).failures
    assert failure.kind == "mean" and failure.text.endswith(", of N(0, 1), before exp of x")
