"""Measure what torch.nn.init and initkit give on sharded tensors: several processes on the CPU.

Run it as ``python benchmarks/sharded_nn_init.py``; it prints the table of docs/distributed.md.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.multiprocessing.spawn import spawn

from initkit import apply_init

WORLD = 4
SIZE = 64
MESHES = {
    "Shard(0)": ((4,), (Shard(0),)),
    "Shard(1)": ((4,), (Shard(1),)),
    "Replicate x Shard(0)": ((2, 2), (Replicate(), Shard(0))),
}
SCHEMES: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "normal": (lambda w: nn.init.normal_(w, std=0.02), "normal(std=0.02)"),
    "kaiming_uniform": (nn.init.kaiming_uniform_, "kaiming_uniform"),
    "orthogonal": (nn.init.orthogonal_, "orthogonal"),
}


def gathered(tensor: DTensor) -> list[Tensor]:
    """Return what every rank holds."""
    parts: list[Tensor] = [torch.empty(0)] * WORLD
    dist.all_gather_object(parts, tensor.to_local().detach().clone())
    return parts


def findings(parts: list[Tensor], whole: Tensor, place: str, alone: Tensor) -> list[str]:
    """Return, in words, what is true of the shards and of the tensor that they make up."""
    replicas = 2 if place.startswith("Replicate") else 1
    shards = parts[: WORLD // replicas]
    repeated = all(torch.equal(shards[0], other) for other in shards[1:])
    agree = all(torch.equal(a, b) for a, b in zip(shards, parts[len(shards) :], strict=False))
    gram = whole.double() @ whole.double().T
    error = float((gram - torch.eye(SIZE, dtype=torch.float64)).abs().max())
    return [
        "yes" if torch.equal(whole, alone) else "no",
        "yes" if repeated else "no",
        ("yes" if agree else "no") if replicas == 2 else "",
        f"{float(whole.std()):.4f}",
        f"{error:.1e}",
    ]


def by_torch(scheme: str, place: str, per_rank: bool) -> list[str]:
    """Run the function of nn.init, all ranks under one seed or each under its own."""
    fill = SCHEMES[scheme][0]
    torch.manual_seed(0)
    alone = fill(torch.empty(SIZE, SIZE))
    shape, placements = MESHES[place]
    mesh = init_device_mesh("cpu", shape)
    tensor = distribute_tensor(torch.zeros(SIZE, SIZE), mesh, placements)
    torch.manual_seed(dist.get_rank() if per_rank else 0)
    try:
        fill(tensor)
    except (NotImplementedError, RuntimeError) as error:
        return [f"raises {type(error).__name__}", "", "", "", ""]
    return findings(gathered(tensor), tensor.full_tensor(), place, alone)


def by_initkit(scheme: str, place: str) -> list[str]:
    """Run initkit under one seed."""
    alone = torch.empty(SIZE, SIZE)
    apply_init({"w": alone}, {"w": SCHEMES[scheme][1]}, seed=0)
    shape, placements = MESHES[place]
    mesh = init_device_mesh("cpu", shape)
    tensor = distribute_tensor(torch.zeros(SIZE, SIZE), mesh, placements)
    apply_init({"w": tensor}, {"w": SCHEMES[scheme][1]}, seed=0)
    return findings(gathered(tensor), tensor.full_tensor(), place, alone)


HEAD = (
    "scheme",
    "placement",
    "by",
    "as unsharded",
    "shards repeat",
    "replicas agree",
    "std",
    "off identity",
)


def worker(rank: int, port: int, file: str) -> None:
    """Measure everything; rank 0 writes the table."""
    warnings.simplefilter("ignore")
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=WORLD)
    rows = [HEAD, tuple("-" * len(name) for name in HEAD)]
    for scheme in SCHEMES:
        for place in MESHES:
            for by, found in (
                ("nn.init, one seed", by_torch(scheme, place, per_rank=False)),
                ("nn.init, seed = rank", by_torch(scheme, place, per_rank=True)),
                ("initkit", by_initkit(scheme, place)),
            ):
                rows.append((scheme, place, by, *found))
    if rank == 0:
        Path(file).write_text("\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n")
    dist.destroy_process_group()


def main() -> None:
    """Start the processes and print what they found."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.md"
        start: Any = spawn
        start(worker, args=(port, str(file)), nprocs=WORLD)
        sys.stdout.write(f"torch {torch.__version__}, {WORLD} processes, {SIZE} x {SIZE}, gloo\n\n")
        sys.stdout.write(file.read_text())


if __name__ == "__main__":
    main()
