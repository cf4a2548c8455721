"""A plan: who gets what, and why, as values that print themselves, compare and serialise."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

import torch

from ..distributions import Distribution, from_dict
from ..errors import PlanError, Problem, ReadError, TargetError, did_you_mean
from ..model import Slot
from ..numbers import Fans
from ..render import fold, text_table
from .html import plan_page
from .options import WriteOptions

if TYPE_CHECKING:
    from torch import nn

    from ..write import Report

Rename: TypeAlias = "Mapping[str, str | None] | Callable[[str], str | None] | None"
FORMAT = "initkit-plan-1"
WRITE, KEEP, UNCOVERED, LEFT_OUT, PROTECTED, EMPTY = (
    "write",
    "keep",
    "uncovered",
    "not in only",
    "protected",
    "empty",
)


@dataclass(slots=True)  # made by the thousand: frozen would cost as much as planning
class Step:
    """What happens to one piece of memory.

    ``names`` are all its names, ``seed_name`` the one that its numbers depend on, ``status`` one of
    ``write``, ``keep``, ``uncovered``, ``not in only``, ``protected`` and ``empty``.

    >>> from torch import nn
    >>> step = plan_init(nn.Linear(3, 4), {"weight": "xavier_normal", "bias": 0})["weight"]
    >>> step.shape, step.rule, step.start
    ((4, 3), 'weight', 'N(0, 0.5345)')
    """

    names: tuple[str, ...]
    seed_name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    status: str
    distribution: Distribution | None = None
    scheme: str = ""
    rule: str = ""
    fans: Fans | None = None
    fans_from: str = ""
    padding: int | None = None
    note: str = ""
    frozen: bool = False
    kind: str = ""

    @property
    def name(self) -> str:
        """The first name, which ``named_parameters`` shows."""
        return self.names[0]

    @property
    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def renamed(self, names: tuple[str, ...], seed_name: str) -> Step:
        """Return the same step of another tensor, which is alike in all but its names."""
        return Step(
            names,
            seed_name,
            shape=self.shape,
            dtype=self.dtype,
            status=self.status,
            distribution=self.distribution,
            scheme=self.scheme,
            rule=self.rule,
            fans=self.fans,
            fans_from=self.fans_from,
            padding=self.padding,
            note=self.note,
            frozen=self.frozen,
        )

    @property
    def start(self) -> str:
        """How the parameter starts, as the plan prints it."""
        if self.status == WRITE and self.distribution is None:
            return "cannot start"
        if self.distribution is None or self.status not in (WRITE, EMPTY):
            return {UNCOVERED: "keeps its value (no rule)"}.get(self.status, self.status)
        return self.distribution.describe()

    @property
    def remarks(self) -> str:
        """All that a reader should know besides: ties, padding, notes."""
        parts = [f"= {name}" for name in self.names[1:4]]
        if len(self.names) > 4:
            parts.append(f"and {len(self.names) - 4} more names")
        if self.kind and self.kind not in ("module", "parameter"):
            parts.append(f"tied by {self.kind}")
        if self.padding is not None and self.status == WRITE:
            parts.append(f"row {self.padding} zero (padding)")
        parts += [self.note] if self.note else []
        parts += ["frozen"] if self.frozen else []
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the step as plain data."""
        return {
            "names": list(self.names),
            "seed_name": self.seed_name,
            "shape": list(self.shape),
            "dtype": str(self.dtype).removeprefix("torch."),
            "status": self.status,
            "distribution": self.distribution.to_dict() if self.distribution is not None else None,
            "scheme": self.scheme,
            "rule": self.rule,
            "fans": [self.fans.fan_in, self.fans.fan_out] if self.fans else None,
            "fans_from": self.fans_from,
            "padding": self.padding,
            "note": self.note,
            "frozen": self.frozen,
            "kind": self.kind,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Step:
        """Return the step that :meth:`to_dict` wrote."""
        return cls(
            **{
                **data,
                "names": tuple(data["names"]),
                "shape": tuple(data["shape"]),
                "dtype": getattr(torch, data["dtype"]),
                "distribution": from_dict(data["distribution"])
                if data["distribution"] is not None
                else None,
                "fans": Fans(*data["fans"]) if data["fans"] else None,
            }
        )


@dataclass(eq=False, slots=True)  # made by the thousand: frozen would cost as much as planning
class Target:
    """The memory of one step: its slots, the one to write through, the one with the padding row."""

    slots: tuple[Slot, ...]
    writer: Slot
    padded: Slot | None = None


class Plan:
    """Who gets what, and why; nothing has been written.

    Printing it shows one line per parameter. ``steps`` holds them as data, ``problems`` what is
    wrong between rules and model (applying raises all of it as one error).

    >>> from torch import nn
    >>> print(plan_init(nn.Linear(3, 4), {"weight": "xavier_normal", "bias": 0}))
    Linear
    name    shape  fan_in/out  rule    start
    ------  -----  ----------  ------  ------------
    weight  4x3    3/4         weight  N(0, 0.5345)
    bias    4                  bias    constant 0
    to write: 2 tensors, 16 elements
    """

    def __init__(
        self,
        steps: Sequence[Step],
        problems: Sequence[Problem],
        *,
        title: str = "",
        idle: Sequence[str] = (),
        rules: Sequence[str] = (),
        targets: Sequence[Target] = (),
        whole: str = "",
        notes: Sequence[str] = (),
    ) -> None:
        self.steps, self.problems = tuple(steps), tuple(problems)
        self.title, self.idle, self.rules = title, tuple(idle), tuple(rules)
        self.targets, self.notes = tuple(targets), tuple(notes)
        self.whole = whole  # of a part of a plan: the digest of the whole

    def without_targets(self) -> Plan:
        """Return the plan as data alone, which holds on to no module and no tensor."""
        return self.replaced(targets=())

    def replaced(self, **changes: Any) -> Plan:
        """Return a plan with some of its attributes changed."""
        names = ("title", "idle", "rules", "targets", "whole", "notes")
        known = {name: changes.pop(name, getattr(self, name)) for name in names}
        steps, problems = changes.pop("steps", self.steps), changes.pop("problems", self.problems)
        assert not changes, f"a plan has no {', '.join(changes)}"
        return Plan(steps, problems, **known)

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __getitem__(self, name: str) -> Step:
        """Return the step of the parameter called ``name``, by any of its names."""
        for step in self.steps:
            if name in step.names:
                return step
        names = [n for step in self.steps for n in step.names]
        raise TargetError(f"the plan has no parameter {name!r}{did_you_mean(name, names)}")

    def check(self) -> None:
        """Raise :class:`PlanError` where anything is wrong."""
        if self.problems:
            raise PlanError(self.problems)

    def apply(
        self,
        model: nn.Module | Mapping[str, Any],
        rename: Rename = None,
        **options: Unpack[WriteOptions],
    ) -> Report:
        """Write what the plan says into ``model``, or into a part of the model, and report it.

        Names are looked up in the plan, shapes must be its shapes; numbers depend on the plan's
        names alone. ``rename`` leads from a name here to the plan's: a mapping of names or module
        paths (``{"layers.0": "layers.12"}``), or a function; None leaves a tensor alone. The other
        options are those of :func:`initkit.apply_init`.

        Raises :class:`PlanError`, with everything that is unknown or has another shape, before
        anything is written.

        >>> from torch import nn
        >>> whole = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
        >>> plan = plan_init(whole, {"*": "normal(std=1)"})
        >>> part = nn.Sequential(nn.Linear(4, 2))
        >>> plan.apply(part, seed=0, rename={"0": "1"}).written
        ['0.weight', '0.bias']
        """
        from ..write import apply_plan  # upward, and lazy: a plan is made without what writes it

        return apply_plan(self, model, rename, **options)

    def param_init_fn(
        self,
        model: nn.Module,
        device: torch.device | str,
        *,
        seed: int | None = None,
        prefix: str = "",
        rename: Rename = None,
    ) -> Callable[[nn.Module], None]:
        """Return the function that FSDP1 takes as ``param_init_fn``, for the unwrapped ``model``.

        FSDP1 calls it for every module whose parameters are on the meta device: they get memory on
        ``device`` and their values. ``seed`` must be given, the same on every rank.

        Raises :class:`PlanError` where the plan does not fit the model.
        """
        from ..write import param_init_fn  # upward, and lazy, as in apply

        return param_init_fn(self, model, device, seed=seed, prefix=prefix, rename=rename)

    def with_status(self, status: str) -> list[Step]:
        """Return the steps of one status."""
        return [step for step in self.steps if step.status == status]

    def diff(self, other: Plan) -> str:
        """Return what ``other`` does differently, one line a difference; empty where nothing.

        >>> from torch import nn
        >>> model = nn.Linear(4, 4)
        >>> print(plan_init(model, {"*": 0}).diff(plan_init(model, {"weight": 1, "bias": 0})))
        ~ weight  constant 0 -> constant 1
        """
        mine = {s.name: s for s in self.steps}
        theirs = {s.name: s for s in other.steps}
        lines = [f"- {name}  {mine[name].start}" for name in mine if name not in theirs]
        for name, step in theirs.items():
            if name not in mine:
                lines.append(f"+ {name}  {step.start}")
            elif changes := _changes(mine[name], step):
                lines.append(f"~ {name}  {changes}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return {"title": self.title, "steps": [step.to_dict() for step in self.steps]}

    def to_json(self) -> str:
        """Return the plan as JSON, from which :meth:`from_json` makes an equal one.

        Raises :class:`PlanError` for a plan with problems, :class:`ReadError` where a function of
        yours starts a parameter: JSON cannot carry it.

        >>> from torch import nn
        >>> plan = plan_init(nn.Linear(4, 4), {"*": "normal(std=0.02)"})
        >>> Plan.from_json(plan.to_json()).digest() == plan.digest()
        True
        """
        self.check()
        own = [
            s.name
            for s in self.steps
            if s.distribution is not None and not s.distribution.serializable
        ]
        if own:
            raise ReadError(f"JSON cannot carry the function that starts {', '.join(own)}")
        data = {"format": FORMAT, "digest": self.digest(), **self.to_dict()}
        data |= {"rules": list(self.rules), "idle": list(self.idle)}
        return json.dumps(plain_data(data), indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Return the plan that :meth:`to_json` wrote.

        Raises :class:`ReadError` for anything else, or for a plan that was changed since.
        """
        try:
            data = rich_data(json.loads(text))
            if data["format"] != FORMAT:
                raise ReadError(f"this is a {data['format']!r}, and {FORMAT!r} is known here")
            steps = [Step.from_dict(step) for step in data["steps"]]
            plan = cls(steps, [], title=data["title"], idle=data["idle"], rules=data["rules"])
            digest = data["digest"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, ReadError):
                raise
            raise ReadError(f"this is no plan that initkit wrote: {error!r}") from error
        if plan.digest() != digest:
            raise ReadError(f"the plan was changed: its digest is {plan.digest()}, not {digest}")
        return plan

    def digest(self) -> str:
        """Return a short text that is equal for equal plans, whatever the order and the machine.

        A plan that was bound to a part of its model has the digest of the whole.
        """
        if self.whole:
            return self.whole
        rows = sorted(
            json.dumps(
                [
                    step.seed_name,
                    list(step.shape),
                    str(step.dtype),
                    step.status,
                    step.distribution and step.distribution.to_dict(),
                    step.padding,
                ]
            )
            for step in self.steps
        )
        return hashlib.blake2b("\n".join(rows).encode(), digest_size=8).hexdigest()

    @property
    def headers(self) -> tuple[str, ...]:
        """The columns of :attr:`rows`."""
        return ("name", "shape", "fan_in/out", "rule", "start", "remarks")

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """One row of text per parameter."""
        return [
            (
                step.name,
                "x".join(map(str, step.shape)) or "scalar",
                f"{step.fans.fan_in}/{step.fans.fan_out}" if step.fans else "",
                step.rule,
                step.start,
                step.remarks,
            )
            for step in self.steps
        ]

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """Return the plan as text, folded to ``width`` where one is given."""
        lines = [f"{len(self.problems)} problem(s); applying this plan will raise:"]
        lines += [f"  ! {problem}" for problem in self.problems] + [""]
        head = fold("\n".join([*(lines if self.problems else []), self.title]), width)
        return "\n".join([head, self.table(width), *(fold(t, width) for t in self.summary())])

    def table(self, width: int | None = None) -> str:
        """Return one aligned line per parameter; where they need more than ``width``, several.

        Columns that say nothing are left out.
        """
        rows = self.rows
        shown = [i for i, _ in enumerate(self.headers) if i == 0 or any(row[i] for row in rows)]
        headers = [self.headers[i] for i in shown]
        return text_table(headers, [[row[i] for i in shown] for row in rows], width=width)

    def summary(self, *, done: bool = False) -> list[str]:
        """Return the totals, what no rule covers, and idle rules, in lines of text.

        ``done`` says that the plan has been carried out.
        """
        lines = []
        for status, what in _TOTALS:
            steps = self.with_status(status)
            if steps:
                count = sum(step.numel for step in steps)
                tensors = "tensor" if len(steps) == 1 else "tensors"
                what = "written" if done and status == WRITE else what
                lines.append(f"{what}: {len(steps):,} {tensors}, {count:,} elements")
        uncovered = self.with_status(UNCOVERED)
        lines += [f"no rule covers {step.name} {list(step.shape)}" for step in uncovered]
        return [*lines, *self.notes, *(f"idle rule: {text}" for text in self.idle)]

    def to_html(self, *, whole: bool = True) -> str:
        """Return the plan as one self-contained HTML document, or as a piece of one."""
        totals = [line for line in self.summary() if not line.startswith("no rule covers")]
        return plan_page(self.title, self.steps, self.problems, totals, whole=whole)

    def _repr_html_(self) -> str:
        return self.to_html(whole=False)

    def __repr__(self) -> str:
        return f"<Plan: {len(self.steps)} parameters, {len(self.problems)} problems>"


_TOTALS = (
    (WRITE, "to write"),
    (KEEP, "kept by rule"),
    (UNCOVERED, "kept, no rule"),
    (PROTECTED, "protected"),
    (LEFT_OUT, "not in only"),
    (EMPTY, "without elements"),
)


def _changes(mine: Step, other: Step) -> str:
    parts = []
    if mine.shape != other.shape:
        parts.append(f"shape {list(mine.shape)} -> {list(other.shape)}")
    if (
        mine.start != other.start
        or mine.distribution != other.distribution
        or mine.status != other.status
    ):
        parts.append(f"{mine.start} -> {other.start}")
    if mine.padding != other.padding:
        parts.append(f"padding row {mine.padding} -> {other.padding}")
    if sorted(mine.names) != sorted(other.names):
        parts.append(f"names {', '.join(mine.names)} -> {', '.join(other.names)}")
    return ", ".join(parts)


_ENDLESS = {"inf": math.inf, "-inf": -math.inf}


def plain_data(data: Any) -> Any:
    """Return plain data with infinities as {"number": "inf"}, which JSON itself does not know."""
    if isinstance(data, dict):
        return {key: plain_data(value) for key, value in data.items()}
    if isinstance(data, list):
        return [plain_data(value) for value in data]
    return {"number": str(data)} if isinstance(data, float) and math.isinf(data) else data


def rich_data(data: Any) -> Any:
    """Return what :func:`plain_data` was made of."""
    if isinstance(data, dict):
        if set(data) == {"number"}:
            return _ENDLESS[data["number"]]
        return {key: rich_data(value) for key, value in data.items()}
    return [rich_data(value) for value in data] if isinstance(data, list) else data
