"""Many tensors in one call: the same bits as one by one, whatever they are."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from initkit import stream
from initkit.stream import native, write

SPECS = (
    stream.uniform_spec(-0.05, 0.05),
    stream.uniform_spec(0.0, 1.0, 0.25),
    stream.normal_spec(0.0, 0.02),
    stream.normal_spec(1.0, 0.5),
    stream.trunc_normal_spec(0.0, 0.02, -0.04, 0.04),
    (stream.CONSTANT, 0.1),
)
NAMES = ("w", "", "a" * 96, "a" * 112, "a" * 113, "b" * 500, "layer.\u00fc.\ud800")


def one_by_one(row: stream.Row, seed: int) -> Tensor:
    out, name, spec, start = row
    if spec[0] == stream.CONSTANT:
        return torch.full_like(out, spec[1])
    return write.write(torch.empty_like(out), stream.key(seed, name), spec, start, None, False)


@pytest.mark.parametrize("seed", [0, -1, 2**64 + 5])
@pytest.mark.parametrize("dtype", native.FLOATS, ids=str)
def test_many_tensors_hold_what_each_would_hold_alone(dtype: torch.dtype, seed: int) -> None:
    shapes = ((16, 16), (3,), (700,), (2, 0), ())
    starts = (0, 1, 300, 1 << 40)
    rows = [
        (
            torch.empty(shapes[i % 5], dtype=dtype),
            f"{name}{i}" if i % 3 else name,
            spec,
            starts[i % 4],
        )
        for i, (name, spec) in enumerate((n, s) for n in NAMES for s in SPECS)
    ]
    stream.write_many(rows, seed)
    for row in rows:
        assert torch.equal(row[0], one_by_one(row, seed)), row[1:]


def test_memory_that_the_kernel_cannot_write_is_written_all_the_same() -> None:
    spec = stream.normal_spec(0.0, 1.0)
    outs = [torch.empty(6, 4).t(), torch.empty(24).as_strided((4, 6), (6, 1)), torch.empty(4, 6)]
    stream.write_many([(out, "w", spec, 0) for out in outs], 3)
    assert all(torch.equal(out, outs[2]) for out in outs)


def test_versions_rise_by_one_where_the_kernel_writes() -> None:
    outs = [torch.zeros(3), torch.zeros(4)]
    versions = [out._version for out in outs]
    stream.write_many([(out, "w", stream.normal_spec(0.0, 1.0), 0) for out in outs], 0)
    risen = [out._version - v for out, v in zip(outs, versions, strict=True)]
    assert risen == [1, 1] or (stream.paths() == ("eager",) and min(risen) > 0)


def test_a_constant_that_not_every_dtype_holds_is_torchs_affair() -> None:
    out = torch.zeros(3, dtype=torch.float64)
    stream.write_many([(out, "w", (stream.CONSTANT, 1e300), 0)], 0)
    assert out.tolist() == [1e300] * 3


@pytest.mark.skipif(stream.paths() == ("eager",), reason="the C kernel is not built")
def test_nothing_is_written_where_a_row_is_refused() -> None:
    kernel = native.load().kernel
    assert kernel is not None
    x = torch.zeros(4)
    base = x.untyped_storage().data_ptr()
    good = (0, x.data_ptr(), 4, base, 16, 0, "w", (stream.CONSTANT, 1.0))
    for bad, why in (
        ((0, x.data_ptr(), 5, base, 16, 0, "w", good[-1]), "too short"),
        ((*good[:5], (1 << 63) - 3, *good[6:]), "leaves the range"),
        ((9, *good[1:]), "no such dtype"),
        ((*good[:-1], (99,)), "no such op"),
        ((*good[:-1], (stream.CONSTANT, 1e6)), "no such constant"),
        (good[:3], "8 entries"),
    ):
        with pytest.raises(ValueError, match=why):
            kernel.fill_many(0, 0, [good, bad])
    assert x.tolist() == [0.0] * 4
