"""Initialising needs little memory beyond the model, however large a tensor or a model is."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

MIB = 1 << 20
LIMIT = 64 * MIB
SCRIPT = """
import sys
import torch
from torch import nn
from initkit import apply_init, deferred

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

def start(rows, rule, dtype):
    with deferred():
        model = nn.Linear(4096, rows, bias=False, dtype=dtype)
    apply_init(model, {"weight": rule}, seed=0, progress=False)
    return model.weight.nbytes

torch.set_num_threads(2)
rule, dtype = sys.argv[1], getattr(torch, sys.argv[2])
start(8, rule, dtype)  # libraries that a process loads once
before = peak()
size = start(1 << 14, rule, dtype)
print(peak() - before, size)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize(
    ("rule", "dtype"),
    [
        ("trunc_normal(std=0.02)", "float32"),
        ("normal(std=0.02)", "bfloat16"),
        ("0.5", "float32"),
        ("log_uniform(0.001, 0.1)", "float32"),
        ("arange", "float32"),
    ],
)
def test_a_large_tensor_needs_no_more_than_64_mib_beyond_itself(rule, dtype):
    """Chunks of fixed size bound the scratch: 67 million elements take what a thousand take."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, rule, dtype], capture_output=True, text=True, check=True
    )
    grown, size = map(int, done.stdout.split())
    assert size >= 2 * LIMIT
    assert grown <= size + LIMIT


PEAK = """
import sys
import torch
from torch import nn
from initkit import apply_init, deferred
MB = 1 << 20

def status(key):
    for line in open("/proc/self/status"):
        if line.startswith(key):
            return int(line.split()[1]) * 1024

rule, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
apply_init(nn.Linear(600, 600), {{"weight": rule, "bias": 0}}, seed=0)
before = status("VmRSS")
with deferred():
    model = nn.Sequential(*[nn.Linear({width}, {width}) for _ in range({count})])
built = status("VmHWM") - before
size = sum(p.nbytes for p in model.parameters())
rules = {{"*.bias": 0, "*.weight": rule}}
apply_init(model, rules, seed=0)
peak = status("VmHWM") - before
print(built / MB, size / MB, peak / MB)
assert not any(p.is_meta for p in model.parameters())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rule", ["normal(std=1)", "trunc_normal(std=1, cutoff=2)", "uniform"])
def test_peak_memory_is_the_model_and_at_most_64_mib(rule: str, threads: int) -> None:
    built, size, peak = measured(rule, threads, width=2048, count=12)
    assert size == pytest.approx(12 * (2048 * 2048 + 2048) * 4 / 2**20)
    assert built < 40, "constructing holds one parameter at a time"
    assert peak < size + 64


def test_peak_memory_of_a_matrix_distribution_is_the_model_and_its_scratch() -> None:
    built, size, peak = measured("orthogonal", 1, width=512, count=40)
    scratch = 3 * 512 * 512 * 8 / 2**20
    assert peak < size + 64 + scratch
    assert built < 40


def measured(rule: str, threads: int, width: int, count: int) -> tuple[float, float, float]:
    script = PEAK.format(width=width, count=count)
    done = subprocess.run(
        [sys.executable, "-c", script, rule, str(threads)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    built, size, peak = map(float, done.stdout.split())
    assert math.isfinite(peak)
    return built, size, peak
