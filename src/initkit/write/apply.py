"""``apply_init`` = plan + fill + report: the one act that users call."""

from __future__ import annotations

import operator
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self, Unpack

import torch
from torch import nn

from ..errors import OptionError, PlanError, Problem
from ..model import Model, ModelView
from ..numbers import no_collecting
from ..plan import (
    DEFAULTS,
    EMPTY,
    WRITE,
    Device,
    InitOptions,
    MaterializeOptions,
    Plan,
    Rename,
    Step,
    Target,
    WriteOptions,
    bind_view,
    plan_view,
    takes,
)
from ..rules import Table
from . import distributed as ranks
from .deferral import recorded, reports
from .fill import fill
from .materializer import Materializer, raw_tensors
from .report import Report
from .running_stats import off_reset, reset_running_stats


@takes(InitOptions)
def apply_init(model: Model, rules: Table, **options: Unpack[InitOptions]) -> Report:
    """Write how every parameter of ``model`` starts, and report it.

    ``model`` is a module or a state_dict; it is written in place. Every value depends on ``seed``,
    the parameter's name and the place in it alone; ``seed=None`` draws a seed from torch's global
    generator. ``strict=True`` refuses parameters that no rule covers, ``idle="ignore"`` lets rules
    match nothing. ``only`` and ``protect`` take names, globs and module paths. ``buffers=True``
    lets rules match buffers, too. ``prefix`` goes before every name that numbers depend on.
    ``device`` is where parameters on the meta device get their memory. ``progress`` shows a bar
    (tqdm): by default on a terminal once the work takes seconds, always or never as you say.
    ``verify_ranks=True``, or a process group, compares plan and seed over all ranks first.
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
    with ranks.together(settings["verify_ranks"]):
        ranks.prepare(model)
        view = ModelView(model)
        plan = _with_recorded(plan_view(view, rules, settings), view)
        job = _Job(view, settings, began)
    return job.carry_out(plan)


@takes(WriteOptions)
def apply_plan(
    plan: Plan, model: Model, rename: Rename = None, **options: Unpack[WriteOptions]
) -> Report:
    """Carry out a plan on a model or a part of one; ``Plan.apply`` leads here."""
    began = time.perf_counter()
    settings: InitOptions = {**DEFAULTS, **options}
    with ranks.together(settings["verify_ranks"]):
        ranks.prepare(model)
        view = ModelView(model)
        bound = bind_view(plan, view, rename)
        job = _Job(view, settings, began)
    return job.carry_out(bound)


@takes(MaterializeOptions)
def materialize(
    model: nn.Module, device: Device = None, **options: Unpack[MaterializeOptions]
) -> Report:
    """Give every parameter that is on the meta device its memory, and carry out the recorded rules.

    Those are the rules of ``@initialized`` classes that were constructed under
    :func:`initkit.deferred` or ``torch.device("meta")``: those of inner modules, then those of the
    modules around them. Parameters stay the same objects. Without ``device`` each goes where its
    constructor put it; a model made under ``torch.device("meta")`` needs one.

    Raises :class:`PlanError` for parameters that no rule writes, and for buffers that were never
    computed.

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
    with ranks.together(settings["verify_ranks"]):
        ranks.prepare(model)
        view = ModelView(model)
        kept = plan_view(view, {"*": "keep"}, {**DEFAULTS, "idle": "ignore"})
        kept = kept.replaced(title=f"{view.title} by recorded rules", idle=())
        plan = _with_recorded(kept, view)
        job = _Job(view, settings, began)
    return job.carry_out(plan)


def _with_recorded(plan: Plan, view: ModelView) -> Plan:
    """Let recorded rules start what the plan leaves as it is and what holds no values."""
    started: dict[int, tuple[Step, Target, str]] = {}
    problems: list[Problem] = []
    for module, rules, options in recorded(view):
        inner = plan_view(ModelView(module), rules, {**DEFAULTS, **options})
        problems += inner.problems
        for step, target in zip(inner.steps, inner.targets, strict=True):
            if step.status in (WRITE, EMPTY):
                started[id(target.writer.tensor)] = step, target, options.get("prefix", "")
    if not started and not problems:
        return plan
    pairs = [
        _started(step, target, started)
        for step, target in zip(plan.steps, plan.targets, strict=True)
    ]
    return plan.replaced(
        steps=[step for step, _ in pairs],
        targets=[target for _, target in pairs],
        problems=(*plan.problems, *problems),
    )


def _started(
    step: Step, target: Target, started: dict[int, tuple[Step, Target, str]]
) -> tuple[Step, Target]:
    found = next((f for s in target.slots if (f := started.get(id(s.tensor)))), None)
    tensor = target.writer.tensor
    if found is None or step.status in (WRITE, EMPTY) or tensor is None or not tensor.is_meta:
        return step, target
    inner, there, prefix = found
    new = replace(
        inner,
        names=step.names,
        seed_name=f"{prefix.removesuffix('.')}.{step.seed_name}" if prefix else step.seed_name,
        kind=step.kind,
    )
    return new, Target(target.slots, there.writer, there.padded)


class _Job:
    """One initialisation: check everything, then write."""

    def __init__(self, view: ModelView, settings: InitOptions, began: float) -> None:
        self.view, self.settings, self.began = view, settings, began
        self.seed, self.prefix = read_seed(settings["seed"]), read_prefix(settings["prefix"])
        self.verify = settings["verify_ranks"]

    @no_collecting()
    def carry_out(self, plan: Plan, own: bool = False) -> Report:
        """Raise all that is wrong, then write and report; with ``own``, of this module alone."""
        written = [
            pair
            for pair in zip(plan.steps, plan.targets, strict=True)
            if pair[0].status in (WRITE, EMPTY)
        ]
        slots = [slot for _, target in written for slot in target.slots]
        slots += [t.writer for _, t in written if t.writer not in t.slots]  # made up over overlaps
        with ranks.together(self.verify):
            memory = Materializer(self.view, self.settings["device"], slots, own)
            if problems := [*plan.problems, *memory.problems]:
                raise PlanError(problems)
            ranks.require_seed(self.seed, plan)
        seed = draw_seed() if self.seed is None else self.seed
        if self.verify:
            ranks.verify(plan.digest(), seed, self.prefix, None, self.verify)
        waiting = [module for module, *_ in recorded(self.view)]
        self._write(plan, seed, memory)
        report = Report(plan, seed=seed, prefix=self.prefix, buffers=self._buffers(written))
        report.seconds = time.perf_counter() - self.began
        reports.update(dict.fromkeys(waiting, report))
        return report

    def _write(self, plan: Plan, seed: int, memory: Materializer) -> None:
        prefix = f"{self.prefix.removesuffix('.')}." if self.prefix else ""
        with _Bar(self.settings["progress"], plan) as bar:
            fill(plan, seed, prefix, ready=memory.give, advance=bar.advance)

    def _buffers(self, written: list[tuple[Step, Target]]) -> list[str]:
        """Reset running statistics, or return the names of those off their reset value."""
        if self.settings["reset_buffers"]:
            reset_running_stats(self.view.modules)
            return []
        owners = {id(slot.owner) for _, target in written for slot in target.slots}
        return off_reset(self.view.slots, owners)


_SOON_DONE = 1 << 27  # elements that no machine needs two seconds for
_DELAY = 2.0  # seconds


class _Bar:
    """A progress bar: where one was asked for, or on a terminal once the work takes long."""

    def __init__(self, progress: bool | None, plan: Plan) -> None:
        self.advance: Callable[[int], object] | None = None
        self.bar: Any = None
        if progress is False or (progress is None and not sys.stderr.isatty()):
            return
        total = sum(step.numel for step in plan.with_status(WRITE))
        if progress is None and total < _SOON_DONE:
            return
        try:
            from tqdm import tqdm
        except ImportError:
            if progress is None:
                return
            message = "progress=True needs tqdm: pip install 'torch-initkit[progress]'"
            raise OptionError(message, option="progress") from None
        delay = 0.0 if progress else _DELAY
        self.bar = tqdm(total=total, unit_scale=True, desc="init", delay=delay)
        self.lock, self.advance = threading.Lock(), self._advance

    def _advance(self, elements: int) -> None:
        with self.lock:
            self.bar.update(elements)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()


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
        raise OptionError(ranks.NEEDS_SEED, option="seed")
    bound = bind_view(plan, ModelView(model), rename)
    pairs = list(zip(bound.steps, bound.targets, strict=True))

    def start(module: nn.Module) -> None:
        own = {id(t) for t in (*module._parameters.values(), *module._buffers.values())}
        mine = [p for p in pairs if any(id(r) in own for s in p[1].slots for r in raw_tensors(s))]
        part = bound.replaced(steps=[step for step, _ in mine], targets=[t for _, t in mine])
        settings: InitOptions = {**DEFAULTS, "seed": seed, "prefix": prefix, "device": device}
        job = _Job(ModelView(module), settings, time.perf_counter())
        job.carry_out(part, own=True)

    return start


def read_seed(seed: object) -> int | None:
    """Return a checked seed; any int will do."""
    if seed is None:
        return None
    if hasattr(seed, "__index__") and not isinstance(seed, bool | torch.Tensor):
        return operator.index(seed)  # NumPy's integers, too
    hint = "; write seed=generator.initial_seed()" if isinstance(seed, torch.Generator) else ""
    raise OptionError(f"seed must be an int or None, not {seed!r}{hint}", option="seed")


def read_prefix(prefix: object) -> str:
    """Return a checked prefix."""
    if isinstance(prefix, str):
        return prefix
    raise OptionError(f"prefix must be a text, not {prefix!r}", option="prefix")


def draw_seed() -> int:
    """Return a seed of 63 bits from torch's global generator."""
    return int(torch.randint(2**63 - 1, (), dtype=torch.int64, device="cpu"))
