"""Simulate one trillion parameters on 4,096 ranks: the plan, a rank's work, and what ranks compare.

python benchmarks/scale.py [--ranks 0,1234,4095]

The shapes are those of Kimi K2 (Moonshot AI 2025, arXiv:2507.20534, config.json of
moonshotai/Kimi-K2-Base): 61 layers, 384 experts in 60 of them, multi-head latent attention. Each
rank is a process with torch's fake group: it has the mesh, the placements and the shards of that
rank, and no neighbours, so that what ranks would send is counted and not sent.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Placement, Replicate, Shard, distribute_tensor
from torch.testing._internal.distributed.fake_pg import FakeStore

from initkit import Plan, deferred, plan_init, stream
from initkit.write import distributed

WIDTH, LAYERS, EXPERTS, HIDDEN, DENSE, WORDS = 7168, 61, 384, 2048, 18432, 163840
HEADS, Q_RANK, KV_RANK, NOPE, ROPE, VALUE = 64, 1536, 512, 128, 64, 128
STAGES, DATA, EXPERT, TENSOR = 16, 8, 4, 8
WORLD = STAGES * DATA * EXPERT * TENSOR
STD = 0.006
RULES = {"*norm.weight": 1, "*.router.bias": 0, "*": f"normal(std={STD})"}


def linear(inputs: int, outputs: int) -> nn.Linear:
    """Return a matrix without a bias, in the dtype of training."""
    return nn.Linear(inputs, outputs, bias=False, dtype=torch.bfloat16)


class Attention(nn.Module):
    """Multi-head latent attention: queries, keys and values through narrow projections."""

    def __init__(self) -> None:
        super().__init__()
        self.q_a, self.q_b = linear(WIDTH, Q_RANK), linear(Q_RANK, HEADS * (NOPE + ROPE))
        self.q_norm = nn.RMSNorm(Q_RANK)
        self.kv_a = linear(WIDTH, KV_RANK + ROPE)
        self.kv_norm = nn.RMSNorm(KV_RANK)
        self.kv_b = linear(KV_RANK, HEADS * (NOPE + VALUE))
        self.o = linear(HEADS * VALUE, WIDTH)


class MLP(nn.Module):
    """A gated block: the dense one, the shared expert, or one expert of many."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.gate, self.up, self.down = (
            linear(WIDTH, hidden),
            linear(WIDTH, hidden),
            linear(hidden, WIDTH),
        )


class Experts(nn.Module):
    """All experts of a layer, one tensor for each of their three matrices."""

    def __init__(self) -> None:
        super().__init__()
        for name, rows, columns in (
            ("gate", HIDDEN, WIDTH),
            ("up", HIDDEN, WIDTH),
            ("down", WIDTH, HIDDEN),
        ):
            empty = torch.empty(EXPERTS, rows, columns, dtype=torch.bfloat16)
            setattr(self, name, nn.Parameter(empty))


class Layer(nn.Module):
    """One layer; ``grouped`` makes one tensor of all experts, else each is modules of its own."""

    def __init__(self, dense: bool, grouped: bool) -> None:
        super().__init__()
        self.norm, self.mlp_norm = nn.RMSNorm(WIDTH), nn.RMSNorm(WIDTH)
        self.attention = Attention()
        self.mlp = MLP(DENSE if dense else HIDDEN)
        if not dense:
            self.router = nn.Linear(WIDTH, EXPERTS)
            several = Experts() if grouped else nn.ModuleList(MLP(HIDDEN) for _ in range(EXPERTS))
            self.experts = several


class Model(nn.Module):
    """The whole."""

    def __init__(self, grouped: bool) -> None:
        super().__init__()
        self.tokens = nn.Embedding(WORDS, WIDTH, dtype=torch.bfloat16)
        self.layers = nn.ModuleList(Layer(i == 0, grouped) for i in range(LAYERS))
        self.norm = nn.RMSNorm(WIDTH)
        self.head = linear(WIDTH, WORDS)


class Stage(nn.Module):
    """What one pipeline stage holds, under the names of the whole."""

    def __init__(self, whole: Model, stage: int) -> None:
        super().__init__()
        cut = [round(i * LAYERS / STAGES) for i in range(STAGES + 1)]
        held = range(cut[stage], cut[stage + 1])
        self.layers = nn.ModuleDict({str(i): whole.layers[i] for i in held})
        if stage == 0:
            self.tokens = whole.tokens
        if stage == STAGES - 1:
            self.norm, self.head = whole.norm, whole.head


def spread(module: nn.Module, name: str, mesh: DeviceMesh, *placements: Placement) -> None:
    """Let a parameter be distributed over a mesh."""
    tensor = getattr(module, name).detach()
    setattr(module, name, nn.Parameter(distribute_tensor(tensor, mesh, placements)))


COLUMNS = ("q_b", "kv_b", "gate", "up")  # of these matrices the rows are dealt out
ROWS = ("o", "down")  # and of these the columns


def shard(stage: nn.Module, mesh: DeviceMesh) -> None:
    """Tensor parallel, expert parallel, then FSDP2 over what is left."""
    for path, module in list(stage.named_modules()):
        if isinstance(module, Experts):
            for name in ("gate", "up", "down"):
                across = Shard(2) if name == "down" else Shard(1)
                spread(module, name, mesh["ep", "tp"], Shard(0), across)
        elif isinstance(module, (nn.Linear, nn.Embedding)):
            last = path.rpartition(".")[2]
            part = Shard(1) if last in ROWS else Shard(0)
            known = last in (*COLUMNS, *ROWS, "tokens", "head")
            spread(module, "weight", mesh["tp"], part if known else Replicate())
        elif isinstance(module, nn.RMSNorm):
            spread(module, "weight", mesh["tp"], Replicate())
        if isinstance(module, nn.Linear) and module.bias is not None:
            spread(module, "bias", mesh["tp"], Replicate())
    for module in stage.modules():
        if isinstance(module, Layer):
            if hasattr(module, "experts"):
                fully_shard(module.experts, mesh=mesh["dp"])
            fully_shard(module, mesh=mesh["dp"])
    fully_shard(stage, mesh=mesh["dp"])


def resident() -> int:
    """Return the bytes that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak() -> float:
    """Return the most MiB that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# ----------------------------------------------------------------------------------------- the plan


def planned(grouped: bool) -> dict[str, float]:
    """Return what planning the whole costs, in seconds of processor time and bytes a parameter."""
    with deferred():
        model = Model(grouped)
    count = sum(1 for _ in model.parameters())
    before, begin = resident(), time.process_time()
    plan = plan_init(model, RULES)
    seconds = time.process_time() - begin
    held = resident() - before
    text = plan.to_json()
    begin = time.process_time()
    Plan.from_json(text)
    return {
        "elements": sum(p.numel() for p in model.parameters()),
        "parameters": count,
        "seconds": seconds,
        "bytes": held / count,
        "json": len(text),
        "read": time.process_time() - begin,
    }


# ------------------------------------------------------------------------------------------- a rank


def rows_of(name: str, tensor: DTensor) -> Iterator[tuple[int, int, Tensor]]:
    """Yield the place of a row's first element in the whole tensor, its length, and the row.

    From the mesh's coordinates alone, as the placements are defined: nothing of initkit's is asked.
    """
    index = torch.arange(tensor.shape[0])
    offset = [0] * tensor.dim()
    size = list(tensor.shape)
    own = tensor.device_mesh.get_coordinate()
    assert own is not None
    names = tensor.device_mesh.mesh_dim_names or ()
    # FSDP2 was the last to cut, though its dimension of the mesh is the first.
    for dim_name in sorted(names, key=lambda n: n == "dp"):
        at = names.index(dim_name)
        placement: Any = tensor.placements[at]
        if not hasattr(placement, "dim"):
            continue
        n, d = tensor.device_mesh.size(at), placement.dim
        if d == 0:
            parts = index.chunk(n)
            index = parts[own[at]] if own[at] < len(parts) else index[:0]
        else:
            size[d] //= n
            offset[d] += own[at] * size[d]
    local = tensor.to_local()
    assert local.shape[0] == len(index), name
    if not len(index) or tensor.dim() > 3:
        return
    for i in {0, len(index) // 2, len(index) - 1}:
        first = int(index[i])
        if tensor.dim() == 1:
            yield first, 1, local[i : i + 1]
        elif tensor.dim() == 2:
            yield first * tensor.shape[1] + offset[1], size[1], local[i]
        else:
            j = size[1] - 1
            row = first * tensor.shape[1] + offset[1] + j
            yield row * tensor.shape[2] + offset[2], size[2], local[i, j]


def rank(number: int) -> dict[str, Any]:
    """Initialise what one rank holds, and compare sampled rows with those of the whole tensors."""
    dist.init_process_group("fake", store=FakeStore(), rank=number, world_size=WORLD)
    mesh = init_device_mesh(
        "cpu", (STAGES, DATA, EXPERT, TENSOR), mesh_dim_names=("pp", "dp", "ep", "tp")
    )
    with deferred():
        whole = Model(grouped=True)
    before, begin = resident(), time.process_time()
    plan = plan_init(whole, RULES)
    planning, plan_bytes = time.process_time() - begin, resident() - before
    coordinate = mesh.get_coordinate()
    assert coordinate is not None
    stage = Stage(whole, coordinate[0])
    shard(stage, mesh)
    held = peak()
    begin = time.process_time()
    report = plan.apply(stage, seed=0, device="cpu", progress=False)
    writing = time.process_time() - begin
    compared = 0
    elements = 0
    for name, parameter in stage.named_parameters():
        tensor: Any = parameter.detach()
        local = tensor.to_local()
        elements += local.numel()
        if name.endswith(("norm.weight", "bias")):
            continue
        key = stream.key(0, name)
        for start, length, row in rows_of(name, tensor):
            right = torch.empty(length, dtype=tensor.dtype)
            stream.normal_(right, key, 0.0, STD, start)
            assert torch.equal(row, right), f"{name} at {start}"
            compared += 1
    return {
        "rank": number,
        "stage": coordinate[0],
        "plan": planning,
        "plan_mib": plan_bytes / 2**20,
        "parameters": sum(1 for _ in stage.parameters()),
        "elements": elements,
        "seconds": writing,
        "beyond_mib": peak()
        - held
        - sum(p.to_local().nbytes for p in stage.parameters() if isinstance(p, DTensor)) / 2**20,
        "rows": compared,
        "digest": report.digest,
    }


# --------------------------------------------------------------------------------------- comparing


def comparison(error: str) -> tuple[int, float]:
    """Return how many bytes a rank sends in ``verify_ranks``, and the seconds to read them all."""
    found: list[Any] = []

    def gather(into: list[Any], mine: Any, **_: object) -> None:
        sent = pickle.dumps(mine)
        found.append(len(sent))
        into[:] = [pickle.loads(sent) for _ in range(WORLD)]

    kept, dist.all_gather_object = dist.all_gather_object, gather  # type: ignore[assignment]
    begin = time.process_time()
    try:
        failure = RuntimeError(error) if error else None
        distributed.compare_ranks("plan-0123456789abcdef", 0, "", failure)
    finally:
        dist.all_gather_object = kept
    return found[0], time.process_time() - begin


def child(*arguments: str) -> Any:
    """Return what this script prints, as JSON, in a process of its own."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the tables of docs/distributed.md."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ranks", default=f"0,1234,{WORLD - 1}")
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--plan", choices=("grouped", "apart"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.rank is not None:
        print(json.dumps(rank(options.rank)))
        return
    if options.plan:
        print(json.dumps(planned(options.plan == "grouped")))
        return
    print("| experts | elements | parameters | plan | memory a parameter | JSON | read |")
    print("|---|---|---|---|---|---|---|")
    for form, label in (("grouped", "a tensor a layer"), ("apart", "a module each")):
        p = child("--plan", form)
        print(
            f"| {label} | {p['elements'] / 1e12:.3f} trillion | {p['parameters']:,} "
            f"| {p['seconds']:.2f} s | {p['bytes']:.0f} bytes | {p['json'] / 1e6:.2f} MB "
            f"| {p['read']:.2f} s |",
            flush=True,
        )
    print("\n| rank | stage | tensors | elements | of the whole | plan | write | rows compared |")
    print("|---|---|---|---|---|---|---|---|")
    digests = set()
    for number in options.ranks.split(","):
        r = child("--rank", number)
        digests.add(r["digest"])
        print(
            f"| {r['rank']:,} | {r['stage']} | {r['parameters']} | {r['elements']:,} "
            f"| 1/{p['elements'] / r['elements']:,.0f} "
            f"| {r['plan']:.2f} s, {r['plan_mib']:.1f} MiB "
            f"| {r['seconds']:.2f} s, {max(0, r['beyond_mib']):.0f} MiB more | {r['rows']} |",
            flush=True,
        )
    assert len(digests) == 1, "ranks differ in their digest"
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=WORLD)
    for error in ("", "x" * 10_000):
        size, seconds = comparison(error)
        total = f"{size * WORLD / 1e6:.1f} MB in all"
        print(f"\nverify_ranks: {size:,} bytes a rank, {total}; {seconds:.3f} s to read them")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
