"""Every kind of finding has its place; one that a user's distribution brings comes last."""

from __future__ import annotations

import math
from typing import get_args

import torch
from torch import nn

from initkit import apply_init, check_init
from initkit.check.checked import Checked
from initkit.check.failures import KINDS, FailureKind, failed_tests, make_failure
from initkit.distributions import Test


def finding(kind: str, p: float = 0.0) -> Test:
    return Test(kind, p, "expected", "seen", f"the {kind} is off")


def test_the_documented_kinds_are_those_of_the_table() -> None:
    assert get_args(FailureKind) == tuple(KINDS)


def test_the_first_kind_names_the_failure_and_consequences_go_unsaid() -> None:
    tests = [finding("lengths"), finding("mean"), finding("std")]
    failure = make_failure(Checked("w", (2,), tests=tests), tests)
    assert (failure.kind, failure.also) == ("std", ("the mean is off",))


def test_a_kind_that_nobody_knows_is_named_last() -> None:
    tests = [finding("wobble"), finding("tie")]
    failure = make_failure(Checked("w", (2,), tests=tests), tests)
    assert (failure.kind, failure.also) == ("tie", ("the wobble is off",))


def test_holm_compares_the_smallest_with_the_level_over_all_tests() -> None:
    one, two = (Checked(n, (), tests=[finding("std", p)]) for n, p in (("a", 0.04), ("b", 0.02)))
    assert set(failed_tests([one, two], 0.05)) == {id(one), id(two)}
    assert not failed_tests([one, two], 0.03)


def test_a_probability_that_is_no_number_passes_nothing() -> None:
    """Nor does it keep what is smaller from being found behind it."""
    one, two = (Checked(n, (), tests=[finding("std", p)]) for n, p in (("a", math.nan), ("b", 0.0)))
    assert set(failed_tests([one, two], 1e-6)) == {id(one), id(two)}


def test_what_differs_a_little_is_told_in_as_many_digits_as_make_it_differ() -> None:
    layer = nn.Linear(2, 2)
    apply_init(layer, {"*": 0.1})
    with torch.no_grad():
        layer.bias.add_(1e-6)
    (failure,) = check_init(layer, {"*": 0.1}).failures
    assert failure.text == "every element is 0.100001 where constant 0.1 was planned"


def test_failures_are_folded_as_the_lines_of_the_table_are() -> None:
    def block(width: int) -> nn.Module:
        return nn.ModuleDict({name: nn.Conv2d(width, width, 3) for name in ("conv1", "conv2")})

    model = nn.ModuleDict(
        {f"layer{i}": nn.Sequential(*(block(8 * i) for _ in range(3))) for i in (1, 2, 3, 4)}
    )
    apply_init(model, "torch_default", seed=0)
    with torch.no_grad():
        for parameter in model["layer2"].parameters():
            parameter.mul_(3)
    report = check_init(model, "kaiming_normal")
    failing = [fold.label for fold in report.folds if fold.first.failure]
    assert [text.split()[0] for text in report.failure_texts()] == failing
    # A layer that fails by another factor stands apart, whatever the widths.
    assert [label for label in failing if "weight" in label] == [
        "layer{1,3,4}.{0..2}.conv{1,2}.weight",
        "layer2.{0..2}.conv{1,2}.weight",
    ]
