"""One process of several: carries out all cases for so many processes, and writes what failed.

Run by test_sharding.py as ``python sharded.py RANK WORLD PORT FILE``, and as ``python sharded.py
digests`` to see what one process makes of the same models.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import itertools
import json
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import SkipTest

import torch
import torch.distributed as dist
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

from resnext29 import ResNeXt29
from tied_lm import TiedLM
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.tensor import (
    DTensor,
    Partial,
    Replicate,
    Shard,
    distribute_tensor,
)
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)

import initkit
from initkit import (
    Plan,
    apply_init,
    deferred,
    materialize,
    model_digest,
    plan_init,
    record_init,
    torch_compat,
)
from initkit.distributions import Orthogonal
from initkit.model import sharding
from initkit.rules import every_recipe
from initkit.write.digests import tensor_digests

Case = Callable[[], None]
DISTRIBUTE_TAKES = inspect.signature(distribute_tensor).parameters
CASES: dict[str, tuple[tuple[int, ...], Case]] = {}


def case(*worlds: int) -> Callable[[Case], Case]:
    """Have a function carried out by so many processes."""

    def keep(function: Case) -> Case:
        CASES[function.__name__] = worlds, function
        return function

    return keep


# ------------------------------------------------------------------------------------- helpers

# FSDP2 runs forward on CPUs since torch 2.7; before, its models can be sharded and started.
FSDP2_RUNS = hasattr(torch.cpu.Stream, "record_event")


def distributed(whole: Tensor, mesh: DeviceMesh, placements: Sequence[object]) -> DTensor:
    """Shard a tensor that every process holds whole, without sending it."""
    if "src_data_rank" in DISTRIBUTE_TAKES:
        return distribute_tensor(whole, mesh, placements, src_data_rank=None)
    # Older releases send what they shard, which gloo can't for every dtype; so they shard indices.
    indices = torch.arange(whole.numel()).view(whole.shape)
    part = whole.reshape(-1)[distribute_tensor(indices, mesh, placements).to_local()]
    shape, stride = whole.shape, whole.stride()
    return DTensor.from_local(part, mesh, placements, run_check=False, shape=shape, stride=stride)


def line() -> DeviceMesh:
    """All processes in a row."""
    return init_device_mesh("cpu", (dist.get_world_size(),))


def square() -> DeviceMesh:
    """Four processes, two by two."""
    return init_device_mesh("cpu", (2, 2), mesh_dim_names=("dp", "tp"))


def lm() -> TiedLM:
    return TiedLM(vocabulary=27, width=12, layers=2, heads=2, length=9, padding=3)


def resnext() -> nn.Module:
    """The first stage of a ResNeXt-29, and its head."""
    model = ResNeXt29(groups=2, base_width=4)
    del model.stage2, model.stage3
    model.fc = nn.Linear(256, 10)
    return model


TENSOR_PARALLEL = {
    "blocks.*.qkv": ColwiseParallel,
    "blocks.*.proj": RowwiseParallel,
    "blocks.*.up": ColwiseParallel,
    "blocks.*.down": RowwiseParallel,
}


def tensor_parallel(model: nn.Module, mesh: DeviceMesh) -> nn.Module:
    return parallelize_module(model, mesh, {k: style() for k, style in TENSOR_PARALLEL.items()})


def fsdp(model: nn.Module, mesh: DeviceMesh, **options: object) -> nn.Module:
    for block in getattr(model, "blocks", ()):
        fully_shard(block, mesh=mesh, **options)
    return fully_shard(model, mesh=mesh, **options)


def truth(build: Callable[[], nn.Module], rules: object, **options: object) -> nn.Module:
    """Return the model as one process initialises it."""
    model = build()
    apply_init(model, rules, **options)
    return model


def numbered(model: nn.Module) -> nn.Module:
    """Give every element its own index, so that torch's sharding shows which went where."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.arange(parameter.numel()).view_as(parameter))
    return model


def assert_held(model: nn.Module, whole: nn.Module, placed: nn.Module) -> None:
    """What each process holds is the part of ``whole`` that torch's own sharding would leave it."""
    wanted = dict(whole.named_parameters())
    where = dict(placed.named_parameters())
    checked = 0
    for name, parameter in model.named_parameters():
        index = local(where[name]).long().reshape(-1)
        expected = wanted[name].detach().reshape(-1)[index]
        assert torch.equal(local(parameter).reshape(-1), expected), name
        checked += 1
    assert checked == len(wanted)


def local(tensor: Tensor) -> Tensor:
    return (tensor.to_local() if isinstance(tensor, DTensor) else tensor).detach()


def raises(kind: type[Exception] | tuple[type[Exception], ...], call: Callable[[], object]) -> str:
    try:
        call()
    except kind as error:
        return str(error)
    raise RuntimeError(f"{kind} was not raised")


# --------------------------------------------------------------------------- models, all rules

DEFAULT = [{"tokens.weight": "normal(std=0.02)"}, "torch_default"]
RULES = {
    "torch_default": DEFAULT,
    "orthogonal": [{"*.bias": 0, "*norm*.weight": 1}, "orthogonal"],
    "trunc": {
        "*norm*.weight": 1,
        "*.bias": "uniform(-1, 1)",
        "*": "trunc_normal(std=0.02, cutoff=2)",
    },
    "sparse": {"tokens.weight": "sparse(sparsity=0.3)", "*.weight": "normal(std=0.02)", "*": 0},
}


def everything(build: Callable[[], nn.Module], shard: Callable[[nn.Module], nn.Module]) -> None:
    """Rules and recipes give the bits of one process, by content and by digest."""
    whole, model, placed = build(), shard(build()), shard(numbered(build()))
    own = list(RULES.values()) if isinstance(whole, TiedLM) else []
    for rules in [*own, *fitting(build)]:
        one = apply_init(whole, rules, seed=5)
        assert apply_init(model, rules, seed=5).digest == one.digest
        assert_held(model, whole, placed)
        assert model_digest(model, buffers=False) == model_digest(whole, buffers=False)


@functools.cache  # hundreds of plans, of which each way to shard the model asks
def fitting(build: Callable[[], nn.Module]) -> list[str]:
    """Return the recipes that fit a model, of those with the same schemes one."""
    told: list[Any] = [None]
    if dist.get_rank() == 0:  # the others would take its cores to find the same
        found = Path(sys.argv[4]).with_name(f"{build.__name__}_fitting.json")
        if not found.exists():  # by a run of fewer processes
            found.write_text(json.dumps(list(_by_schemes(build()).values())))
        told = [json.loads(found.read_text())]
    dist.broadcast_object_list(told)
    return list(told[0])


def _by_schemes(model: nn.Module) -> dict[object, str]:
    found: dict[object, str] = {}
    for recipe in every_recipe():
        try:
            plan = plan_init(model, recipe.name)
        except initkit.InitkitError:
            continue
        if not plan.problems and not plan.with_status("uncovered"):
            found.setdefault(frozenset((s.scheme, len(s.shape)) for s in plan), recipe.name)
    return found


@case(1, 2, 4)
def fsdp2_tied_transformer() -> None:
    everything(lm, lambda model: fsdp(model, line()))


@case(2)
def fsdp2_resnext() -> None:
    everything(resnext, lambda model: fsdp(model, line()))


@case(2, 4)
def fsdp2_on_the_last_dimension() -> None:
    model = nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 8))
    shard = {"shard_placement_fn": lambda p: Shard(p.dim() - 1)}
    whole = truth(lambda: copy.deepcopy(model), "xavier_uniform", seed=1)
    placed = fully_shard(numbered(copy.deepcopy(model)), mesh=line(), **shard)
    mine = fully_shard(copy.deepcopy(model), mesh=line(), **shard)
    apply_init(mine, "xavier_uniform", seed=1)
    assert_held(mine, whole, placed)


@case(2)
def tensor_parallel_column_and_row() -> None:
    everything(lm, lambda model: tensor_parallel(model, line()))


@case(4)
def fsdp2_times_tensor_parallel() -> None:
    mesh = square()
    everything(lm, lambda model: fsdp(tensor_parallel(model, mesh["tp"]), mesh["dp"]))


@case(4)
def hsdp() -> None:
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("replicate", "shard"))
    everything(lm, lambda model: fsdp(model, mesh))


@case(2, 4)
def fsdp2_after_a_step_writes_what_the_optimizer_has() -> None:
    if not FSDP2_RUNS:
        raise SkipTest("this torch runs FSDP2 on GPUs alone")
    model = fsdp(lm(), line())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.zeros(1, 4, dtype=torch.long)).sum().backward()
    optimizer.step()
    model(torch.zeros(1, 4, dtype=torch.long))  # leaves the root unsharded
    apply_init(model, DEFAULT, seed=2)
    assert model_digest(model) == model_digest(truth(lm, DEFAULT, seed=2))


@case(1, 2, 4)
def fsdp2_deferred() -> None:
    with deferred():
        model = lm()
    model = fsdp(model, line())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    kept = {name: id(p) for name, p in model.named_parameters()}
    apply_init(model, DEFAULT, seed=3)
    whole = truth(lm, DEFAULT, seed=3)
    assert {name: id(p) for name, p in model.named_parameters()} == kept
    assert model_digest(model) == model_digest(whole)
    tokens = torch.arange(8)[None] % 5
    if FSDP2_RUNS:
        assert torch.allclose(model(tokens), whole(tokens), atol=1e-5)
        model(tokens).sum().backward()
        optimizer.step()


@case(4)
def tensor_parallel_and_fsdp2_deferred() -> None:
    mesh = square()
    with deferred():
        model = lm()
    model = fsdp(tensor_parallel(model, mesh["tp"]), mesh["dp"])
    apply_init(model, RULES["orthogonal"], seed=3)
    assert model_digest(model) == model_digest(truth(lm, RULES["orthogonal"], seed=3))


@case(2)
def fsdp2_from_the_meta_device() -> None:
    with torch.device("meta"):
        model = lm()
    model = fsdp(model, line())
    apply_init(model, DEFAULT, seed=3, device="cpu")
    assert model_digest(model) == model_digest(truth(lm, DEFAULT, seed=3))


@case(2)
def to_empty_then_apply() -> None:
    with torch.device("meta"):
        model = lm()
    model = fsdp(model, line())
    model.to_empty(device="cpu")
    apply_init(model, DEFAULT, seed=3)
    assert model_digest(model) == model_digest(truth(lm, DEFAULT, seed=3))


# ---------------------------------------------------------------------- pipelines, FSDP1, plans


class FirstStage(nn.Module):
    """Tokens, positions and the first block."""

    def __init__(self, whole: TiedLM) -> None:
        super().__init__()
        self.tokens, self.positions = whole.tokens, whole.positions
        self.blocks = nn.ModuleList([whole.blocks[0]])


class LastStage(nn.Module):
    """The second block as number 0, the norm and the head."""

    def __init__(self, whole: TiedLM) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([whole.blocks[1]])
        self.norm, self.head = whole.norm, whole.head


@case(2)
def pipeline_stages() -> None:
    rules = DEFAULT
    with deferred():
        whole = lm()
    plan = Plan.from_json(plan_init(whole, rules).to_json())
    last = dist.get_rank() == 1
    stage = LastStage(whole) if last else FirstStage(whole)
    report = plan.apply(stage, seed=4, rename={"blocks.0": "blocks.1"} if last else None)
    one = truth(lm, rules, seed=4)
    assert report.digest == apply_init(lm(), rules, seed=4).digest
    wanted = tensor_digests(one)
    found = {
        name.replace("blocks.0", "blocks.1") if last else name: digest
        for name, digest in tensor_digests(stage).items()
    }
    assert found == {name: wanted[name] for name in found}
    assert torch.equal(stage.head.weight if last else stage.tokens.weight, one.tokens.weight)
    assert not one.head.weight[3].any()


@case(2)
def pipeline_stage_under_fsdp2() -> None:
    plan = plan_init(lm(), RULES["orthogonal"])
    stage = fsdp(LastStage(lm()), line())
    plan.apply(stage, seed=4, rename=lambda name: name.replace("blocks.0", "blocks.1"))
    whole = tensor_digests(truth(lm, RULES["orthogonal"], seed=4))
    assert tensor_digests(stage)["head.weight"] == whole["head.weight"]
    assert tensor_digests(stage)["blocks.0.up.weight"] == whole["blocks.1.up.weight"]


@case(1, 2, 4)
def fsdp1() -> None:
    with deferred():
        model = lm()
    plan = plan_init(model, RULES["orthogonal"])
    start = plan.param_init_fn(model, "cpu", seed=6)
    wrapped = FullyShardedDataParallel(
        model, device_id=torch.device("cpu"), param_init_fn=start, use_orig_params=True
    )
    whole = truth(lm, RULES["orthogonal"], seed=6)
    with FullyShardedDataParallel.summon_full_params(wrapped):
        assert model_digest(wrapped) == model_digest(whole)
    if dist.get_world_size() > 1:
        message = raises(initkit.PlanError, lambda: apply_init(wrapped, DEFAULT, seed=0))
        assert "param_init_fn=plan.param_init_fn" in message, message
    with FullyShardedDataParallel.summon_full_params(wrapped, writeback=True):
        apply_init(wrapped, DEFAULT, seed=7)
    with FullyShardedDataParallel.summon_full_params(wrapped):
        assert model_digest(wrapped) == model_digest(truth(lm, DEFAULT, seed=7))


@case(2)
def param_init_fn_needs_a_seed() -> None:
    plan = plan_init(lm(), DEFAULT)
    message = raises(initkit.OptionError, lambda: plan.param_init_fn(lm(), "cpu"))
    assert "seed=None" in message


# ------------------------------------------------------------------- the model's own initialisation


class OwnStart(TiedLM):
    """Ties, a scaled projection, an orthogonal layer, tables, and a copied target network."""

    def __init__(self) -> None:
        super().__init__(vocabulary=27, width=12, layers=2, heads=2, length=9, padding=3)
        for block in self.blocks:
            nn.init.normal_(block.proj.weight, std=0.02 / (2 * len(self.blocks)) ** 0.5)
        self.twist = nn.Linear(12, 12)
        nn.init.orthogonal_(self.twist.weight)
        self.rates = nn.Parameter(torch.arange(1.0, 25.0).log().view(4, 6))
        self.register_buffer("decay", torch.linspace(0, 1, 7) ** 2)
        self.critic = nn.Sequential(nn.Linear(12, 8), nn.Linear(8, 2))
        nn.init.trunc_normal_(self.critic[1].bias, std=0.1, a=-0.2, b=0.2)
        self.target = copy.deepcopy(self.critic)


def own_start() -> nn.Module:
    """Return the model without values, with what its own code does."""
    with deferred(record=True):
        return OwnStart()


def own_start_whole() -> tuple[nn.Module, str]:
    """Return the model that one process starts by a recording with values, and its digest."""
    model = OwnStart()
    return model, record_init(OwnStart).apply(model, seed=3).digest


def same_start(shard: Callable[[nn.Module], nn.Module]) -> None:
    """A model that is sharded before it has values gets those of one process."""
    whole, digest = own_start_whole()
    model = shard(own_start())
    assert materialize(model, "cpu", seed=3, verify_ranks=True).digest == digest
    assert model_digest(model) == model_digest(whole)


@case(1, 4)
def own_start_under_fsdp2() -> None:
    same_start(lambda model: fsdp(model, line()))


@case(4)
def own_start_under_tensor_parallel_and_both() -> None:
    mesh = square()
    same_start(lambda model: tensor_parallel(model, mesh["tp"]))
    same_start(lambda model: fsdp(tensor_parallel(model, mesh["tp"]), mesh["dp"]))


@case(4)
def own_start_of_a_pipeline_stage() -> None:
    keep = ("tokens", "blocks", "target", "twist")[dist.get_rank()]  # a target without its source
    stage = own_start()
    for name, _ in list(stage.named_children()):
        if name != keep:
            delattr(stage, name)
    materialize(stage, "cpu", seed=3)
    wanted, found = tensor_digests(own_start_whole()[0]), tensor_digests(stage)
    assert found == {name: wanted[name] for name in found}
    assert any(name.startswith(keep) for name in found)


# ----------------------------------------------------------------------- the grid of placements


def placements(world: int) -> list[tuple[tuple[int, ...], tuple[object, ...]]]:
    """Return shapes of meshes with placements of tensors of two or more dimensions."""
    from torch.distributed.tensor.placement_types import _StridedShard

    if world < 4:
        return [((world,), (p,)) for p in (Shard(0), Shard(1), Shard(-1), Replicate())]
    grid = [Shard(0), Shard(1), Replicate()]
    pairs = [(a, b) for a in grid for b in grid]
    pairs += [
        (_StridedShard(0, split_factor=2), Shard(0)),
        (_StridedShard(1, split_factor=2), Shard(1)),
    ]
    pairs += [(_StridedShard(0, split_factor=3), Replicate())]
    return [((2, 2), pair) for pair in pairs] + [((4,), (p,)) for p in (Shard(0), Shard(1))]


def pairs_of_one_reading(
    whole: Tensor, mesh: DeviceMesh, placed: Sequence[object]
) -> Iterator[tuple[DTensor, DTensor]]:
    """Yield a tensor to start and what it should become; none where torch reads placements in two.

    Strided shards of sizes that do not divide are refused by the oldest releases themselves, and by
    initkit under those that deal them out otherwise than FSDP2 does.
    """
    try:
        wanted = distributed(whole, mesh, placed)
    except AssertionError:
        assert "Strided" in repr(placed), placed
        return
    mine = distributed(torch.full_like(whole, 7), mesh, placed)
    if torch_compat.strides_over_chunks() and "unevenly" in sharding.placement_problem(mine):
        assert "unevenly" in raises(initkit.PlanError, lambda: apply_init({"w": mine}, {"w": 0}))
        return
    yield mine, wanted


SHAPES = {2: (7, 5), 3: (6, 9, 3), 4: (4, 6, 3, 3)}
SCHEMES: dict[str, tuple[int, ...]] = {  # and the dimensions to try them with
    "normal(std=0.5)": (2, 3),
    "normal(mean=1, std=0.5)": (2,),
    "uniform(-0.1, 0.3)": (2, 4),
    "trunc_normal(std=0.02, cutoff=2)": (2, 3),
    "zero_mask_uniform": (2,),
    "xavier_uniform(fans='tensor')": (2, 4),
    "kaiming_normal(fans='tensor', mode='fan_out')": (2, 4),
    "variance_scaling(fans='tensor')": (2,),
    "constant(0.25)": (2,),
    "orthogonal": (2, 4),
    "sparse(sparsity=0.3)": (2,),
    "eye": (2,),
    "dirac": (3, 4),
    "dirac(groups=2)": (4,),
    "blocks(0, 1)": (3, 4),
    "blocks(0, 'normal(std=1)')": (3,),
    "blocks('orthogonal', 'normal(std=2)')": (3,),
}
OTHERS: dict[str, tuple[int, ...]] = {  # schemes that need options, or a shape of their own
    "sincos_2d": (9, 8),
    f"table({[[8 * i + j for j in range(4)] for i in range(5)]})": (5, 4),
    "log_of('uniform(1, 16)')": (5, 4),
    "exp_of('normal(std=1)')": (5, 4),
    "inverse_softplus_of('uniform(1, 2)')": (5, 4),
    "scaled('orthogonal', 2)": (5, 4),
    "scaled('normal(std=2)', 0.5)": (5, 4),
    "log_uniform(0.001, 0.1)": (5, 4),
    "delta_orthogonal": (8, 4, 3, 3),
    "rotated_frequencies": (2, 4, 6),
    "radial_offsets(heads=5, points=1)": (5, 4),
    "constant(2)": (5, 4),
    "sparse(sparsity=0.5)": (5, 4),
    "icnr('normal')": (16, 5, 3, 3),
    "icnr('orthogonal')": (16, 5, 3, 3),
    "bilinear_upsampling": (5, 5, 4, 4),
    "stft": (18, 1, 16),
    "mel_bands(sample_rate=16000)": (5, 9),
    "reservoir": (6, 6),
    "indexed('i + 10 * j')": (5, 4),
    "shifted('orthogonal', 2)": (5, 4),
    "product('uniform(1, 2)', 'normal(std=3)')": (5, 4),
    "sum(eye, 'normal(std=3)')": (5, 4),
    "rounded('uniform(-4, 4)')": (5, 4),
    "quantile(-log(-log(u)))": (5, 4),
    "skew_pairs('uniform(-3, 3)')": (6, 6),
    "chrono(50, order='ifgo')": (20, 4),
}
DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64, torch.complex64)
REAL_ONLY = ("orthogonal", "sparse", "blocks('orth")


def fill_grid(world: int) -> None:
    def own(tensor: Tensor) -> None:
        tensor.normal_().mul_(2)

    meshes = {shape: init_device_mesh("cpu", shape) for shape, _ in placements(world)}
    rules = [(rule, dim) for rule, dims in SCHEMES.items() for dim in dims] + [(own, 2), (own, 3)]
    for rule, dim in rules:
        for dtype in DTYPES if dim == 2 else (*DTYPES[:2], torch.complex64):
            if dtype.is_complex and str(rule).startswith(REAL_ONLY):
                continue
            whole = torch.empty(SHAPES[dim], dtype=dtype)
            apply_init({"w": whole}, {"w": rule}, seed=9)
            for shape, placed in placements(world):
                for mine, wanted in pairs_of_one_reading(whole, meshes[shape], placed):
                    apply_init({"w": mine}, {"w": rule}, seed=9)
                    assert torch.equal(mine.to_local(), wanted.to_local()), (rule, dtype, placed)


@case(1, 2, 4)
def grid_of_placements_schemes_and_dtypes() -> None:
    fill_grid(dist.get_world_size())


@case(2, 4)
def every_registered_scheme() -> None:
    world = dist.get_world_size()
    meshes = {shape: init_device_mesh("cpu", shape) for shape, _ in placements(world)}
    elsewhere = "keep torch_default blocks copy_of from_tensor pretrained mean_resizing copied_rows"
    elsewhere += " pissa olora mimetic glow_lu quaternion gates"  # gates are blocks, of a module
    names = sorted(set(initkit.list_schemes()) - set(elsewhere.split()))
    tried = [(form, size) for form in names for size in SHAPES.values()]
    tried += [(f"{form}(fans='tensor')", size) for form in names for size in SHAPES.values()]
    wholes, forms = {}, {}
    for place, (form, size) in enumerate([*tried, *OTHERS.items()]):
        whole = {f"w{place}": torch.empty(size)}
        with contextlib.suppress(initkit.InitkitError):  # it needs options, or another shape
            apply_init(whole, {f"w{place}": form}, seed=9)
            wholes |= whole
            forms[f"w{place}"] = form
    done = {form.partition("(")[0] for form in forms.values()}
    assert done == set(names), set(names) - done
    for shape, placed in placements(world):
        # All of them in one plan: hundreds of plans of one tensor took minutes.
        pairs = {
            name: pair
            for name, whole in wholes.items()
            for pair in pairs_of_one_reading(whole, meshes[shape], placed)
        }
        mine = {name: tensor for name, (tensor, _) in pairs.items()}
        apply_init(mine, {name: forms[name] for name in mine}, seed=9)
        for name, (tensor, wanted) in pairs.items():
            assert torch.equal(tensor.to_local(), wanted.to_local()), (forms[name], placed)


@case(2, 4)
def copies_are_written_without_their_sources() -> None:
    world = dist.get_world_size()
    meshes = {shape: init_device_mesh("cpu", shape) for shape, _ in placements(world)}
    copies = ("copy_of('a')", "sum(scaled(copy_of('a'), 0.5), 'uniform(0, 1)')")
    for form, made in itertools.product(("normal(std=1)", "orthogonal", "arange"), copies):
        plan = initkit.plan_init(
            {"a": torch.empty(6, 4), "b": torch.empty(6, 4)}, {"b": made, "a": form}
        )
        whole = {"a": torch.empty(6, 4), "b": torch.empty(6, 4)}
        plan.apply(whole, seed=9)
        assert torch.equal(whole["a"], whole["b"]) == (made == copies[0])
        for shape, placed in placements(world):
            for mine, wanted in pairs_of_one_reading(whole["b"], meshes[shape], placed):
                plan.apply({"b": mine}, seed=9)
                assert torch.equal(mine.to_local(), wanted.to_local()), (form, made, placed)


@case(2, 4)
def some_rows_are_written_and_the_others_stay() -> None:
    world = dist.get_world_size()
    meshes = {shape: init_device_mesh("cpu", shape) for shape, _ in placements(world)}
    for form in ("normal(std=1)", "orthogonal", "arange", 3):
        whole = torch.full((7, 4), 7.0)
        rules = [initkit.Rule(form, name="w", rows="3:6")]
        apply_init({"w": whole}, rules, seed=9)
        assert bool((whole[[0, 1, 2, 6]] == 7).all())
        for shape, placed in placements(world):
            for mine, wanted in pairs_of_one_reading(whole, meshes[shape], placed):
                apply_init({"w": mine}, rules, seed=9)
                assert torch.equal(mine.to_local(), wanted.to_local()), (form, placed)
                assert initkit.check_init({"w": mine}, rules).ok


@case(2, 4)
def a_check_compares_what_a_shard_tells() -> None:
    world, rank = dist.get_world_size(), dist.get_rank()
    untold = {"orthogonal", "reservoir", "blocks('orthogonal', 'orthogonal(gain=2)', dim=1)"}
    for form in (
        "blocks(0, 1, 'normal(std=0.1)', 'orthogonal')",
        "blocks('orthogonal', 'orthogonal', 'orthogonal', 'orthogonal(gain=2)')",
        "blocks('normal(std=0.1)', 'normal(std=0.5)', dim=1)",
        "sum('identity', 'normal(std=0.1)')",
        "he_orthogonal",
        "random_features",
        "sparse(sparsity=0.25)",
        "sinusoids",
        "identity",
        *untold,
    ):
        whole, rules = torch.zeros(128, 128), {"w": form}
        apply_init({"w": whole}, rules, seed=1)
        mine = distributed(whole, line(), [Shard(0)])
        report = initkit.check_init({"w": mine}, rules, level=1e-4)
        assert report.ok and bool(report.not_compared) == (form in untold), (form, str(report))
        if form in untold:
            assert "not checked: this process holds a part of it" in str(report.rows)
            continue
        size = len(whole) // world
        whole[rank * size : (rank + 1) * size] += 0.5
        mine = distributed(whole, line(), [Shard(0)])
        assert not initkit.check_init({"w": mine}, rules).ok, form


@case(2, 4)
def equal_rows_of_a_shard_are_compared() -> None:
    # Of four ranks each holds six groups of four rows, or one and a half of sixteen.
    for form in ("icnr('normal(std=0.1)')", "icnr('normal', factor=4)", "icnr('orthogonal')"):
        whole, rules = torch.zeros(96, 64, 3, 3), {"w": form}
        apply_init({"w": whole}, rules, seed=1)
        for placed in (Shard(0), Shard(1)):
            report = initkit.check_init({"w": distributed(whole, line(), [placed])}, rules)
            assert report.ok and not report.not_compared, (form, placed, str(report))
            # A matrix that is cut tells nothing of its columns; its equal rows are compared.
            noisy = whole + 0.1 * torch.randn(96, 64, 3, 3)
            for spoilt in (whole.roll(1, 0), noisy, *[whole * 1.2] * ("normal" in form)):
                mine = {"w": distributed(spoilt, line(), [placed])}
                assert not initkit.check_init(mine, rules).ok, (form, placed)


@case(2, 4)
def what_a_file_holds_is_read_in_parts() -> None:
    world, value = dist.get_world_size(), torch.arange(28.0).view(7, 4)
    path = f"{sys.argv[4]}.{dist.get_rank()}.pt"
    torch.save({"w": value}, path)
    meshes = {shape: init_device_mesh("cpu", shape) for shape, _ in placements(world)}
    for rest in ("normal", "mean_resizing"):
        rules = {"w": f"pretrained({path!r}, rows='overlap', rest={rest!r})"}
        whole = torch.empty(9, 4)
        apply_init({"w": whole}, rules, seed=9)
        assert torch.equal(whole[:7], value)
        for shape, placed in placements(world):
            for mine, wanted in pairs_of_one_reading(whole, meshes[shape], placed):
                # Each rank has a file of its own, whose path is part of the plan's digest.
                apply_init({"w": mine}, rules, seed=9, verify_ranks=False)
                assert torch.equal(mine.to_local(), wanted.to_local()), placed


@case(2, 4)
def groups_and_rows_like_others_read_what_is_sharded() -> None:
    world = dist.get_world_size()
    torch.manual_seed(0)
    start = {"w": torch.randn(8, 6), "a": torch.zeros(2, 6), "b": torch.zeros(8, 2)}
    for rules in (
        [{"{w,a,b}": "pissa"}],
        [{"{w,a,b}": "olora(weight='normal')"}],
        [initkit.Rule("mean_resizing", name="w", rows="6:"), {"*": "keep"}],
        [initkit.Rule("copied_rows([1])", name="w", rows="6:"), {"*": "keep"}],
    ):
        whole = {name: value.clone() for name, value in start.items()}
        apply_init(whole, rules, seed=9)
        for placed in ([Shard(0)], [Shard(1)], [Replicate()]):
            mesh = init_device_mesh("cpu", (world,))
            wanted, mine = (
                {name: distributed(value.clone(), mesh, placed) for name, value in values.items()}
                for values in (whole, start)
            )
            apply_init(mine, rules, seed=9)
            for name, value in wanted.items():
                assert torch.equal(mine[name].to_local(), value.to_local()), (rules, placed, name)


@case(2)
def a_copy_of_a_member_of_a_group_is_what_the_group_was_made() -> None:
    shapes = {"w": (6, 6), "a": (2, 6), "b": (6, 2), "v": (6, 6)}
    rules = [{"{w,a,b}": "olora(weight='normal')"}, {"v": "copy_of('w')"}]
    whole = {name: torch.zeros(shape) for name, shape in shapes.items()}
    apply_init(whole, rules, seed=9)
    for communicate in (False, True):
        mine = {
            name: distributed(torch.zeros(shape), line(), [Shard(0)])
            for name, shape in shapes.items()
        }
        report = apply_init(mine, rules, seed=9, communicate=communicate)
        assert report.drawn_by_all == 0, "what is made beforehand is not dealt out"
        for name, value in whole.items():
            wanted = distributed(value.clone(), line(), [Shard(0)])
            assert torch.equal(mine[name].to_local(), wanted.to_local()), (communicate, name)


@case(2, 4)
def local_tensors_need_not_be_contiguous() -> None:
    whole = torch.empty(8, 6)
    apply_init({"w": whole}, {"w": "normal(std=1)"}, seed=1)
    mine = distributed(torch.empty(6, 8).T, line(), [Shard(1)])
    apply_init({"w": mine}, {"w": "normal(std=1)"}, seed=1)
    wanted = distributed(whole, line(), [Shard(1)])
    assert torch.equal(mine.to_local(), wanted.to_local())


@case(4)
def ranks_outside_of_the_mesh_write_nothing() -> None:
    mesh = DeviceMesh("cpu", [1, 3])
    whole = torch.empty(5, 4)
    apply_init({"w": whole}, {"w": "orthogonal"}, seed=1)
    mine = distributed(torch.zeros(5, 4), mesh, [Shard(0)])
    apply_init({"w": mine}, {"w": "orthogonal"}, seed=1)
    wanted = distributed(whole, mesh, [Shard(0)])
    assert torch.equal(mine.to_local(), wanted.to_local())


@case(4)
def ranks_outside_of_the_mesh_leave_a_tensor_out_of_their_digest() -> None:
    mesh = DeviceMesh("cpu", [0, 1])
    whole, everywhere = torch.empty(5, 4), torch.empty(3)
    mine = distributed(torch.zeros(5, 4), mesh, [Shard(0)])
    shared = distributed(torch.zeros(3), line(), [Shard(0)])
    apply_init({"w": whole, "v": everywhere}, {"*": "normal(std=1)"}, seed=1)
    apply_init({"w": mine, "v": shared}, {"*": "normal(std=1)"}, seed=1)
    entries = {"w": whole, "v": everywhere} if dist.get_rank() < 2 else {"v": everywhere}
    assert model_digest({"w": mine, "v": shared}) == model_digest(entries)


@case(4)
def torch_agrees_on_what_the_full_tensor_is() -> None:
    whole = torch.empty(10, 7)
    apply_init({"w": whole}, {"w": "uniform(0, 1)"}, seed=1)
    for placed in ([Shard(0), Shard(0)], [Shard(1), Replicate()], [Shard(0), Shard(1)]):
        mine = distribute_tensor(torch.empty(10, 7), square(), placed)
        apply_init({"w": mine}, {"w": "uniform(0, 1)"}, seed=1)
        assert torch.equal(mine.full_tensor(), whole)


# ---------------------------------------------------------------------------- refused, by name


@case(2)
def no_seed_is_an_error_that_says_why() -> None:
    model = fsdp(lm(), line())
    message = raises(initkit.OptionError, lambda: apply_init(model, DEFAULT))
    assert message == (
        "parameters are sharded over several processes, and with seed=None each of them would draw "
        "a seed of its own; give them all one seed, as in seed=0"
    )


@case(2)
def an_error_about_the_seed_draws_none() -> None:
    model, before = fsdp(lm(), line()), torch.get_rng_state()
    for verify in (False, True):
        raises(initkit.OptionError, lambda v=verify: apply_init(model, DEFAULT, verify_ranks=v))
    assert torch.equal(torch.get_rng_state(), before)


@case(1)
def one_rank_needs_no_seed() -> None:
    apply_init(fsdp(lm(), line()), DEFAULT)


def functions_with_a_generator() -> list[Callable[[Tensor], object]]:
    """Return functions that draw from a generator that their arguments do not show."""
    own = torch.Generator().manual_seed(0)

    def by_default(tensor: Tensor, generator: torch.Generator = own) -> None:
        tensor.normal_(generator=generator)

    def by_copy(tensor: Tensor) -> None:
        tensor.copy_(torch.randn(tensor.shape, generator=own))

    return [by_default, by_copy, lambda tensor: nn.init.uniform_(tensor, generator=own)]


@case(2)
def functions_that_draw_from_a_generator_of_their_own_are_refused() -> None:
    model = fsdp(lm(), line())
    before = model_digest(model)
    for draw in functions_with_a_generator():
        message = raises(initkit.FillError, lambda f=draw: apply_init(model, {"*": f}, seed=0))
        assert message == (
            f"tokens.weight: {draw.__name__}() draws from a generator of its own, whose state may "
            "differ from rank to rank; draw from torch's global generator, which stands at the "
            "parameter's own seed here; nothing was written"
        ), message
    assert model_digest(model) == before


@case(1)
def functions_may_draw_from_their_own_generator_where_nothing_is_sharded() -> None:
    for draw in functions_with_a_generator():
        apply_init(lm(), {"*": draw}, seed=0)


@case(2)
def functions_may_name_the_global_generator() -> None:
    def draw(tensor: Tensor) -> None:
        tensor.normal_(generator=torch.default_generator)

    model = fsdp(lm(), line())
    apply_init(model, {"*": draw}, seed=0)
    assert model_digest(model) == model_digest(truth(lm, {"*": draw}, seed=0))


@case(2)
def partial_placements_are_refused_by_name() -> None:
    summand = DTensor.from_local(torch.ones(3, 2), line(), [Partial()])
    message = raises(initkit.PlanError, lambda: apply_init({"fc.w": summand}, {"*": 0}, seed=0))
    assert message.startswith("nothing was written: fc.w: its placement P"), message
    assert "every rank holds a summand, not elements" in message
    assert torch.equal(summand.to_local(), torch.ones(3, 2))


@case(2)
def a_local_shape_that_placements_do_not_mean_is_refused() -> None:
    rows = 3 if dist.get_rank() == 0 else 1
    odd = DTensor.from_local(
        torch.ones(rows, 2), line(), [Shard(0)], run_check=False, shape=(4, 2), stride=(2, 1)
    )
    message = raises(initkit.PlanError, lambda: apply_init({"w": odd}, {"*": 0}, seed=0))
    assert f"this rank holds [{rows}, 2] of [4, 2]" in message and "mean [2, 2]" in message


@case(2)
def computed_weights_of_sharded_tensors_are_refused() -> None:
    model = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))
    fully_shard(model, mesh=line())
    message = raises(initkit.PlanError, lambda: apply_init(model, {"*": "normal(std=1)"}, seed=0))
    assert "weight: it is computed from sharded tensors; initialise it before sharding" in message


@case(2)
def ranks_that_differ_are_told_on_all_ranks() -> None:
    model, rank = lm(), dist.get_rank()
    apply_init(model, DEFAULT, seed=0, verify_ranks=True)
    before = model_digest(model)
    call = lambda: apply_init(model, DEFAULT, seed=rank, verify_ranks=True)
    message = raises(initkit.PlanError, call)
    assert "ranks differ in their seed (rank 0: 0, rank 1: 1)" in message, message
    rules = {"*": 0 if rank else 1}
    call = lambda: apply_init(model, rules, seed=0, verify_ranks=dist.group.WORLD)
    assert "ranks differ in their plan" in raises(initkit.PlanError, call)
    rules = {"*": 0} if rank else {"nothing": 0}
    message = raises(initkit.PlanError, lambda: apply_init(model, rules, seed=0, verify_ranks=True))
    assert "the rule 'nothing' matches no parameter" in message, message
    assert model_digest(model) == before


@case(2, 4)
def an_error_of_one_rank_is_told_on_all_whatever_it_is() -> None:
    model, odd = lm(), dist.get_rank() == 1
    plan, before = plan_init(model, DEFAULT), model_digest(model)

    def boom(_: object) -> bool:
        raise ZeroDivisionError("boom")

    where = boom if odd else lambda slot: True
    trouble: list[tuple[str, Callable[[], object]]] = [
        (
            "ZeroDivisionError('boom')",
            lambda: apply_init(
                model, initkit.Rule(0, where=where), seed=0, verify_ranks=True, strict=False
            ),
        ),
        (
            "has no option 'strct'",
            lambda: apply_init(
                model, DEFAULT, seed=0, verify_ranks=True, **({"strct": True} if odd else {})
            ),
        ),
        (
            "device must be 'cpu', 'cuda' or 'cuda:1', or a torch.device, not 'nowhere'",
            lambda: apply_init(
                model, DEFAULT, seed=0, verify_ranks=True, device="nowhere" if odd else None
            ),
        ),
        (
            "ZeroDivisionError('boom')",
            lambda: plan.apply(model, seed=0, rename=boom if odd else None, verify_ranks=True),
        ),
        (
            "is not in the plan",
            lambda: plan.apply(nn.Linear(2, 2) if odd else model, seed=0, verify_ranks=True),
        ),
    ]
    for words, call in trouble:
        message = raises(Exception, call)
        dist.barrier()  # all are here: nobody waits in what was verified
        assert odd or words in message, (words, message)
    assert model_digest(model) == before


# ----------------------------------------------------------------------------------- dealt out


@contextlib.contextmanager
def counting_draws() -> Iterator[list[str]]:
    """Note the name of each matrix that this process draws."""
    drawn: list[str] = []
    real = Orthogonal.draw_all

    def counted(self: Orthogonal, source: Any, like: Tensor) -> Tensor:
        drawn.append(source.name)
        return real(self, source, like)

    Orthogonal.draw_all = counted  # type: ignore[method-assign]
    try:
        yield drawn
    finally:
        Orthogonal.draw_all = real  # type: ignore[method-assign]


def dealt(shard: Callable[[nn.Module], nn.Module], dtype: torch.dtype) -> None:
    """Each matrix is drawn by one process of its mesh; all hold the bits of one process alone."""
    rules = RULES["orthogonal"]
    whole = truth(lambda: lm().to(dtype), rules, seed=5)
    wanted = sorted(step.seed_name for step in plan_init(whole, rules) if len(step.shape) == 2)
    model, placed = shard(lm().to(dtype)), shard(numbered(lm()))
    with counting_draws() as drawn:
        report = apply_init(model, rules, seed=5, communicate=True)
    assert_held(model, whole, placed)
    assert report.drawn_by_all == 0
    everywhere: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everywhere, sorted(set(drawn)))  # blocks are drawn one by one
    # Once in each mesh: what is not tensor parallel lies on several meshes of one dimension.
    times = {n: dist.get_world_size() // model.get_parameter(n).device_mesh.size() for n in wanted}
    assert Counter(name for names in everywhere for name in names) == times
    if set(times.values()) == {1}:
        assert max(map(len, everywhere)) - min(map(len, everywhere)) <= 1
    report = apply_init(model, rules, seed=5)
    assert report.drawn_by_all == len(wanted)
    assert "drawn by every process; communicate=True deals them out" in str(report)


@case(2, 4)
def whole_matrices_are_dealt_out_under_fsdp2() -> None:
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        dealt(lambda model: fsdp(model, line()), dtype)


@case(4)
def whole_matrices_are_dealt_out_over_two_dimensions() -> None:
    mesh = square()
    dealt(lambda model: fsdp(tensor_parallel(model, mesh["tp"]), mesh["dp"]), torch.float32)


@case(1, 2)
def there_may_be_nothing_to_deal_out() -> None:
    whole = truth(lm, RULES["orthogonal"], seed=5)
    one = truth(lm, RULES["orthogonal"], seed=5, communicate=True)
    assert model_digest(one) == model_digest(whole)
    model = fsdp(lm(), line())
    apply_init(model, DEFAULT, seed=5, communicate=True)
    assert model_digest(model) == model_digest(truth(lm, DEFAULT, seed=5))


@case(2, 4)
def an_error_of_one_who_draws_is_told_on_all() -> None:
    model, rules = fsdp(lm(), line()), RULES["orthogonal"]
    real = Orthogonal.draw_all

    def boom(self: Orthogonal, source: Any, like: Tensor) -> Tensor:
        raise MemoryError("too large")

    if dist.get_rank() == 1:
        Orthogonal.draw_all = boom  # type: ignore[method-assign]
    try:
        kinds = initkit.PlanError, MemoryError
        message = raises(kinds, lambda: apply_init(model, rules, seed=0, communicate=True))
    finally:
        Orthogonal.draw_all = real  # type: ignore[method-assign]
    assert "too large" in message


@case(2)
def other_matrices_are_refused_on_all_before_anything_is_written() -> None:
    model, rank = fsdp(lm(), line()), dist.get_rank()
    before = model_digest(model)
    call = lambda: apply_init(model, RULES["orthogonal"], seed=rank, communicate=True)
    assert "ranks differ in their plan" in raises(initkit.PlanError, call)
    assert model_digest(model) == before


# ------------------------------------------------------------------------------- the same bits


@case(1, 2, 4)
def reversed_order_and_other_threads() -> None:
    whole = model_digest(truth(lm, RULES["orthogonal"], seed=8))
    model = fsdp(lm(), line())
    backwards = dict(reversed(list(model.state_dict().items())))
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        rules = [{"*.bias": 0, "*norm*.weight": 1}, {"*": "orthogonal"}]
        apply_init(model, RULES["orthogonal"], seed=8)
        assert model_digest(model) == whole
        apply_init(backwards, rules, seed=9)
        assert model_digest(model) != whole
    torch.set_num_threads(1)


@case(2)
def a_digest_sees_one_bit_on_one_rank() -> None:
    model = fsdp(lm(), line())
    apply_init(model, DEFAULT, seed=0)
    before = model_digest(model)
    with torch.no_grad():
        if dist.get_rank() == 1:
            local(model.tokens.weight).view(torch.int32)[0, 0] ^= 1
    assert model_digest(model) != before
    gathered = [None, None]
    dist.all_gather_object(gathered, model_digest(model))
    assert gathered[0] == gathered[1]


@case(2, 4)
def even_shards() -> None:
    build = lambda: nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 8))
    whole = truth(build, "xavier_uniform", seed=1)
    model = fsdp(build(), line())
    apply_init(model, "xavier_uniform", seed=1)
    assert_held(model, whole, fsdp(numbered(build()), line()))


@case(2)
def a_wrong_offset_would_be_found() -> None:
    """The test of these tests: an offset that is wrong by one row fails the comparison."""
    right = sharding.split
    sharding.split = lambda ranges, parts, index: right(ranges, parts, (index + 1) % parts)
    sharding._held.cache_clear()
    try:
        raises(AssertionError, even_shards)
        message = raises(initkit.PlanError, lambda: apply_init(fsdp(lm(), line()), DEFAULT, seed=0))
        assert "this rank holds" in message
    finally:
        sharding.split = right
        sharding._held.cache_clear()


# ------------------------------------------------------------------------------------- running


def main(rank: int, world: int, port: int, file: str) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=world, timeout=timedelta(seconds=180))
    results: dict[str, str] = {}
    for name in [n for n, (worlds, _) in CASES.items() if world in worlds]:
        torch.manual_seed(rank)
        began = time.perf_counter()
        try:
            CASES[name][1]()
            results[name] = ""
        except SkipTest as why:
            results[name] = f"skipped: {why}"
        except BaseException:
            results[name] = traceback.format_exc()
        print(f"{name}: {time.perf_counter() - began:.1f} s", file=sys.stderr)
        trouble: list[object] = [None] * world
        dist.all_gather_object(trouble, results[name])
        results[name] = "\n".join(f"rank {i}: {text}" for i, text in enumerate(trouble) if text)
    if rank == 0:
        Path(file).write_text(json.dumps(results))
    dist.destroy_process_group()


def digests() -> None:
    """Print what one process makes of all rules, forwards and backwards, on 1 to 3 threads."""
    for number, rules in enumerate(RULES.values()):
        found = set()
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            model = truth(lm, rules, seed=number)
            found.add(model_digest(model))
            plan = plan_init(model, rules)
            backwards = plan.replaced(steps=plan.steps[::-1], targets=())
            assert backwards.digest() == plan.digest()
            backwards.apply(model, seed=number)
            found.add(model_digest(model))
        print(*sorted(found))


if __name__ == "__main__":
    if sys.argv[1:] == ["digests"]:
        digests()
        sys.exit()
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
