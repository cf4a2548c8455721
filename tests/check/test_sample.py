"""A tensor under test: constants, tables and structure exactly, samples by their dtype."""

from __future__ import annotations

import pytest
import torch
from checked import net, only_failure, started
from torch import nn

from initkit import apply_init, check_init

STRUCTURED = {
    "orthogonal(gain=2)": (30, 70),
    "orthogonal": (300, 40),
    "sparse(sparsity=0.3)": (40, 50),
    "eye": (9, 5),
    "blocks(0, 'normal(std=0.1)', 1, 'orthogonal')": (400, 100),
    "arange": (3, 7),
    "log_of(arange(start=1))": (5, 16),
    "sinusoids": (50, 32),
    "log_uniform(0.001, 0.1)": (100, 100),
}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(
    "rule",
    ["normal(mean=1, std=0.001)", "uniform(0, 1)", "trunc_normal(std=1, cutoff=2)",
     "zero_mask_uniform", "normal(std=1e-6)", "normal(std=3)"],
)  # fmt: skip
def test_rounding_to_the_dtype_is_no_failure(dtype: torch.dtype, rule: str) -> None:
    model = nn.Linear(700, 700, dtype=dtype)
    rules = {"weight": rule, "bias": 0}
    report = check_init(started(model, rules), rules)
    assert report.ok, str(report)
    assert report.p_value > 1e-3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_torchs_own_draws_are_no_failure(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = nn.ModuleDict({name: nn.Linear(1000, 1000, bias=False, dtype=dtype) for name in "abc"})
    nn.init.normal_(model["a"].weight, std=0.02)
    nn.init.uniform_(model["b"].weight, -0.05, 0.05)
    nn.init.trunc_normal_(model["c"].weight, std=1.0, a=-2.0, b=1.0)
    rules = {
        "a.*": "normal(std=0.02)",
        "b.*": "uniform(-0.05, 0.05)",
        "c.*": "trunc_normal(std=1, low=-2, high=1)",
    }
    report = check_init(model, rules)
    assert report.ok, str(report)


@pytest.mark.parametrize("rule", STRUCTURED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_structure_as_planned_passes_and_a_plain_sample_fails(
    rule: str, dtype: torch.dtype
) -> None:
    rows, columns = STRUCTURED[rule]
    model = nn.Linear(columns, rows, bias=False, dtype=dtype)
    rules = {"weight": rule}
    assert check_init(started(model, rules), rules).ok, str(check_init(model, rules))
    with torch.no_grad():
        model.weight.normal_(0, float(model.weight.float().std()))
    assert not check_init(model, rules).ok


@pytest.mark.parametrize("rule", ["dirac", "dirac(groups=2)", "delta_orthogonal"])
def test_structured_convolutions_pass_and_one_wrong_element_fails(rule: str) -> None:
    model = nn.Conv2d(8, 8, 3, bias=False)
    rules = {"weight": rule}
    assert check_init(started(model, rules), rules).ok
    with torch.no_grad():
        model.weight[3, 3, 0, 0] = 0.5
    failure = only_failure(model, rules)
    assert failure.kind == "structure"


def test_an_identity_is_orthogonal_but_not_random() -> None:
    model = nn.Linear(64, 64, bias=False)
    nn.init.eye_(model.weight)
    failure = only_failure(model, {"weight": "orthogonal"})
    assert failure.text.startswith("it is orthogonal, but no random one: an entry is 1")


def test_a_constant_is_compared_exactly() -> None:
    model = started(net())
    with torch.no_grad():
        model[0].bias[3] = 1e-30
    assert only_failure(model).text == "values reach from 0 to 1e-30 where constant 0 was planned"


def test_complex_values_by_place_are_compared_as_they_are() -> None:
    entries = {"w": torch.empty(8, 8, dtype=torch.complex64)}
    assert check_init(started(entries, {"w": "eye"}), {"w": "eye"}).ok
    entries["w"][2, 1] = 1j
    text = "1 elements differ, the first at [2, 1]: 1j for 0"
    assert text in only_failure(entries, {"w": "eye"}).text


KNOWN = ["arange(start=1)", "log_of(arange(start=1))", "eye", "indexed(0.1*i + 0.37)"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scheme", KNOWN)
def test_a_known_value_is_the_rounding_of_what_was_planned(scheme: str, dtype: torch.dtype) -> None:
    wide = {"w": torch.zeros(16, 24, dtype=torch.float64)}
    rules = {"w": scheme}
    apply_init(wide, rules)
    # However code that computes in float32 is off by its last bits.
    for share in (-4e-7, 0.0, 4e-7):
        held = {"w": (wide["w"] * (1 + share)).float().to(dtype)}
        assert check_init(held, rules).ok
    held = {"w": wide["w"].float().to(dtype)}
    held["w"].view(torch.int16)[-1, -1] += 1  # the next number, if only of those near 0
    assert "1 elements differ, the first at [15, 23]" in check_init(held, rules).failures[0].text


def test_a_computed_value_may_be_off_by_roundings_of_its_dtype() -> None:
    model = nn.utils.parametrizations.weight_norm(nn.Linear(24, 16, dtype=torch.bfloat16))
    rules = {"weight": 0.37, "bias": 0}
    apply_init(model, rules)
    assert check_init(model, rules).ok
    with torch.no_grad():
        model.parametrizations.weight.original0.mul_(1.1)
    assert not check_init(model, rules).ok
