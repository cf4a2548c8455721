"""What all tensors of a rule share, and none of them shows, is one failure that names them all."""

from __future__ import annotations

import torch
from torch import nn

from initkit import apply_init, check_init

RULES = {"*.weight": "kaiming_normal", "*.bias": "uniform(-0.1, 0.1)"}


def stack(*widths: int, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    """Return layers of these widths, as they are planned."""
    model = nn.Sequential(*[nn.Linear(width, 24, dtype=dtype) for width in widths])
    apply_init(model, RULES, seed=0)
    return model


def spoil(model: nn.Sequential, name: str, factor: float = 1.0, shift: float = 0.0) -> None:
    with torch.no_grad():
        for layer in model:
            getattr(layer, name).mul_(factor).add_(shift)


def test_tensors_that_are_all_a_little_too_wide_are_one_failure() -> None:
    model = stack(*[24] * 48)
    spoil(model, "weight", 1.05)
    report = check_init(model, RULES)
    (failure,) = report.failures
    assert (failure.name, failure.kind) == ("{0..47}.weight", "std")
    assert failure.names == tuple(f"{i}.weight" for i in range(48))
    assert failure.text.startswith("48 tensors together have a std that is ")
    assert failure.to_dict()["names"] == list(failure.names)
    assert report.verdict == "48 of 96 parameters are not as planned"
    assert report.text().count("48 tensors together") == 1
    assert "FAILS: std" in report.text()


def test_each_is_measured_by_its_own_plan_however_wide() -> None:
    model = stack(*range(16, 64))
    assert check_init(model, RULES)
    spoil(model, "weight", 1.05)
    (failure,) = check_init(model, RULES).failures
    assert len(failure.names) == 48


def test_a_mean_that_all_share_is_found() -> None:
    model = stack(*[24] * 48)
    spoil(model, "weight", shift=0.02)
    (failure,) = check_init(model, RULES).failures
    assert (failure.name, failure.kind) == ("{0..47}.weight", "mean")
    assert "of a std too large" in failure.text


def test_one_that_fails_by_itself_is_no_failure_of_the_others() -> None:
    model = stack(*[24] * 48)
    with torch.no_grad():
        model[3].weight.mul_(3)
    (failure,) = check_init(model, RULES).failures
    assert (failure.name, failure.names) == ("3.weight", ())


def test_models_as_planned_pass_whatever_the_seed_and_the_dtype() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        model = stack(*[16] * 12, dtype=dtype)
        for seed in range(8):
            apply_init(model, RULES, seed=seed)
            # A level at which one of a thousand alarms would be false.
            assert check_init(model, RULES, level=1e-3 / 16), (seed, dtype)
