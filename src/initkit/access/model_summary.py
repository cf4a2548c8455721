"""Every tensor of a model at a glance, indexed like the model, and what its lists miss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

from torch import nn

from ..errors import TargetError
from ..model import (
    Model,
    ModelView,
    Unregistered,
    children_of,
    fold_unregistered,
    is_counted,
    named_unregistered,
)
from ..numbers import no_collecting
from ..render import (
    Fold,
    Line,
    Notes,
    Shown,
    Table,
    column_html,
    column_lines,
    column_table,
    html_page,
    lines_of,
    lines_of_each,
)
from ..rules import compile_glob
from ..spelling import did_you_mean
from ..ties import memories
from ..wording import checks_calls
from ..write import rules_that_started
from .display import columns_for, folds_of, gradient_notes, one_each, title_line
from .optimizer import Optimizers, optimizer_problems
from .read_row import read_row, shown_slot
from .row import Row


@checks_calls
def summary(
    model: Model,
    *,
    optimizer: Optimizers | None = None,
    values: bool = True,
    buffers: bool = False,
) -> Summary:
    """Look at every parameter of ``model``, and at what its parameter list misses; change nothing.

    ``model`` is a module or a state_dict, on any device, meta and lazy ones included. ``values``
    reads every value once for mean, std and extremes; ``buffers`` lists buffers, too. With an
    ``optimizer``, or a list of several, the summary says what is wrong between the two: parameters
    that no group holds, parameters that the model does not have, one memory stepped twice, frozen
    ones under weight decay.

    Tensors, parameters and modules that hang in plain attributes, lists, dicts, objects or hooks
    are found without calling anything; what should train among them is a problem, the rest a note.

    Raises :class:`TargetError` for what is no model or no optimizer.

    >>> import torch
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.weight1 = nn.Parameter(torch.zeros(20, 20))
    ...         self.weight2 = torch.rand(20, 20)
    >>> found = summary(Net())
    >>> found["weight1"].values, [one.path for one in found.unregistered]
    ('all 0', ['weight2'])
    >>> print(summary(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))[0]["bias"].shape)
    (3,)
    """
    wrong = optimizer_problems(model, optimizer) if optimizer is not None else []
    # Of many parameters a third of the time went there. What the reading alone needs is gone when
    # collecting starts again, and is not looked through.
    with no_collecting():
        return _read(ModelView(model), wrong, values, buffers)


def _read(view: ModelView, wrong: Sequence[str], values: bool, buffers: bool) -> Summary:
    root = view.root
    rules = rules_that_started(root) if root is not None else {}
    held = [slot for slot in view.slots if slot.tensor is not None]
    rows = [
        read_row(slot, slots, group, rules, values)
        for slots, group in memories(held)
        if (slot := shown_slot(slots)).kind != "buffer" or buffers
    ]
    return Summary(
        rows,
        view.title,
        modules=_modules(root) if root is not None else None,
        unregistered=view.unregistered,
        problems=wrong,
    )


def _modules(root: nn.Module) -> dict[str, _Module]:
    """Describe every module by the first of its paths."""
    found: dict[str, _Module] = {}
    seen, stack = {id(root)}, [("", root)]
    while stack:
        path, module = stack.pop()
        children = children_of(module)
        layers = tuple(children) if children and is_counted(module) else None
        found[path] = type(module).__name__, layers
        for name in reversed(children):
            child = children[name]
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                stack.append((f"{path}.{name}" if path else name, child))
    return found


_Module = tuple[str, "tuple[str, ...] | None"]
"""What a summary keeps of a module: its class, and its layers by name if they are numbered."""


class Summary(Shown):
    """What a model has, as rows that print themselves; see :func:`initkit.summary`.

    ``rows`` has one :class:`initkit.access.Row` per parameter, ``unregistered`` what hangs beside
    the model's lists; ``problems`` and ``notes`` are sentences, and ``ok`` says that there is no
    problem.
    Indexed by a name it gives the row, by a glob or a module's path the rows there, and by a number
    the layer of a Sequential or ModuleList, with names relative to it. ``folds`` are the lines of
    the printed table, each with its rows.

    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    >>> found = summary(net)
    >>> [row.name for row in found[-1]], [row.name for row in found["*.bias"]]
    (['weight', 'bias'], ['0.bias', '2.bias'])
    """

    def __init__(
        self,
        rows: Sequence[Row],
        title: str,
        *,
        modules: Mapping[str, _Module] | None = None,
        unregistered: Sequence[Unregistered] = (),
        problems: Sequence[str] = (),
    ) -> None:
        self.rows, self.title, self.unregistered = tuple(rows), title, tuple(unregistered)
        self._modules, self._wrong = modules, tuple(problems)

    @property
    def problems(self) -> list[str]:
        """What is missed and should train, and what is wrong between model and optimizer."""
        missed = fold_unregistered([found for found in self.unregistered if found.problem])
        return [*missed, *self._wrong]

    @property
    def notes(self) -> list[str]:
        """What is worth knowing: constants beside the lists, and what got no gradient."""
        beside = fold_unregistered([found for found in self.unregistered if not found.problem])
        return [*beside, *gradient_notes(self.rows)]

    @property
    def ok(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    @property
    def folds(self) -> list[Fold[Row]]:
        """The lines of the table: rows whose names differ in numbers alone are one."""
        with no_collecting():
            return folds_of(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @overload
    def __getitem__(self, key: int) -> Summary: ...
    @overload
    def __getitem__(self, key: str) -> Any: ...
    def __getitem__(self, key: int | str) -> Any:
        """Return the row of a name, the rows of a glob or a module, or a numbered layer.

        Raises :class:`TargetError` for what the model does not have.
        """
        if isinstance(key, int):
            return self._numbered(key)
        if not isinstance(key, str):
            raise TargetError(f"a summary is indexed by a name, a glob or a number, not {key!r}")
        for row in self.rows:
            if key in row.names:
                return row
        if key in (self._modules or ()) or any(row.relative_to(f"{key}.") for row in self.rows):
            return self._below(key)
        return self._matching(key)

    def _numbered(self, number: int) -> Summary:
        layers = self._layers()
        if layers is None:
            raise TargetError(f"{self.title} has no numbered layers; give a name, a glob or a path")
        if not -len(layers) <= number < len(layers):
            raise TargetError(f"{self.title} has {len(layers)} layers, and none of number {number}")
        return self._below(layers[number])

    def _layers(self) -> Sequence[str] | None:
        """Return the names of the numbered layers; of a state_dict those that have entries."""
        if self._modules is not None:
            return self._modules[""][1] if "" in self._modules else None
        heads = {name.partition(".")[0] for row in self.rows for name in row.names if "." in name}
        return sorted(filter(str.isdecimal, heads), key=int) or None

    def _below(self, path: str) -> Summary:
        """Return what stands under a module's path, as that module's own summary would."""
        prefix = f"{path}."
        modules, title = None, path
        if self._modules is not None:
            title = self._modules.get(path, (path, None))[0]
            modules = {
                "" if at == path else at.removeprefix(prefix): module
                for at, module in self._modules.items()
                if at == path or at.startswith(prefix)
            }
        rows = (row.relative_to(prefix) for row in self.rows)
        return Summary([row for row in rows if row is not None], title, modules=modules)

    def _matching(self, glob: str) -> Summary:
        takes = compile_glob(glob)
        rows = [row for row in self.rows if any(map(takes, row.names))]
        if not rows:
            names = [name for row in self.rows for name in row.names]
            hint = named_unregistered(
                self.unregistered, glob, lambda _, name: takes(name) or name.startswith(f"{glob}.")
            )
            hint = hint or did_you_mean(glob, names)
            raise TargetError(f"{self.title} has no parameter {glob!r}{hint}")
        return Summary(rows, f"{glob} of {self.title}", modules={})

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain data, one entry a parameter."""
        return {
            "title": self.title,
            "ok": self.ok,
            "problems": self.problems,
            "notes": self.notes,
            "unregistered": [found.to_dict() for found in self.unregistered],
            "parameters": [row.to_dict() for row in self.rows],
        }

    def lines(self, width: int | None = None) -> list[Line]:
        """Return the lines of ``text()``: problems first, then the folded table, then notes."""
        table = column_lines(columns_for(self.rows), self.folds, width) if self.rows else []
        return [
            *lines_of(title_line(self.title, self.rows), "title", width),
            *lines_of_each((f"  ! {text}" for text in self.problems), "error", width),
            *table,
            *lines_of_each((f"note: {text}" for text in self.notes), "muted", width),
        ]

    def table(self, width: int | None = None, *, fold: bool = True) -> str:
        """Return a line for rows that differ in numbers alone, or ``fold=False`` for each row."""
        lines = self.folds if fold else one_each(self.rows)
        return column_table(columns_for(self.rows), lines, width)

    def to_html(self, *, whole: bool = True) -> str:
        """Return the summary as one self-contained HTML document, or as a piece of one."""
        lines = self.folds
        names = [f"{one.label}: {', '.join(one.names)}" for one in lines if len(one) > 1]
        sections: list[Table | Notes | str] = [
            Notes(self.problems, "Problems", "error"),
            column_html(columns_for(self.rows), lines, "Parameters", None, ".table(fold=False)"),
            Notes(self.notes, "Worth knowing"),
            Notes(names, "Names that one line stands for"),
        ]
        return html_page(title_line(self.title, self.rows), sections, whole=whole)

    def _repr_html_(self) -> str:
        return self.to_html(whole=False)

    def __repr__(self) -> str:
        return f"<Summary of {self.title}: {len(self.rows)} rows, {len(self.problems)} problems>"
