"""Every kind of finding has its place; one that a user's distribution brings comes last."""

from __future__ import annotations

from typing import get_args

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
