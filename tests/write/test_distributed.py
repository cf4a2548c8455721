"""Ranks that differ, or of which one fails, raise the same on every rank."""

from __future__ import annotations

from typing import Any

import pytest
import torch.distributed as dist
from torch import nn

from initkit.errors import InitkitError, OptionError, PlanError, ReadError
from initkit.write.distributed import (
    compare_ranks,
    raise_together,
    reshard_fsdp,
    share_option_error,
)

MINE = {"plan": "p", "seed": 0, "prefix": "", "error": ""}


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stand for a second rank, which says what a test puts here; ``sent`` is what this one says."""
    rank: dict[str, Any] = dict(MINE)

    def gather(found: list[Any], mine: Any, group: object = None) -> None:
        found[:], rank["sent"] = [mine, {name: rank[name] for name in MINE}], mine

    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda group=None: 2)
    monkeypatch.setattr(dist, "all_gather_object", gather)
    return rank


def test_ranks_that_agree_pass(other: dict[str, Any]) -> None:
    compare_ranks("p", 2**64, "", None)
    assert other["sent"] == MINE, "seeds are compared modulo 2**64, as they are used"


@pytest.mark.parametrize(
    ("what", "value", "message"),
    [
        ("plan", "q", "ranks differ in their plan (rank 0: p, rank 1: q)"),
        ("seed", 7, "ranks differ in their seed (rank 0: 0, rank 1: 7)"),
        ("prefix", "a", "ranks differ in their prefix (rank 0: , rank 1: a)"),
        ("error", "no rule", "rank 1: no rule"),
    ],
)
def test_a_difference_is_named_with_what_each_rank_has(
    other: dict[str, Any], what: str, value: object, message: str
) -> None:
    other[what] = value
    with pytest.raises(PlanError) as caught:
        compare_ranks("p", 0, "", None)
    assert str(caught.value) == f"nothing was written: {message}"
    assert caught.value.problems[0].values[1][what] == value


@pytest.mark.parametrize(
    ("error", "text"),
    [(ReadError("bad"), "bad"), (ZeroDivisionError("boom"), "ZeroDivisionError('boom')")],
)
def test_an_error_of_this_rank_is_sent_to_the_others_and_stays_its_own(
    other: dict[str, Any], error: Exception, text: str
) -> None:
    with pytest.raises(type(error)) as caught, raise_together(True):
        raise error
    assert caught.value is error
    assert other["sent"]["error"] == text


def test_an_option_that_is_refused_here_is_sent_to_the_others(other: dict[str, Any]) -> None:
    share_option_error({}, OptionError("no option"))
    assert "sent" not in other, "ranks that are not compared are not waited for"
    share_option_error({"verify_ranks": True}, OptionError("no option"))
    assert other["sent"]["error"] == "no option"


def test_without_ranks_to_compare_an_error_is_raised_as_it_is() -> None:
    with pytest.raises(InitkitError, match="^bad$"), raise_together(False):
        raise ReadError("bad")


def test_comparing_needs_a_process_group() -> None:
    with pytest.raises(OptionError) as caught:
        compare_ranks("p", 0, "", None)
    assert str(caught.value) == "verify_ranks needs torch.distributed.init_process_group first"


@pytest.mark.parametrize("thing", [nn.Linear(2, 2), {"w": 1}, None])
def test_what_is_not_wrapped_is_left_alone(thing: object) -> None:
    reshard_fsdp(thing)
