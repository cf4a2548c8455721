"""A plan: who gets what, and why, as values that print themselves, compare and serialise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Unpack

from ..errors import (
    PlanError,
    Problem,
    ReadError,
    TargetError,
    TensorProblem,
    shown,
    told_together,
    visible,
)
from ..render import Fold, Line, Picture, Shown, lines_of, lines_of_each
from .diff import Diff, compared
from .display import first_to_know, plan_lines, plan_page, tied_pictures, totals
from .folding import fold_steps
from .options import WriteOptions
from .picture import depth_pictures, plot_depth
from .renaming import Rename, read_rename
from .serialization import read_json, steps_digest, write_json
from .step import Step, Target, distributions_of, step_named
from .tree import DEFAULT_COLUMNS, Tree, make_tree

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ..distributions import Distribution
    from ..rules import Recipe
    from ..write import Report


class Plan(Shown):
    """Who gets what, and why; nothing has been written.

    Printing it folds like layers into one line and fits the terminal; ``table(fold=False)`` has one
    line per parameter, ``show()`` colours. ``steps`` holds them as data, ``problems`` what is
    wrong between rules and model (applying raises all of it as one error), ``remarks`` what rules
    that decide may not have meant.

    >>> from torch import nn
    >>> print(plan_init(nn.Linear(3, 4), {"weight": "xavier_normal", "bias": 0}))
    Linear
    name    starts as     shape  rule
    ------  ------------  -----  ------
    weight  N(0, 0.5345)  4x3    weight
    bias    constant 0    4      bias
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
        remarks: Sequence[str] = (),
        model: nn.Module | None = None,
    ) -> None:
        self.steps, self.problems = tuple(steps), tuple(problems)
        self.title, self.idle, self.rules = title, tuple(idle), tuple(rules)
        self.targets, self.notes = tuple(targets), tuple(notes)
        self.remarks = tuple(remarks)  # on rules that decide, and are not as they were meant
        self.whole = whole  # of a part of a plan: the digest of the whole
        self.model = model  # of a recorded plan: the model that its code built

    def without_targets(self) -> Plan:
        """Return the plan as data alone, which holds on to no module and no tensor."""
        return self.replaced(targets=(), model=None)

    def replaced(self, **changes: Any) -> Plan:
        """Return a plan with some of its attributes changed."""
        names = ("title", "idle", "rules", "targets", "whole", "notes", "remarks", "model")
        known = {name: changes.pop(name, getattr(self, name)) for name in names}
        steps, problems = changes.pop("steps", self.steps), changes.pop("problems", self.problems)
        assert not changes, f"a plan has no {', '.join(changes)}"
        return Plan(steps, problems, **known)

    def scaled(self, factors: Mapping[str, float]) -> Plan:
        """Return the plan with the laws of some parameters multiplied, by any of their names.

        No rule is added, so none becomes idle. Raises :class:`TargetError` for a name that is
        unknown, or that the plan does not write; :class:`OptionError` where no law can be scaled.

        >>> from torch import nn
        >>> plan = plan_init(nn.Linear(4, 4), {"weight": "normal(std=0.5)", "bias": 0})
        >>> plan.scaled({"weight": 2})["weight"].start
        'N(0, 1)'
        """
        chosen = {
            id(step_named(name, self.steps)): (name, factor) for name, factor in factors.items()
        }
        return self.replaced(
            steps=[
                step.scaled(*chosen[id(step)]) if id(step) in chosen else step
                for step in self.steps
            ],
            whole="",
        )

    @cached_property
    def distributions(self) -> list[Distribution]:
        """The distributions of the steps, each object once, so that like steps are asked once."""
        return distributions_of(self.steps)

    @property
    def pairs(self) -> list[tuple[Step, Target]]:
        """Each step with its memory; a plan that was read from a file has none."""
        return list(zip(self.steps, self.targets, strict=True))

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __getitem__(self, name: str | int) -> Step:
        """Return the step of the parameter called ``name``, by any of its names, or by its place.

        Raises :class:`TargetError` where there is none.
        """
        if isinstance(name, int):
            return self._at(name)
        return step_named(name, self.steps, of="plan")

    def _at(self, place: int) -> Step:
        count = len(self.steps)
        if not -count <= place < count:
            raise TargetError(f"the plan has {count} steps, and none at place {place}")
        return self.steps[place]

    def check(self) -> None:
        """Raise :class:`PlanError` where anything is wrong."""
        # Of steps that were made by hand nobody has asked yet whether their sizes agree.
        problems = self.problems or [
            TensorProblem(f"{step.name}: {text}", names=step.names)
            for step in self.steps
            if (text := step.misfit)
        ]
        if problems:
            raise PlanError(problems)

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

    def diff(self, other: Plan, rename: Rename = None) -> Diff:
        """Return what ``other`` does differently, like differences in one line.

        It is false where nothing differs. ``rename`` leads from a name of ``other`` to this plan's,
        as in :meth:`apply`, where two libraries call one architecture's parameters by different
        names.

        >>> from torch import nn
        >>> model = nn.Linear(4, 4)
        >>> print(plan_init(model, {"*": 0}).diff(plan_init(model, {"weight": 1, "bias": 0})))
        ~ weight  constant 0 -> constant 1
        """
        if not isinstance(other, Plan):
            raise TargetError(
                f"a plan is compared with another plan, not with {shown(other)}; "
                "plan_init(model, rules) makes one"
            )
        return compared(self.steps, list(_as_named(other.steps, rename)))

    def tree(self, *, columns: Sequence[str] = DEFAULT_COLUMNS, depth: int | None = 4) -> Tree:
        """Return the module tree: what each module holds, and how that starts, in ``columns``.

        Modules that are alike are one line; ``depth`` says how deep the tree goes, None to the
        last parameter. Raises :class:`OptionError` for a column that there is not.

        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
        >>> print(plan_init(model, {"*weight": "normal(std=0.02)", "*": 0}).tree())
        Sequential
        module      starts as                std  elements  tensors  type
        ------  --  ----------------------  ----  --------  -------  ------
        {0,2}   x2  N(0, 0.02), constant 0  0.02        40        4  Linear
        """
        return make_tree(self.title, self.steps, self._kinds(), columns, depth)

    def to_recipe(self, name: str, *, vary: Plan | Sequence[Plan] | None = None) -> Recipe:
        """Return readable rules that plan the same, as a recipe of this name.

        Parameters that start alike come under one rule, by module type and by the end of their
        names; exceptions first, constants last. ``vary`` are plans of the same family in other
        sizes: a number that differs between them becomes the formula of fans, layers or figures of
        the config that all of them confirm (``normal(std=0.02/sqrt(2*n_layers))``).
        :func:`initkit.save_recipe` writes the recipe to a file.

        Raises :class:`PlanError` for a plan with problems, and :class:`TargetError` for one that
        was read from a file: which module a parameter belongs to is not in there.

        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
        >>> rules = {"2.weight": 0, nn.Linear: {"weight": "xavier_normal", "bias": 0}, "1.*": 1}
        >>> print(plan_init(model, rules).to_recipe("mine/net"))
        mine/net
          Sequential: 6 parameters, read off a plan.
          2.weight          0
          Linear.weight     xavier_normal
          Linear.bias       0
          LayerNorm.weight  1
          LayerNorm.bias    1
        """
        from ..record import recipe_of  # upward, and lazy: few plans become rules

        others = [vary] if isinstance(vary, Plan) else vary or ()
        return recipe_of(name, [self, *others])

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
        head = {"digest": self.digest(), "title": self.title}
        lists = {"rules": list(self.rules), "idle": list(self.idle)}
        return write_json(self.steps, head | lists)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Return the plan that :meth:`to_json` wrote, or that ``initkit plan --json`` printed.

        Of the latter it has the problems, too. Raises :class:`ReadError` for anything else, or for
        a plan that was changed since.
        """
        data = read_json(text)
        problems = map(Problem, data.pop("problems"))
        digest = data.pop("digest")
        plan = cls(problems=list(problems), **data)
        # The digest covers all that decides values: a step changed by hand is found out.
        if plan.digest() != digest:
            message = f"the plan was changed: its digest is {plan.digest()}, not {digest}"
            raise ReadError(message)
        return plan

    def digest(self) -> str:
        """Return a short text that is equal for equal plans, whatever the order and the machine.

        A plan that was bound to a part of its model has the digest of the whole.
        """
        return self.whole or steps_digest(self.steps)

    @property
    def folds(self) -> list[Fold[Step]]:
        """The lines of the printed plan, each with its ``label``, ``names`` and ``rows``."""
        return fold_steps(self.steps)

    def lines(self, width: int | None = None, *, fold: bool = True) -> list[Line]:
        """Return the lines of ``text()``, each with what it is to the reader."""
        problems: list[Line] = []
        if self.problems:
            said = [f"{len(self.problems)} problem(s); applying this plan will raise:"]
            said += [f"  ! {text}" for text in told_together(self.problems)]
            problems = [*lines_of("\n".join(said), "error", width), Line("")]
        return [
            *problems,
            *lines_of(visible(self.title), "title", width),
            *lines_of_each(map(visible, self.remarks), "warning", width),
            *first_to_know(self.steps, width, fold=fold),
            *plan_lines(self.steps, width, fold=fold),
            *lines_of_each(self.summary(), "", width),
        ]

    def text(self, width: int | None = None, *, fold: bool = True) -> str:
        """Return the plan as text that fits into ``width`` columns, where one is given.

        What is wrong, uncovered, frozen or tied comes first. With ``fold=False`` the table has one
        line per parameter.
        """
        return "\n".join(line.text for line in self.lines(width, fold=fold))

    def table(self, width: int | None = None, *, fold: bool = True) -> str:
        """Return a line for parameters that are alike, or with ``fold=False`` one for each.

        Columns that say nothing are left out; where the lines need more than ``width``, long cells
        break, and the last columns hang below.
        """
        return "\n".join(line.text for line in plan_lines(self.steps, width, fold=fold))

    def summary(self, *, done: bool = False) -> list[str]:
        """Return the totals, the notes, and idle rules, in lines of text.

        ``done`` says that the plan has been carried out.
        """
        return [
            *totals(self.steps, done=done),
            *map(visible, self.notes),
            *(f"idle rule: {text}" for text in self.idle),
        ]

    def to_html(self, *, whole: bool = True) -> str:
        """Return the plan as one self-contained HTML document, or as a piece of one."""
        kinds = self._kinds()
        sections: list[str | Picture] = [*self.summary(), *depth_pictures(self.steps, kinds)]
        return plan_page(
            self.title,
            self.steps,
            self.problems,
            sections,
            remarks=self.remarks,
            whole=whole,
            kinds=kinds,
        )

    def pictures(self) -> list[Picture]:
        """Return the pictures of the page, as SVG: std against depth, and an arc for each tie.

        Each kind of module has a colour; the dashes behind are 1/sqrt(fan_in), with which a linear
        layer keeps its signal's size.
        """
        return [*depth_pictures(self.steps, self._kinds()), *tied_pictures(self.steps)]

    def plot(self) -> Any:
        """Return a figure of matplotlib: std against depth, as :meth:`to_html` shows it.

        Raises :class:`OptionError` where matplotlib is not installed (the extra ``plots``).
        """
        return plot_depth(self.steps, self._kinds(), self.title)

    def _kinds(self) -> dict[str, str]:
        """Return the class of the module of each name; a plan without a model knows none."""
        found = {}
        for step, target in zip(self.steps, self.targets, strict=False):
            # Of tied ones the module that has the name: it need not be the one written through.
            owners = {path: slot.owner for slot in target.slots for path in slot.paths}
            for name in step.names:
                if (owner := owners.get(name, target.writer.owner)) is not None:
                    found[name] = type(owner).__name__
        return found

    def _repr_html_(self) -> str:
        return self.to_html(whole=False)

    def __repr__(self) -> str:
        return f"<Plan: {len(self.steps)} parameters, {len(self.problems)} problems>"


def _as_named(steps: Sequence[Step], rename: Rename) -> Iterator[Step]:
    """Yield steps under the names that others are known by; those that have none are left out."""
    if rename is None:
        yield from steps
        return
    new_name = read_rename(rename, {name for step in steps for name in step.names})
    for step in steps:
        names = tuple(new for name in step.names if (new := new_name(name)) is not None)
        if names:
            yield step.renamed(names, step.seed_name)
