"""Sharded models hold the bits of the unsharded one, on 1, 2 and 4 processes over gloo.

The cases stand in sharded.py, one function each; one run of several processes does them all.
"""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
import torch

import initkit
from initkit.model.sharding import (
    LocalShard,
    Ranges,
    is_sharded,
    local_shard,
    placement_problem,
    rank_count,
    split,
)

WORKER = Path(__file__).parents[1] / "sharded.py"


def cases() -> list[tuple[int, str]]:
    """Read off the worker which cases there are, without importing what it imports."""
    found = []
    for node in ast.parse(WORKER.read_text()).body:
        for call in getattr(node, "decorator_list", ()):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "case":
                found += [(int(ast.literal_eval(a)), node.name) for a in call.args]
    return sorted(found)


Outcome = Callable[[int], dict[str, str]]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Carry out all cases of so many processes, once."""
    folder = tmp_path_factory.mktemp("sharded")
    return functools.cache(lambda world: carry_out(world, folder / f"{world}.json"))


def carry_out(world: int, file: Path) -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(WORKER)]
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(world), str(port), str(file)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    try:
        errors = [process.communicate(timeout=600)[1] for process in processes]
        assert file.exists(), "\n".join(errors)
        return dict(json.loads(file.read_text()))
    finally:
        for process in processes:
            process.kill()


@pytest.mark.parametrize(("world", "name"), cases())
def test_several_processes(world: int, name: str, outcome: Outcome) -> None:
    if "skipped: " in outcome(world)[name]:
        pytest.skip(outcome(world)[name])
    assert outcome(world)[name] == "", outcome(world)[name]


def test_one_process_writes_the_same_whatever_the_order_threads_and_instructions() -> None:
    lines = []
    for capability in ("", "default", "avx2"):
        env = {**os.environ, "ATEN_CPU_CAPABILITY": capability}
        if not capability:
            del env["ATEN_CPU_CAPABILITY"]
        done = subprocess.run(
            [sys.executable, str(WORKER), "digests"],
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        lines.append(done.stdout.splitlines())
    assert all(" " not in digest for line in lines for digest in line), lines
    assert lines[0] == lines[1] == lines[2]


# ----------------------------------------------------------------------------------- arithmetic

SHAPE = (5, 4, 3)
RANGES: list[list[Ranges]] = [
    [((0, 5),), ((1, 3),), ((4, 1),), ((0, 1), (3, 2))],
    [((0, 4),), ((2, 1),), ((0, 1), (2, 2))],
    [((0, 3),), ((1, 1),), ((0, 1), (2, 1))],
]


@pytest.mark.parametrize("ranges", list(product(*RANGES)))
def test_runs_and_indices_are_those_of_the_slice(ranges: tuple[Ranges, ...]) -> None:
    sizes = [sum(count for _, count in one) for one in ranges]
    part = LocalShard(torch.empty(sizes), SHAPE, ranges)
    wanted = part.cut(torch.arange(60)).reshape(-1)
    for offset in range(len(wanted)):
        for count in range(1, len(wanted) - offset + 1):
            expected = wanted[offset : offset + count]
            assert torch.equal(part.indices(offset, count), expected)
            runs = part.runs(offset, count)
            if isinstance(runs, int):
                assert torch.equal(torch.arange(runs, runs + count), expected)
            else:
                pieces = [torch.arange(start, start + n) for start, n in runs.tolist()]
                assert torch.equal(torch.cat(pieces), expected)


@pytest.mark.parametrize(("size", "parts"), list(product((0, 1, 5, 6, 7), (1, 2, 3, 4))))
def test_split_cuts_as_torch_chunk_does(size: int, parts: int) -> None:
    whole: Ranges = ((10, size),) if size else ()
    chunks = [c.tolist() for c in torch.arange(10, 10 + size).chunk(parts)] if size else []
    found = [
        [i for first, count in split(whole, parts, index) for i in range(first, first + count)]
        for index in range(parts)
    ]
    assert [chunk for chunk in found if chunk] == chunks


def test_the_place_of_a_row_is_found_through_gaps() -> None:
    part = LocalShard(torch.empty(3, 2), (9, 2), (((1, 2), (6, 1)), ((0, 2),)))
    assert [part.place(row) for row in range(9)] == [None, 0, 1, None, None, None, 2, None, None]


def test_a_plain_tensor_is_not_sharded() -> None:
    tensor = torch.empty(3)
    assert local_shard(tensor) is None
    assert not is_sharded(tensor)
    assert rank_count(tensor) == 1
    assert placement_problem(tensor) == ""


# -------------------------------------------------------------------------------- refused by name


def test_a_placeholder_of_zero3_is_refused_by_name() -> None:
    model = torch.nn.Linear(3, 2)
    model.weight = torch.nn.Parameter(torch.empty(0))
    model.weight.ds_shape = torch.Size((2, 3))
    with pytest.raises(initkit.PlanError) as caught:
        initkit.apply_init(model, {"*": 0}, seed=0)
    assert str(caught.value) == (
        "nothing was written: weight: it is an empty placeholder of a tensor of shape [2, 3] that "
        "is partitioned elsewhere (ZeRO-3); gather it first, or initialise before partitioning "
        "(rule '*')\n"
        "  as written:   '*': 0"
    )


def partitioned() -> torch.nn.Module:
    """A model as ZeRO-3 leaves it."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 2, bias=False))
    model[0].weight = torch.nn.Parameter(torch.empty(0))
    model[0].weight.ds_shape = torch.Size((2, 3))
    return model


@pytest.mark.parametrize("rules", ["xavier_uniform", {"*": "orthogonal"}, "torch_default"])
def test_a_placeholder_is_named_as_one_whatever_shape_a_rule_needs(rules: object) -> None:
    with pytest.raises(initkit.PlanError, match="0.weight: it is an empty placeholder of a tensor"):
        initkit.apply_init(partitioned(), rules, seed=0)
    initkit.apply_init(partitioned(), {"*": "keep"}, seed=0)


def test_a_plan_of_the_whole_names_a_placeholder_too() -> None:
    plan = initkit.plan_init(torch.nn.Sequential(torch.nn.Linear(3, 2, bias=False)), {"*": 0})
    with pytest.raises(initkit.PlanError, match="0.weight: it is an empty placeholder of a tensor"):
        plan.apply(partitioned(), seed=0)


def test_a_lazy_parameter_is_refused_by_name() -> None:
    with pytest.raises(initkit.PlanError, match="weight: it is lazy and has no shape yet"):
        initkit.apply_init(torch.nn.LazyLinear(2), {"*": 0}, seed=0)
    plan = initkit.plan_init(torch.nn.Linear(3, 2), {"*": 0})
    with pytest.raises(initkit.PlanError, match="weight: it is lazy and has no shape yet"):
        plan.apply(torch.nn.LazyLinear(2), seed=0)
    with pytest.raises(initkit.errors.TensorProblem) as caught:
        initkit.model_digest(torch.nn.LazyLinear(2))
    assert str(caught.value) == "lazy, without a shape yet: weight, bias"


def test_verifying_ranks_needs_ranks() -> None:
    with pytest.raises(initkit.OptionError) as caught:
        initkit.apply_init(torch.nn.Linear(2, 2), {"*": 0}, verify_ranks=True)
    assert str(caught.value) == ("verify_ranks needs torch.distributed.init_process_group first")


# --------------------------------------------------------------------------------------- the guide

GUIDE = Path(__file__).parents[2] / "docs" / "distributed.md"


@pytest.mark.skipif(
    not hasattr(torch.cpu.Stream, "record_event"), reason="this torch runs FSDP2 on GPUs alone"
)
def test_the_guide_runs_on_two_processes(tmp_path: Path) -> None:
    """Every block of code on the page, as one script."""
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 5
    script = tmp_path / "guide.py"
    script.write_text("\n".join(blocks))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    common = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    common |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    processes = [
        subprocess.Popen(
            [sys.executable, str(script)],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    # gloo of some releases tells of its connections on the same stream
    first, second = (
        [line for line in printed.splitlines() if not line.startswith("[Gloo]")]
        for printed, _ in outputs
    )
    assert first == second != [], "both print the same line"
