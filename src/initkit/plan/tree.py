"""A plan as the tree of its modules: what each holds, and how that starts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch

from ..distributions import short
from ..errors import OptionError
from ..render import (
    Column,
    Fold,
    Line,
    Shown,
    Traits,
    check_count,
    column_html,
    column_lines,
    fold_alike,
    fold_rows,
    html_page,
    lines_of,
    split_name,
)
from ..spelling import did_you_mean
from .folding import short_rule, usual_dtype
from .step import WRITE, Step

DEFAULT_COLUMNS = ("starts as", "std", "elements", "tensors", "type", "remarks")
_ROOT = "(model)"
_MOST_LAWS = 2  # distributions that a line names


@dataclass(slots=True)
class _Module:
    """A module, or a parameter of a module that holds others."""

    name: str
    path: str = ""
    kind: str = ""
    own: list[Step] = field(default_factory=list)
    tied: list[_Tie] = field(default_factory=list)
    inner: dict[str, _Module] = field(default_factory=dict)

    def steps(self) -> Iterator[Step]:
        """Yield the steps of all that the module holds."""
        yield from self.own
        for module in self.inner.values():
            yield from module.steps()

    def ties(self) -> Iterator[_Tie]:
        """Yield the names in the module of what is in the tree under another."""
        yield from self.tied
        for module in self.inner.values():
            yield from module.ties()

    def alike(self) -> Hashable:
        """Return all that modules of one line have in common."""
        skip = len(self.path)
        about = (
            (s.name[skip:], s.shape, s.dtype, s.start, s.rule, s.frozen, s.tie_kind)
            for s in self.steps()
        )
        ties = ((tie.name[skip:], tie.alike) for tie in self.ties())
        return (self.kind, *about, *ties)


class _Tie(NamedTuple):
    """A name of a parameter, and the ``other`` by which the tree has it.

    Modules of one line are tied ``alike``: all to one of several, or each of a pair in step.
    """

    name: str
    other: str
    alike: Hashable

    @classmethod
    def of(cls, name: str, step: Step) -> _Tie:
        texts, numbers = split_name(step.name)
        mine = split_name(name)[1]
        ahead = tuple(n - m for n, m in zip(reversed(numbers), reversed(mine), strict=False))
        return cls(name, step.name, step.name if len(step.names) > 2 else (texts, ahead))


@dataclass(frozen=True, slots=True)
class TreeRow:
    """One line of a tree: modules that are alike, ``depth`` deep, and the steps in them.

    ``tied`` tells which names in them are other names of parameters that stand elsewhere.
    """

    label: str
    depth: int
    count: int
    kind: str
    steps: tuple[Step, ...]
    usual: torch.dtype | None = None  # which most of the model has
    tied: str = ""

    @property
    def elements(self) -> int:
        """How many elements the modules hold together."""
        return sum(step.numel for step in self.steps)

    @property
    def starts(self) -> str:
        """How they start: the laws of most elements, and how many more there are.

        Of modules all of whose parameters are tied to others: to which.
        """
        if not self.steps:
            return self.tied
        laws = self._laws()
        more = len(laws) - _MOST_LAWS
        return ", ".join(laws[:_MOST_LAWS]) + (f", {more} more" if more > 0 else "")

    @property
    def first_start(self) -> str:
        """How most elements start, and how many other ways there are."""
        if not self.steps:
            # What says most of a name is its end.
            _, dot, module = self.tied.rpartition(".")[0].rpartition(".")
            return f"= \u2026{module}.{self.tied.rpartition('.')[2]}" if dot else self.tied
        first, *others = self._laws() or [""]
        return f"{first} +{len(others)}" if others else first

    def _laws(self) -> list[str]:
        laws: Counter[str] = Counter()
        for step in self.steps:
            laws[step.start] += step.numel
        return [law for law, _ in laws.most_common()]

    @property
    def std(self) -> float | None:
        """The std of all elements that are drawn, taken together; None where one is unknown.

        Constants are no part of it: a layer has the std of its weight, whatever its bias.
        """
        count, first, second = 0, 0.0, 0.0
        for step in self.steps:
            if step.status != WRITE or step.distribution is None or not step.numel:
                continue
            if not step.distribution.random:
                continue
            mean, std = step.distribution.mean, step.distribution.std
            if mean is None or std is None:
                return None
            count += step.numel
            first += step.numel * mean
            second += step.numel * (mean * mean + std * std)
        if not count:
            return None
        return math.sqrt(max(second / count - (first / count) ** 2, 0.0))

    def common(self, told: Callable[[Step], str]) -> str:
        """Return what all steps say, or how many different things."""
        said = dict.fromkeys(map(told, self.steps))
        return next(iter(said), "") if len(said) < 2 else f"{len(said)} different"


def _brief_laws(rows: Sequence[TreeRow]) -> tuple[str, Sequence[str]]:
    return "starts as", [row.first_start for row in rows]


def _brief_elements(rows: Sequence[TreeRow]) -> tuple[str, Sequence[str]]:
    return "elements", [_rounded(row.elements) if row.steps else "" for row in rows]


def _rounded(count: int) -> str:
    """Return a count in three digits.

    >>> _rounded(999), _rounded(23_454_912), _rounded(46_702_792_704), _rounded(999_999)
    ('999', '23.5M', '46.7B', '1M')
    """
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if float(f"{count:.3g}") >= size:
            return f"{count / size:.3g}{letter}"
    return str(count)


def _dtype(step: Step) -> str:
    return str(step.dtype).removeprefix("torch.")


def _std(row: TreeRow) -> str:
    return "" if row.std is None else short(row.std)


def _remarks(row: TreeRow) -> str:
    """Return what of a line has another dtype than most of the model, is frozen, or tied."""
    told: Counter[str] = Counter()
    for step in row.steps:
        told[_dtype(step)] += step.dtype != row.usual
        told["frozen"] += step.frozen
        told["tied"] += len(step.names) > 1
    total = len(row.steps)
    said = [
        what if count == total else f"{count} of {total} {what}"
        for what, count in told.items()
        if count
    ]
    return ", ".join([*said, row.tied] if row.steps and row.tied else said)


def _frozen(row: TreeRow) -> int:
    return sum(step.frozen for step in row.steps)


_COUNT: Column[TreeRow] = Column("", lambda r: f"x{r.count}" if r.count > 1 else "", "r")
_ALL: tuple[Column[TreeRow], ...] = (
    Column("type", lambda row: row.kind, loose="cut"),
    Column(
        "tensors",
        lambda row: f"{len(row.steps):,}" if row.steps else "",
        "r",
        order=lambda row: float(len(row.steps)),
    ),
    Column(
        "elements",
        lambda row: f"{row.elements:,}" if row.steps else "",
        "r",
        order=lambda row: float(row.elements),
        bar=True,
        brief=_brief_elements,
    ),
    Column("starts as", lambda row: row.starts, brief=_brief_laws),
    Column("std", _std, "r", order=lambda row: row.std),
    Column("rule", lambda row: row.common(lambda step: short_rule(step.rule, step.classes))),
    Column("dtype", lambda row: row.common(_dtype)),
    Column("status", lambda row: row.common(lambda step: step.status)),
    Column("frozen", lambda row: _frozen(row) or "", "r"),
    Column("remarks", _remarks, loose="note"),
)
"""What a tree can say of each line; a new column is a row here."""
_COLUMNS: Mapping[str, Column[TreeRow]] = {column.header: column for column in _ALL}


class Tree(Shown):
    """The modules of a plan, as :meth:`Plan.tree` returns them; ``rows`` are its lines."""

    def __init__(self, title: str, rows: Sequence[TreeRow], columns: Sequence[str]) -> None:
        self.title, self.rows = title, tuple(rows)
        columns = [columns] if isinstance(columns, str) else columns
        unknown = [name for name in columns if name not in _COLUMNS]
        if unknown:
            raise OptionError(
                f"a tree has no column {unknown[0]!r}{did_you_mean(unknown[0], _COLUMNS)}; "
                f"it has {', '.join(_COLUMNS)}",
                owner="tree",
                option="columns",
            )
        self.columns = tuple(columns)

    def _chosen(self) -> list[Column[TreeRow]]:
        name: Column[TreeRow] = Column("module", lambda row: "  " * row.depth + row.label)
        return [name, _COUNT, *(_COLUMNS[name] for name in self.columns)]

    def lines(self, width: int | None = None) -> list[Line]:
        """Return the lines of ``text()``, each with what it is to the reader."""
        head = lines_of(self.title, "title", width) if self.title else []
        return [*head, *column_lines(self._chosen(), self.rows, width)]

    def __repr__(self) -> str:
        return f"<Tree: {len(self.rows)} lines>"

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the lines as plain data."""
        return [
            {"module": row.label, "depth": row.depth, "count": row.count, "names": row_names(row)}
            | {name: str(_COLUMNS[name].text(row)) for name in self.columns}
            for row in self.rows
        ]

    def to_html(self, *, whole: bool = True) -> str:
        """Return the tree as one self-contained HTML document, or as a piece of one."""
        name: Column[TreeRow] = Column(
            "module",
            lambda row: "    " * row.depth + row.label,
            html_align="t",
            inside=lambda row: row_names(row) if row.count > 1 else (),
        )
        chosen = [name, _COUNT, *(_COLUMNS[name] for name in self.columns)]
        return html_page(self.title, [column_html(chosen, self.rows)], whole=whole)

    def _repr_html_(self) -> str:
        return self.to_html(whole=False)


def row_names(row: TreeRow) -> list[str]:
    """Return the names of the parameters that a line of a tree stands for."""
    return [step.name for step in row.steps]


def make_tree(
    title: str,
    steps: Sequence[Step],
    kinds: Mapping[str, str],
    columns: Sequence[str],
    depth: int | None,
) -> Tree:
    """Return the tree of the modules that hold these steps.

    ``kinds`` are the classes of the modules by all names of their parameters.
    """
    check_count("depth", depth, "levels")
    root = _Module("")
    for step in steps:
        _module_of(root, step.name, kinds).own.append(step)
        for name in step.names:
            if name != step.name:
                _module_of(root, name, kinds).tied.append(_Tie.of(name, step))
    usual = usual_dtype(steps)
    rows = (replace(row, usual=usual) for row in _rows([root], _ROOT, 0, depth))
    return Tree(title, list(rows), columns)


def _module_of(root: _Module, name: str, kinds: Mapping[str, str]) -> _Module:
    module = root
    for part in name.split(".")[:-1]:
        path = f"{module.path}{part}."
        module = module.inner.setdefault(part, _Module(part, path))
    module.kind = kinds.get(name, "")
    return module


def _rows(
    modules: Sequence[_Module], label: str, depth: int, deepest: int | None
) -> Iterator[TreeRow]:
    """Yield the line of modules that are alike, and those of what the first of them holds."""
    steps = tuple(step for module in modules for step in module.steps())
    others = [] if steps else [_tied_to(module) for module in modules]
    if others and (all(others) or not modules[0].inner):
        tied = f"= {_told_once(others)}" if all(others) else _own_ties(modules)
        yield TreeRow(label, depth, len(modules), modules[0].kind, steps, tied=tied)
        return
    folds = _within(modules[0])
    if len(folds) == 1 and not modules[0].own and not modules[0].tied:
        # A container that holds nothing else has no line of its own.
        inner = [one for module in modules for one in _within(module)[0].rows]
        inner_label = _label(folds[0]) if label == _ROOT else f"{label}.{_label(folds[0])}"
        yield from _rows(inner, inner_label, depth, deepest)
        return
    yield TreeRow(label, depth, len(modules), modules[0].kind, steps, tied=_own_ties(modules))
    if deepest is not None and depth >= deepest:
        return
    for fold in folds:
        # Of every module that the line above stands for.
        names = dict.fromkeys(module.name for module in fold.rows)
        inner = [one for module in modules for name in names for one in _named(module, name)]
        yield from _rows(inner, _label(fold), depth + 1, deepest)


def _tied_to(module: _Module) -> str:
    """Return what all names in a module are other names of: one parameter, one module, or ""."""
    ties = list(module.ties())
    if len(ties) == 1:
        return ties[0].other
    ends = [f".{tie.name[len(module.path) :]}" for tie in ties]
    found = {
        tie.other.removesuffix(end) if tie.other.endswith(end) else ""
        for tie, end in zip(ties, ends, strict=True)
    }
    return found.pop() if len(found) == 1 else ""


def _told_once(names: Sequence[str]) -> str:
    """Return names of what modules of one line are tied to, folded."""
    different = list(dict.fromkeys(names))
    folds = fold_rows(different, name=str, key=lambda _: None, ragged=True)
    return ", ".join(fold.label for fold in folds)


def _own_ties(modules: Sequence[_Module]) -> str:
    """Return which of the modules' own names are other names of which parameters."""
    columns = zip(*(module.tied for module in modules), strict=True)
    return ", ".join(
        f"{column[0].name.rpartition('.')[2]} = {_told_once([tie.other for tie in column])}"
        for column in columns
    )


def _within(module: _Module) -> list[Fold[_Module]]:
    """Return what a module holds, like modules together; a parameter beside modules is one."""
    if not module.inner:
        return []
    beside = [_parameter(step) for step in module.own]
    held = [*beside, *module.inner.values()]
    told = {id(one): one.alike() for one in held}
    # Paths of modules end with a dot: names of modules may join, those of parameters do not.
    return fold_alike(
        held,
        name=lambda one: one.path[len(module.path) :],
        traits=lambda one: Traits(told[id(one)]),
    )


def _label(fold: Fold[_Module]) -> str:
    return fold.label.removesuffix(".")


def _parameter(step: Step) -> _Module:
    return _Module(step.name.rpartition(".")[2], step.name, "", [step])


def _named(module: _Module, name: str) -> list[_Module]:
    if name in module.inner:
        return [module.inner[name]]
    return [_parameter(s) for s in module.own if s.name.rpartition(".")[2] == name]
