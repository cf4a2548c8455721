"""``apply_init`` = plan + fill + report: the one act that users call."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Unpack

import torch
from torch import nn

from ..errors import OptionError
from ..model import Model, ModelView
from ..numbers import no_collecting
from ..plan import (
    DEFAULTS,
    Device,
    InitOptions,
    MaterializeOptions,
    Plan,
    Rename,
    WriteOptions,
    bind_view,
    plan_view,
    takes,
)
from ..rules import Rules
from . import distributed
from .job import Job
from .recorded_rules import with_recorded_plans, with_recorded_rules
from .report import Report
from .seeds import read_seed


@takes(InitOptions, distributed.share_option_error)
def apply_init(model: Model, rules: Rules, **options: Unpack[InitOptions]) -> Report:
    """Write how every parameter of ``model`` starts, and report it.

    ``model`` is a module or a state_dict; it is written in place. Every value depends on ``seed``,
    the parameter's name and the place in it alone; ``seed=None`` draws a seed from torch's global
    generator. ``strict=True`` refuses parameters that no rule covers, ``idle="ignore"`` lets rules
    match nothing. ``only`` and ``protect`` take names, globs and module paths, modules of the
    model, and whatever else is a key of a rule table. ``buffers=True`` lets rules match buffers,
    too. ``prefix`` goes before every name that numbers depend on. ``device`` is where parameters on
    the meta device get their memory. ``progress`` shows a bar (tqdm): by default on a terminal once
    the work takes seconds, always or never as you say.
    ``verify_ranks=True``, or a process group, compares plan and seed over all ranks first.
    ``communicate=True`` lets the processes of a mesh draw whole matrices, as of ``orthogonal``, for
    each other and send them, where else each draws them all.
    ``reset_buffers=True`` resets running statistics; else the report lists those that are off.

    Raises :class:`ReadError` for what cannot be read and :class:`PlanError`, with all problems
    between rules and model, before anything is written.

    >>> from torch import nn
    >>> model = nn.Linear(3, 4)
    >>> report = apply_init(model, {"weight": "xavier_uniform", "bias": 0}, seed=0)
    >>> report.written, model.bias.tolist()
    (['weight', 'bias'], [0.0, 0.0, 0.0, 0.0])
    """
    began = time.perf_counter()
    settings: InitOptions = {**DEFAULTS, **options}
    # All that may raise before the ranks are compared stands in this block: a rank that left by an
    # error would keep the others waiting.
    with no_collecting():
        with distributed.raise_together(settings["verify_ranks"]):
            distributed.reshard_fsdp(model)
            view = ModelView(model)
            plan = with_recorded_rules(plan_view(view, rules, settings), view)
            job = Job(view, settings, began)
        return job.carry_out(plan)


@takes(WriteOptions, distributed.share_option_error, owner="Plan.apply")
def apply_plan(
    plan: Plan, model: Model, rename: Rename = None, **options: Unpack[WriteOptions]
) -> Report:
    """Carry out a plan on a model or a part of one; ``Plan.apply`` leads here."""
    began = time.perf_counter()
    settings: InitOptions = {**DEFAULTS, **options}
    with distributed.raise_together(settings["verify_ranks"]):
        distributed.reshard_fsdp(model)
        view = ModelView(model)
        bound = bind_view(plan, view, rename)
        job = Job(view, settings, began)
    return job.carry_out(bound)


@takes(MaterializeOptions, distributed.share_option_error)
def materialize(
    model: nn.Module, device: Device = None, **options: Unpack[MaterializeOptions]
) -> Report:
    """Give every parameter that is on the meta device its memory, and carry out the recorded rules.

    Those are the rules of ``@initialized`` classes that were constructed under
    :func:`initkit.deferred` or ``torch.device("meta")``, or whose layers came after their
    constructor: those of inner modules, then those of the modules around them. What was constructed
    under ``deferred(record=True)`` and has no such rules starts as its own code would have started
    it. Parameters stay the same objects. Without ``device`` each goes where its constructor put it;
    a model made under ``torch.device("meta")`` needs one.

    Raises :class:`PlanError` for parameters that no rule writes or no distribution explains, and
    for buffers that were never computed.

    >>> from torch import nn
    >>> from initkit import deferred, initialized
    >>> @initialized("xavier_uniform")
    ... class Net(nn.Sequential): ...
    >>> with deferred():
    ...     net = Net(nn.Linear(3, 2))
    >>> materialize(net, seed=0).written, net[0].weight.device.type
    (['0.weight', '0.bias'], 'cpu')
    """
    began = time.perf_counter()
    settings: InitOptions = {**DEFAULTS, **options, "device": device}
    with distributed.raise_together(settings["verify_ranks"]):
        distributed.reshard_fsdp(model)
        view = ModelView(model)
        # A plan that keeps everything, over which recorded rules are laid.
        kept = plan_view(view, {"*": "keep"}, {**DEFAULTS, "idle": "ignore"})
        kept = kept.replaced(title=f"{view.title} by recorded rules", idle=())
        plan = with_recorded_rules(with_recorded_plans(kept, view), view)
        job = Job(view, settings, began)
    return job.carry_out(plan)


def param_init_fn(
    plan: Plan,
    model: nn.Module,
    device: torch.device | str,
    *,
    seed: int | None,
    prefix: str,
    rename: Rename,
) -> Callable[[nn.Module], None]:
    """Return a function that starts a module's own parameters, as ``Plan.param_init_fn`` says."""
    if read_seed(seed) is None:
        raise OptionError(distributed.NEEDS_SEED, option="seed")
    bound = bind_view(plan, ModelView(model), rename)
    pairs = bound.pairs

    def start(module: nn.Module) -> None:
        # By id: FSDP1 hands over the model's own modules, whose tensors `pairs` keeps alive.
        own = {id(t) for t in (*module._parameters.values(), *module._buffers.values())}
        mine = [p for p in pairs if any(id(r) in own for s in p[1].slots for r in s.raw)]
        part = bound.replaced(steps=[step for step, _ in mine], targets=[t for _, t in mine])
        settings: InitOptions = {**DEFAULTS, "seed": seed, "prefix": prefix, "device": device}
        job = Job(ModelView(module), settings, time.perf_counter())
        job.carry_out(part, own=True)

    return start
