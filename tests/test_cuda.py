"""A GPU gets the bits of the CPU; these tests need one."""

from __future__ import annotations

import pytest
import torch
from models import Recurrent, resnext, tied_lm
from torch import nn

from initkit import apply_init, deferred, model_digest, track_writes
from initkit.write.digests import tensor_digests

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

LAWS = (
    "normal(std=0.5)",
    "normal(mean=1, std=0.5)",
    "uniform(-1, 3)",
    "trunc_normal(std=0.02, cutoff=2)",
    "zero_mask_uniform",
    "constant(2)",
    "orthogonal",
    "eye",
    "sparse(sparsity=0.3)",
    "blocks('orthogonal', 'uniform(0, 1)')",
    "log_uniform(0.01, 1)",
)
DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
DEFAULT = [{"tokens.weight": "normal(std=0.02)"}, "torch_default"]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("distribution", LAWS)
def test_every_distribution_has_the_bits_of_the_cpu(distribution: str, dtype: torch.dtype) -> None:
    here = torch.empty(700, 500, dtype=dtype)
    there = [torch.empty_like(here, device="cuda"), torch.empty(500, 700, dtype=dtype).cuda().t()]
    apply_init({"w": here}, {"w": distribution}, seed=1)
    for tensor in there:
        apply_init({"w": tensor}, {"w": distribution}, seed=1)
        assert torch.equal(tensor.cpu(), here)


@pytest.mark.parametrize("build", [tied_lm, resnext, Recurrent])
def test_models_have_the_digest_of_the_cpu(build: type[nn.Module]) -> None:
    here, there = build(), build().cuda()
    apply_init(here, DEFAULT, seed=2, idle="ignore")
    apply_init(there, DEFAULT, seed=2, idle="ignore")
    assert model_digest(there) == model_digest(here)


def test_a_deferred_model_gets_its_memory_on_the_gpu_buffers_included() -> None:
    with deferred():
        model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.LSTM(4, 4))
    apply_init(model, "torch_default", seed=0, device="cuda")
    assert all(t.is_cuda for t in (*model.parameters(), *model.buffers()))
    whole = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.LSTM(4, 4))
    apply_init(whole, "torch_default", seed=0)
    assert tensor_digests(model) == tensor_digests(whole)
    model(torch.randn(8, 4, device="cuda"))[0].sum().backward()


@pytest.mark.parametrize("poison", [False, True])
def test_coverage_works_on_the_gpu(poison: bool) -> None:
    model = tied_lm().cuda()
    with track_writes(model, poison=poison) as writes:
        apply_init(model, DEFAULT, seed=0)
    writes.assert_complete()
    with track_writes(model, poison=poison) as writes:
        nn.init.zeros_(model.positions.weight[:3])
    row = next(row for row in writes.rows if row.name == "positions.weight")
    assert (row.written, row.first) == (3 * 32, 3 * 32)


def test_fsdp2_on_one_gpu_has_the_digest_of_the_cpu() -> None:
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    dist.init_process_group("nccl", store=dist.HashStore(), rank=0, world_size=1)
    try:
        with deferred():
            model = tied_lm()
        fully_shard(model, mesh=init_device_mesh("cuda", (1,)))
        apply_init(model, DEFAULT, seed=3)
        whole = tied_lm()
        apply_init(whole, DEFAULT, seed=3)
        assert model_digest(model) == model_digest(whole)
    finally:
        dist.destroy_process_group()
