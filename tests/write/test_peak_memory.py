"""Elementwise schemes need little memory beyond the model, however large a tensor is."""

from __future__ import annotations

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
