"""A trace of operations knows whose bytes each one reads, through views and copies."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from initkit.ties.op_trace import OpTrace, Reuse, Use
from initkit.ties.storage import regions


def trace_of(**tensors: Tensor) -> OpTrace:
    owned = [(r, place) for place, t in enumerate(tensors.values()) for r in regions(t)]
    return OpTrace(list(tensors), owned)


def test_a_use_and_a_reuse_are_said_in_words() -> None:
    uses = Use("head", 2, "linear"), Use("", 1, "matmul")
    assert [str(use) for use in uses] == [
        "linear in head, call 2",
        "matmul in the model itself, call 1",
    ]
    assert (
        str(Reuse(2, uses)) == "2 times: linear in head, call 2; matmul in the model itself, call 1"
    )


def test_uses_are_counted_by_the_bytes_and_not_by_the_names() -> None:
    base = torch.ones(6)
    trace = trace_of(low=base[:4], high=base[2:])
    with trace.following(nn.Identity()):
        _ = base[:2] + 1
        _ = base[2:4] * 2
        _ = base[3:] - 1
    found = trace.reused()
    assert {name: reuse.count for name, reuse in found.items()} == {"low": 2, "high": 2}
    assert [use.operation for use in found["low"].uses] == ["mul", "sub"]


def test_a_copy_of_freed_memory_is_forgotten() -> None:
    weight = torch.ones(1000)
    trace = trace_of(weight=weight)
    with trace.following(nn.Identity()):
        for _ in range(3):
            address = weight.clone().data_ptr()  # read by nobody, and freed at once
            fresh = torch.zeros(1000)
            _ = fresh + fresh
    assert trace.reused() == {} and address


def test_the_trace_ends_with_its_block_even_where_that_fails() -> None:
    weight = torch.ones(3)
    trace = trace_of(weight=weight)
    with pytest.raises(RuntimeError, match="half way"), trace.following(nn.Identity()):
        _ = weight + 1
        raise RuntimeError("half way")
    _ = weight + 1
    assert trace.reused() == {}
    assert not nn.modules.module._global_forward_hooks
