"""Assertions about initialisation, for tests of your own modules.

They need no test framework: each raises :class:`initkit.CheckError`, an ``AssertionError`` whose
text says what is wrong and what to do.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from .access import Optimizers, optimizer_problems
from .check.check import check_init
from .check.report import CheckReport
from .errors import CheckError, TargetError
from .files import read_text, write_text
from .model import Model, ModelView, differing, same_bits
from .plan import UNCOVERED, Plan, PlanOptions, Step, plan_init, takes
from .render import format_shape
from .rules import Listing, Rules
from .signal import KINDS, Probe, Thresholds, probe_init
from .spelling import did_you_mean
from .ties import TieGroup, find_tied_parameters
from .wording import checks_calls
from .write import apply_init

__all__ = [
    "assert_covered",
    "assert_initialized",
    "assert_not_tied",
    "assert_optimized",
    "assert_plan",
    "assert_reproducible",
    "assert_signal",
    "assert_tied",
    "assert_untouched",
    "plan_text",
]


@takes(PlanOptions)
def assert_initialized(
    model: Model, rules: Rules | Plan, *, level: float = 1e-6, **options: Unpack[PlanOptions]
) -> CheckReport:
    """Fail unless every parameter of ``model`` looks as ``rules`` plan it; return the report.

    ``level`` is how often a correct model may fail; ``options`` are those of
    :func:`initkit.check_init`.

    >>> from torch import nn
    >>> model = nn.Linear(300, 300)
    >>> _ = apply_init(model, {"weight": "xavier_uniform", "bias": 0})
    >>> assert_initialized(model, {"weight": "xavier_uniform", "bias": 0}).ok
    True
    """
    __tracebackhide__ = True  # pytest shows the user's own line
    report = check_init(model, rules, level=level, **options)
    if report.ok:
        return report
    lines = "\n".join(f"  {failure}" for failure in report.failure_texts())
    raise CheckError(f"{report.title}: {report.verdict}\n{lines}")


@takes(PlanOptions)
def assert_covered(
    model: Model, rules: Rules, *, allow: str | Iterable[str] = (), **options: Unpack[PlanOptions]
) -> Plan:
    """Fail unless a rule decides about every parameter of ``model``; return the plan.

    ``allow`` are globs of names that may be left. Values are not looked at.

    >>> from torch import nn
    >>> assert_covered(nn.Linear(2, 2), {"weight": "xavier_uniform"}, allow="*.bias")
    <Plan: 2 parameters, 0 problems>
    """
    __tracebackhide__ = True
    plan = plan_init(model, rules, **options)
    plan.check()
    allowed = Listing([allow] if isinstance(allow, str) else list(allow))
    open_ = [s for s in plan.with_status(UNCOVERED) if not any(map(allowed.matches, s.names))]
    if open_:
        listed = "\n".join(f"  {step.name} {list(step.shape)}" for step in open_)
        raise CheckError(
            f"no rule covers {_count(len(open_), 'parameter')}:\n{listed}\n"
            f"Add a rule for each, such as {{{open_[0].name!r}: 'keep'}}, or allow=[...]."
        )
    return plan


@checks_calls
def assert_optimized(model: Model, optimizer: Optimizers) -> None:
    """Fail unless an optimizer, or several, step each trainable parameter of ``model`` once.

    Parameters that no group holds, parameters that the model doesn't have, one memory stepped
    twice, and frozen parameters under weight decay fail.

    Raises :class:`TargetError` for what is no optimizer.

    >>> from torch import nn
    >>> model = nn.Linear(2, 2)
    >>> assert_optimized(model, torch.optim.SGD(model.parameters(), lr=0.1))
    """
    __tracebackhide__ = True
    wrong = optimizer_problems(model, optimizer)
    if wrong:
        lines = "\n".join(f"  {problem}" for problem in wrong)
        raise CheckError(f"model and optimizer do not fit:\n{lines}")


@checks_calls
def assert_tied(model: Model, *names: str) -> TieGroup:
    """Fail unless all ``names`` share one memory; return their group.

    Raises :class:`TargetError` for a name that the model does not have.

    >>> from torch import nn
    >>> one = nn.Linear(2, 2)
    >>> assert_tied(nn.Sequential(one, one), "0.weight", "1.weight").kind
    'module'
    """
    __tracebackhide__ = True
    _two(names, "assert_tied")
    groups = _groups(model, names)
    group = groups.get(names[0])
    missing = [name for name in names[1:] if group is None or groups.get(name) is not group]
    if group is None or missing:
        raise CheckError(
            f"{_listed(names)} should share memory, but {_listed(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not tied to {names[0]}.\n"
            f"{_same_values(model, names[0], missing)}"
            f"Tie them after both modules exist, as in "
            f"`model.{missing[0]} = model.{names[0]}`; copying values ties nothing."
        )
    return group


@checks_calls
def assert_not_tied(model: Model, *names: str) -> None:
    """Fail where any two of ``names`` share memory; without names, where any parameters do.

    Raises :class:`TargetError` for a name that the model does not have.

    >>> from torch import nn
    >>> assert_not_tied(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), "0.weight", "1.weight")
    """
    __tracebackhide__ = True
    if len(names) == 1:
        _two(names, "assert_not_tied")
    groups = _groups(model, names)
    wanted: Sequence[str] = names or list(groups)
    # By id of the group, which `groups` keeps alive.
    together: dict[int, list[str]] = {}
    for name in wanted:
        if name in groups:
            together.setdefault(id(groups[name]), []).append(name)
    for tied in together.values():
        if len(tied) > 1:
            kind = groups[tied[0]].kind
            raise CheckError(
                f"{_listed(tied)} share memory ({kind}): writing one writes the others.\n"
                "Give each a tensor of its own, as in `b.weight = nn.Parameter(a.weight.clone())`, "
                "or copy.deepcopy the module."
            )


@takes(PlanOptions)
def assert_reproducible(
    builder: Callable[[], nn.Module], rules: Rules, *, seed: int = 0, **options: Unpack[PlanOptions]
) -> None:
    """Fail unless models that ``builder`` makes get the same values under one seed, and only then.

    It builds three models: two under ``seed`` must agree in every element, and one under
    another seed must differ wherever something is drawn. What no rule writes is not looked at.

    >>> from torch import nn
    >>> assert_reproducible(lambda: nn.Linear(3, 3), {"weight": "normal(std=0.02)", "bias": 0})
    """
    __tracebackhide__ = True
    one, other, third = builder(), builder(), builder()
    report = apply_init(one, rules, seed=seed, **options)
    again = apply_init(other, rules, seed=seed, **options)
    apply_init(third, rules, seed=seed + 1, **options)
    # Both reports, since a builder may make a parameter in one model alone.
    both = {step.name: step for step in (*report.steps, *again.steps)}
    written = [step for step in both.values() if step.status == "write"]
    first, second, moved = (_values(model) for model in (one, other, third))
    wrong = [
        step.name
        for step in written
        # Both ways: a raw tensor may be missing from either.
        if not (_same(first, second, step.name) and _same(second, first, step.name))
    ]
    if wrong:
        raise CheckError(
            f"two models under seed {seed} differ in {_count(len(wrong), 'parameter')}: "
            f"{', '.join(wrong[:10])}.\nDoes the builder make other shapes or names each time, or "
            "does a rule's own function draw from a generator of its own?"
        )
    stuck = [s.name for s in written if _random(s) and _same(first, moved, s.name)]
    if stuck:
        raise CheckError(
            f"seeds {seed} and {seed + 1} give the same values to {', '.join(stuck[:10])}: "
            "something draws without the seed."
        )


@checks_calls
def assert_signal(
    model: nn.Module,
    /,
    *inputs: Any,
    rules: Rules | Plan | None = None,
    seed: int = 0,
    loss: Callable[[Any], Tensor] | None = None,
    thresholds: Thresholds | None = None,
    allow: str | Iterable[str] = (),
    **kwargs: Any,
) -> Probe:
    """Fail where a probe of ``model`` finds a problem; return the probe.

    ``inputs`` and ``kwargs`` are those of the model, the options those of
    :func:`initkit.probe_init`; ``allow`` are kinds of findings that may be there.

    >>> from torch import nn
    >>> probe = assert_signal(nn.Linear(8, 8), torch.randn(4, 8), rules={"*": "torch_default"})
    >>> probe.ok
    True
    """
    __tracebackhide__ = True
    probe = probe_init(
        model, *inputs, rules=rules, seed=seed, loss=loss, thresholds=thresholds, **kwargs
    )
    allowed = set([allow] if isinstance(allow, str) else allow)
    for kind in allowed - KINDS:
        hint = did_you_mean(kind, KINDS)
        raise TargetError(f"there is no kind of finding {kind!r}{hint}")
    problems = [f for f in probe.problems if f.kind not in allowed]
    if problems:
        listed = "\n".join(f"  {finding.kind}: {finding}" for finding in problems)
        raise CheckError(f"{probe.title}: {_count(len(problems), 'problem')}\n{listed}")
    return probe


@checks_calls
@contextmanager
def assert_untouched(model: Model, names: str | Iterable[str] = "*") -> Iterator[None]:
    """Fail where the block changes a parameter or buffer that ``names`` matches, or its memory.

    ``names`` are names, globs or paths of modules, and each must match. Values are compared bit by
    bit with copies; equal values in another memory have been touched, too.

    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    >>> with assert_untouched(model, "0.*"):
    ...     _ = apply_init(model, {"1.weight": 0, "*": "keep"})
    """
    __tracebackhide__ = True
    before = _guarded(_values(model), [names] if isinstance(names, str) else list(names))
    # `before` shares the model's memory and tells whether it was replaced; values need copies.
    copies = {name: t.clone() for name, t in before.items()}
    yield
    after = _values(model)
    gone = [name for name in before if name not in after]
    if gone:
        raise CheckError(f"{_listed(gone)} is no longer in the model.")
    changed = [
        name
        for name, copy in copies.items()
        if _moved(before[name], after[name]) or not same_bits(copy, after[name])
    ]
    if changed:
        lines = "\n".join(f"  {_change(name, copies[name], after[name])}" for name in changed)
        raise CheckError(
            f"{_count(len(changed), 'tensor')} changed that should not have:\n{lines}\n"
            f"Keep it out of the rules: protect={changed[:1]!r}, or {{{changed[0]!r}: 'keep'}}."
        )


@takes(PlanOptions)
def assert_plan(
    model: Model,
    rules: Rules | Plan,
    snapshot: str | os.PathLike[str],
    *,
    update: bool = False,
    **options: Unpack[PlanOptions],
) -> Plan:
    """Fail with a diff where the plan is no longer the one in the file ``snapshot``.

    The file is text, one line a parameter, in the model's order; it does not depend on the machine.
    Where it does not exist, or with ``update``, it is written: look at it and commit it. In
    continuous integration (where ``CI`` is set) a missing file is a failure.

    >>> import tempfile; from pathlib import Path; from torch import nn
    >>> path = tempfile.mkdtemp() + "/linear.txt"
    >>> rules = {"weight": "normal(std=0.02)", "bias": 0}
    >>> _ = assert_plan(nn.Linear(2, 3), rules, path, update=True)
    >>> print(Path(path).read_text(), end="")
    # initkit plan: 2 parameters, 9 elements
    weight  3x2  N(0, 0.02)
    bias    3    constant 0
    """
    __tracebackhide__ = True
    plan = rules if isinstance(rules, Plan) else plan_init(model, rules, **options)
    plan.check()
    path, text = Path(snapshot), plan_text(plan)
    # A snapshot made there would be compared with nothing, and the test pass forever.
    if not path.exists() and os.environ.get("CI") and not update:
        raise CheckError(
            f"there is no snapshot {path}; make it on your machine by running this test once, and "
            "commit it"
        )
    if update or not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
        return plan
    known = read_text(path)  # its ends of lines are \n, whatever git on Windows made of them
    if known != text:
        raise CheckError(
            f"the plan is not the one in {path}:\n{_diff(known, text)}\n"
            "If the change is meant, write the file anew: pytest --initkit-update, or "
            "assert_plan(..., update=True)."
        )
    return plan


@checks_calls
def plan_text(plan: Plan) -> str:
    """Return a plan as a snapshot holds it: one aligned line per parameter, ties and padding too.

    >>> from torch import nn
    >>> print(plan_text(plan_init(nn.PReLU(), {"*": 0.25})), end="")
    # initkit plan: 1 parameter, 1 element
    weight  1  constant 0.25
    """
    rows = [_snapshot_row(step) for step in plan]
    wide, broad = (max((len(row[i]) for row in rows), default=0) for i in (0, 1))
    elements = sum(step.numel for step in plan)
    head = f"# initkit plan: {_count(len(rows), 'parameter')}, {_count(elements, 'element')}"
    lines = [f"{name:<{wide}}  {shape:<{broad}}  {rest}".rstrip() for name, shape, rest in rows]
    return "\n".join([head, *lines, ""])


def _snapshot_row(step: Step) -> tuple[str, str, str]:
    parts = [step.start]
    if step.padding_text and step.distribution is not None:
        parts.append(f"{step.padding_text} zero")
    # All names, where a plan's table shows the first few: a snapshot must miss no tie.
    parts += [f"= {name}" for name in step.names[1:]]
    if step.tie_kind and step.tie_kind not in ("module", "parameter"):
        parts.append(f"tied by {step.tie_kind}")
    return step.name, format_shape(step.shape), "; ".join(parts)


def _diff(known: str, text: str) -> str:
    both = known.splitlines(), text.splitlines()
    lines = difflib.unified_diff(*both, "snapshot", "now", lineterm="", n=0)
    return "\n".join(line for line in lines if not line.startswith("@@"))


# -------------------------------------------------------------------------------------- helpers


def _two(names: Sequence[str], who: str) -> None:
    if len(set(names)) < 2:
        raise TargetError(f"{who} compares at least two names, and got {_listed(names) or 'none'}")


def _groups(model: Model, names: Sequence[str]) -> dict[str, TieGroup]:
    """Return the group of every tied name; refuse names that the model doesn't have."""
    known = _values(model)
    for name in names:
        if name not in known:
            raise TargetError(f"the model has no parameter {name!r}{did_you_mean(name, known)}")
    return {name: group for group in find_tied_parameters(model) for name in group}


def _values(model: Model) -> dict[str, Tensor]:
    """Return every tensor of a model by every name."""
    # Raw, so that nothing is computed: a forward of a parametrisation may move buffers.
    slots = ModelView(model).raw_slots
    return {path: s.tensor.detach() for s in slots if s.tensor is not None for path in s.paths}


def _guarded(known: Mapping[str, Tensor], entries: Sequence[str]) -> dict[str, Tensor]:
    """Return the tensors that the entries name, each of which must name one."""
    if not entries:
        raise TargetError("assert_untouched guards at least one name, and got none")
    for entry in entries:
        # A name that matches nothing would guard nothing, and the test would pass.
        if not any(map(Listing([entry]).matches, known)):
            raise TargetError(f"the model has nothing called {entry!r}{did_you_mean(entry, known)}")
    takes_it = Listing(entries).matches
    return {name: tensor for name, tensor in known.items() if takes_it(name)}


def _random(step: Step) -> bool:
    # A user's function may draw nothing at all, so it is not asked to differ.
    return step.distribution is not None and step.distribution.random and step.distribution.known


def _same(one: Mapping[str, Tensor], other: Mapping[str, Tensor], name: str) -> bool:
    # A computed weight is no tensor of the model; what lies behind it is compared.
    keys = (key for key in one if key == name or _is_raw_of(key, name))
    return all(key in other and same_bits(one[key], other[key]) for key in keys)


def _is_raw_of(key: str, name: str) -> bool:
    """Whether ``key`` is a raw tensor of the computed weight ``name``."""
    owner, dot, last = name.rpartition(".")
    return key.startswith((f"{owner}{dot}parametrizations.{last}.", f"{owner}{dot}{last}_"))


def _moved(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors lie in different memory; a part of a sharded one moves with the rest."""
    # Subclasses and meta tensors have no address that means anything.
    plain = type(one) is type(other) is Tensor and one.layout is other.layout is torch.strided
    return plain and not one.is_meta and one.data_ptr() != other.data_ptr()


def _change(name: str, before: Tensor, after: Tensor) -> str:
    if before.shape != after.shape or before.dtype != after.dtype:
        kinds = [f"{list(t.shape)} {str(t.dtype).removeprefix('torch.')}" for t in (before, after)]
        return f"{name}: {kinds[0]} -> {kinds[1]}"
    if same_bits(before, after):
        return f"{name} {list(before.shape)}: the same values in another memory"
    count = int(differing(before, after).sum())
    return f"{name} {list(before.shape)}: {count:,} of {before.numel():,} elements"


def _same_values(model: Model, first: str, others: Sequence[str]) -> str:
    values = _values(model)
    alike = [name for name in others if same_bits(values[first], values[name])]
    return f"{_listed(alike)} holds the same values in a memory of its own.\n" if alike else ""


def _listed(names: Sequence[str]) -> str:
    return "".join(names) if len(names) < 2 else f"{', '.join(names[:-1])} and {names[-1]}"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
