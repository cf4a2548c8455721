"""What several processes must agree on, and which of torch's wrappers stand in the way.

The private parts of torch that this needs: the training state of FSDP1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

from ..errors import InitkitError, OptionError, PlanError, RankMismatch, TensorProblem
from ..model import rank_count
from ..numbers import loaded
from ..plan import WRITE, Plan

NEEDS_SEED = (
    "parameters are sharded over several processes, and with seed=None each of them would draw a "
    "seed of its own; give them all one seed, as in seed=0"
)


def reshard_fsdp(model: object) -> None:
    """Let FSDP2 modules show their sharded parameters, as their own ``to()`` does; refuse FSDP1.

    Raises :class:`PlanError` for FSDP1 modules, whose parameters are flat pieces.
    """
    if not (isinstance(model, nn.Module) and "_modules" in vars(model)):
        return
    # No module can be wrapped by what was never imported, and importing it takes long.
    per_parameter = loaded("torch.distributed.fsdp", "FSDPModule")
    flat = loaded("torch.distributed.fsdp", "FullyShardedDataParallel")
    modules = list(model.modules()) if per_parameter or flat else []
    if per_parameter is not None:
        for module in modules:
            if isinstance(module, per_parameter):
                module.reshard()
    if flat is not None and any(isinstance(module, flat) for module in modules):
        _refuse_flat(model, flat)


def _refuse_flat(model: nn.Module, flat: type) -> None:
    wrapped = [
        path or type(module).__name__
        for path, module in model.named_modules()
        if isinstance(module, flat) and not _summoned(module)
    ]
    if not wrapped:
        return
    message = (
        f"{', '.join(wrapped[:5])}: FullyShardedDataParallel keeps flat pieces of its parameters, "
        "whose shapes are lost; pass param_init_fn=plan.param_init_fn(model, device, seed=...) to "
        "it, or initialise before wrapping"
    )
    raise PlanError([TensorProblem(message, names=wrapped)])


def _summoned(module: Any) -> bool:
    """Whether the full parameters are there, as under ``summon_full_params``."""
    return getattr(getattr(module, "training_state", None), "name", "") == "SUMMON_FULL_PARAMS"


def require_seed(seed: int | None, plan: Plan) -> None:
    """Raise :class:`OptionError` where a model is sharded over ranks and has no common seed."""
    if seed is not None or "torch.distributed.tensor" not in sys.modules:
        return
    for step, target in plan.pairs:
        tensor = target.writer.tensor
        # Parts of one tensor must be of one draw; a whole tensor is its process's own affair.
        if step.status == WRITE and tensor is not None and rank_count(tensor) > 1:
            raise OptionError(NEEDS_SEED, option="seed")


@contextmanager
def raise_together(group: object) -> Iterator[None]:
    """Raise an error of this block on all ranks, whichever met it, if ranks are compared at all."""
    try:
        yield
    except Exception as error:
        if group:
            compare_ranks("", 0, "", error, group)
        raise


def share_option_error(options: Mapping[str, Any], error: OptionError) -> None:
    """Raise an error of one rank's own options on all ranks, if ranks are compared at all."""
    if group := options.get("verify_ranks"):
        compare_ranks("", 0, "", error, group)


def compare_ranks(
    digest: str, seed: int, prefix: str, error: Exception | None, group: object = True
) -> None:
    """Raise on all ranks where they differ in plan, seed or prefix, or where one has an error.

    ``group`` is a process group, or True for all ranks.
    """
    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()):
        message = "verify_ranks needs torch.distributed.init_process_group first"
        raise OptionError(message, option="verify_ranks")
    chosen: Any = None if group is True else group
    # Keys take the seed modulo 2**64, so -1 and 2**64 - 1 are one seed.
    mine = {"plan": digest, "seed": seed % 2**64, "prefix": prefix, "error": _error_text(error)}
    # Every rank comes here, with its error if it has one: a rank that left would block the others.
    found: list[Any] = [None] * dist.get_world_size(chosen)
    dist.all_gather_object(found, mine, group=chosen)
    # A rank that met the error raises its own, with its traceback, and the others raise this.
    if error is None and any(other != found[0] for other in found):
        raise PlanError([RankMismatch(_differences(found), values=found)])


def _error_text(error: Exception | None) -> str:
    known = error is None or isinstance(error, InitkitError)
    return str(error or "") if known else repr(error)


def _differences(found: list[dict[str, Any]]) -> str:
    """Say what is not the same on all ranks, and which of them met an error."""
    lines = []
    for what in ("plan", "seed", "prefix"):
        if len({other[what] for other in found}) > 1:
            values = ", ".join(f"rank {i}: {other[what]}" for i, other in enumerate(found))
            lines.append(f"ranks differ in their {what} ({values})")
    lines += [f"rank {i}: {o['error']}" for i, o in enumerate(found) if o["error"]]
    return "; ".join(lines)
