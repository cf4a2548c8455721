"""A sharded model is shown with its global shapes, and what this process holds of it."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard
from torch.testing._internal.distributed.fake_pg import FakeStore

from initkit import check_init, plan_init, summary

# Two processes of which only this one exists: nothing here may wait for the other.
dist.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
mesh = init_device_mesh("cpu", (2,))
model = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))
model[0].weight = nn.Parameter(DTensor.from_local(torch.ones(3, 4), mesh, [Shard(0)]))
row = summary(model)["0.weight"]
assert (row.shape, row.local_shape, row.bytes, row.numel) == ((6, 4), (3, 4), 48, 24), row
assert row.constant == 1 and "3x4 of it here" in summary(model).text(), row

whole = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))
whole.hidden = [nn.Linear(2, 2)]
fully_shard(whole[0], mesh=mesh)
fully_shard(whole, mesh=mesh)
found = summary(whole)
assert [row.shape for row in found] == [(6, 4), (6,), (2, 6), (2,)], found
assert [one.path for one in found.unregistered] == ["hidden[0]"], found.unregistered
assert found["0.weight"].local_shape == (3, 4)
print("fine")
"""


def test_shapes_are_global_and_values_are_those_held_here() -> None:
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "fine", done.stderr
