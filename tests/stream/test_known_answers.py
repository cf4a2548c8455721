"""The contract's known answers come out of apply_init, whatever carries them out."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

KNOWN = {
    "uniform(-0.05, 0.05)": (
        "bd0eb97f bd086845 bc0b366d 3d2dcbdf 3cdce8aa bd1e63df 3d204a4b bd1856e8"
    ),
    "uniform(0, 1)": "3e1b3044 3e2afb54 3ed47efe 3f6c9f6b 3f4508b5 3de80ca8 3f642e6f 3e0326bc",
    "normal(std=0.02)": "bbff454f bc0d6b02 bce0dad9 3b7a32a3 3c4923bb bbbcb50f 3bb4c724 bbd6262b",
    "normal(mean=1, std=0.5)": (
        "3f4e2476 3f48c233 3ea0aa0c 3f8c3779 3fa748fa 3f5b24a3 3f91a772 3f562c8c"
    ),
    "trunc_normal(std=0.02, a=-0.04, b=0.04)": (
        "bbf317fb bc069956 bcce6c0f 3b6eaf14 3c3ed84e bbb3e58a 3bac5af0 bbcc136b"
    ),
}
BFLOAT16 = "bbff bc0d bce1 3b7a 3c49 bbbd 3bb5 bbd6"
PLACES = [0, 1, 2, 3, 255, 256, 511, 512]
SCRIPT = """
import json, sys
import torch
from initkit import apply_init, stream
from initkit.stream import native, write

def bits(rule, dtype, kind, digits):
    model = torch.nn.ModuleDict({"fc": torch.nn.Linear(32, 17, bias=False, dtype=dtype)})
    apply_init(model, {"fc.weight": rule}, seed=0)
    found = model["fc"].weight.detach().view(-1)[torch.tensor(PLACES)].view(kind).tolist()
    return " ".join(f"{x & 16 ** digits - 1:0{digits}x}" for x in found)

write._wake()
write._wake = lambda: None  # it would choose the best path again
codes, fill, found = write._codes, getattr(write, "_fill", None), {}
for path in stream.paths():
    write._best = -1 if path == "eager" else native.number(path)
    write._codes, write._fill = ({}, None) if path == "eager" else (codes, fill)
    found[path] = [bits(rule, torch.float32, torch.int32, 8) for rule in RULES]
    found[path] += [bits("normal(std=0.02)", torch.bfloat16, torch.int16, 4)]
print(json.dumps([torch.backends.cpu.get_cpu_capability(), found]))
"""


@pytest.mark.parametrize("capability", ["default", "avx2"])
def test_apply_init_gives_the_known_answers_on_every_path(capability):
    """Neither torch's instruction set nor initkit's changes a bit of what ``fc.weight`` gets."""
    script = SCRIPT.replace("PLACES", repr(PLACES)).replace("RULES", repr(list(KNOWN)))
    env = {**os.environ, "ATEN_CPU_CAPABILITY": capability}
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True
    )
    used, found = json.loads(done.stdout)
    if used.replace("NO AVX", "DEFAULT").lower() != capability:  # so the oldest releases call it
        pytest.skip(f"this processor gives torch {used} where {capability} is asked for")
    assert "eager" in found
    for path, answers in found.items():
        assert answers == [*KNOWN.values(), BFLOAT16], path
