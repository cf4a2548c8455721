"""The kernel for GPUs gives the bits of the C kernel: by Triton's interpreter, on CPU memory."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from initkit import stream
from initkit.stream import eager, gpu, native
from initkit.stream.runs import RunTable
from initkit.stream.spec import BERNOULLI, CHOICE, WORDS
from initkit.stream.write import items_of

pytest.importorskip("triton")
# Triton reads this when kernels are defined; with another one, the tests run in a process below.
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
interpreted = pytest.mark.skipif(not INTERPRETED, reason="needs TRITON_INTERPRET=1")
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")

KEY = stream.key(3, "fc.weight")
SPECS = {
    "uniform": stream.uniform_spec(-0.05, 0.05),
    "uniform, shifted": stream.uniform_spec(-1e-6, 1.0),
    "uniform, threshold": stream.uniform_spec(-0.5, 0.5, 0.25),
    "normal": stream.normal_spec(0.0, 0.02),
    "normal, shifted": stream.normal_spec(1.0, 0.5),
    "normal, huge": stream.normal_spec(0.0, 3e38),
    "uniform, from 0": stream.uniform_spec(0.0, 1e-3),
    "trunc_normal, tiny": stream.trunc_normal_spec(0.0, 1e-44, 0.0, 2e-44),
    "trunc_normal, above": stream.trunc_normal_spec(0.0, 0.02, 0.0, 0.04),
    "trunc_normal, below": stream.trunc_normal_spec(0.0, 0.02, -0.04, 0.0),
    "trunc_normal": stream.trunc_normal_spec(0.0, 0.02, -0.04, 0.04),
    "trunc_normal, one side": stream.trunc_normal_spec(1.0, 0.5, 1.25, 3.0),
}
WHOLE = {"words": (WORDS,), "choice": (CHOICE, 1000003), "all of 2^32": (CHOICE, 1 << 32)}
# A part of a block; many programs; the upper word of a counter; the last indices that there are.
STARTS = [(0, 1), (300, 150), (511, 2), (0, 5000), ((1 << 32) + 77, 300), ((1 << 33) - 700, 1301)]
STARTS += [((1 << 63) - 1 - 600, 600)]


def by_kernel(spec, dtype, start, count):
    out = torch.zeros(count + 2, dtype=dtype)  # what lies around must stay as it is
    from initkit.stream import triton_kernel

    triton_kernel.fill(out[1:-1], spec, KEY, RunTable.read(start, count))
    assert not out[0]
    assert not out[-1]
    return out[1:-1]


def by_c(spec, dtype, start, count):
    out = torch.zeros(count, dtype=dtype)
    eager.fill(out, spec, KEY, RunTable.read(start, count))
    loaded = native.load()
    if loaded.kernel is not None:
        again = torch.zeros(count, dtype=dtype)
        memory = again.untyped_storage()
        where = (again.data_ptr(), count, memory.data_ptr(), memory.nbytes(), start)
        number = next(iter(loaded.paths.values()))
        loaded.kernel.fill(number, native.CODES[dtype], *where, None, KEY, spec)
        assert same(out, again)
    return out


def same(a, b):
    return torch.equal(a.view(torch.uint8), b.view(torch.uint8))


@interpreted
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("dtype", native.FLOATS, ids=str)
def test_every_distribution_and_dtype_has_the_bits_of_the_c_kernel(spec, dtype):
    for start, count in STARTS:
        assert same(by_kernel(spec, dtype, start, count), by_c(spec, dtype, start, count))


@interpreted
@pytest.mark.parametrize("spec", WHOLE.values(), ids=WHOLE)
def test_words_and_choices_have_the_bits_of_the_c_kernel(spec):
    for start, count in STARTS:
        ours = by_kernel(spec, torch.int64, start, count)
        assert same(ours, by_c(spec, torch.int64, start, count))


@interpreted
@pytest.mark.parametrize("limit", [0, 1 << 30, 1 << 32])
def test_masks_have_the_bits_of_the_c_kernel(limit):
    ours = by_kernel((BERNOULLI, limit), torch.bool, 300, 3000)
    assert same(ours, by_c((BERNOULLI, limit), torch.bool, 300, 3000))


@interpreted
def test_many_tensors_in_one_launch_are_each_what_they_are_alone():
    from initkit.stream import triton_kernel

    specs = list(SPECS.values())
    dtypes = (torch.float32, torch.bfloat16)
    sizes = [1, 0, 700, 256, 2100, 3, 512] * 3
    rows = [
        (torch.zeros(size, dtype=dtypes[i % 2]), f"layer.{i}", specs[i % len(specs)], 77 * i)
        for i, size in enumerate(sizes)
    ]
    right = [(torch.zeros_like(row[0]), *row[1:]) for row in rows]
    triton_kernel.fill_many(items_of(rows, 5))
    stream.write_many(right, 5)
    assert all(same(a[0], b[0]) for a, b in zip(rows, right, strict=True))


@interpreted
def test_many_runs_are_the_parts_of_one_tensor():
    from initkit.stream import triton_kernel

    whole = torch.zeros(12, 40)
    stream.normal_(whole, KEY, 0.0, 0.02)
    runs = [(40 * i + 7, 11) for i in range(12)] + [(0, 0)]
    part = torch.zeros(12 * 11)
    spec = stream.normal_spec(0.0, 0.02)
    triton_kernel.fill(part, spec, KEY, RunTable.read(runs, part.numel()))
    assert torch.equal(part.view(12, 11), whole[:, 7:18])


@interpreted
def test_a_kernel_is_used_only_where_it_has_the_bits_of_the_cpu():
    from initkit.stream import triton_kernel

    def wrong(out, spec, key, runs):
        triton_kernel.fill(out, spec, key, runs)
        out[-1:] = 0

    for fill, right in ((triton_kernel.fill, True), (wrong, False)):
        there = torch.device("cpu"), torch.float16, SPECS["normal"]
        assert gpu.agrees(fill, *there) is right


@pytest.mark.skipif(INTERPRETED, reason="what is interpreted has no machine code")
def test_no_multiplication_is_fused_with_an_addition_in_the_code_for_a_gpu():
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from initkit.stream import triton_kernel
    from initkit.stream.spec import NORMAL

    types = {"pieces": "*i64", "table": "*i64", "length": "i32"}
    constants = {**triton_kernel.Variant(NORMAL)._asdict(), "dtype": 0, "element_size": 4}
    types |= dict.fromkeys(constants, "constexpr")
    source = ASTSource(fn=triton_kernel._kernel, signature=types, constexprs=constants)
    target = GPUTarget("cuda", 90, 32)
    options = {"enable_fp_fusion": False, "num_warps": 1}
    code = triton.compile(source, target=target, options=options).asm["ptx"]
    assert "mul.f32" in code or "mul.rn.f32" in code
    assert "fma." not in code
    assert "st.global.v4" in code  # a whole block is stored 16 bytes at a time


@pytest.mark.slow
@pytest.mark.skipif(INTERPRETED, reason="is what the other process runs")
def test_the_interpreter_agrees_in_a_process_of_its_own():
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    command += ["-m", "slow or not slow"]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
