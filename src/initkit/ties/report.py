"""What is tied in a model and what follows from it, as text, dict and HTML."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..errors import visible
from ..model import Slot, walk
from ..render import (
    MOST_PLACES,
    Column,
    Fold,
    Line,
    Notes,
    Picture,
    Section,
    Shown,
    TieFold,
    column_html,
    column_lines,
    fold_rows,
    fold_ties,
    format_shape,
    html_page,
    lines_of,
    lines_of_each,
    one_place_a_name,
    tie_pictures,
)
from ..wording import checks_calls
from .groups import FEW, KINDS, TieGroup, counted, find_tied_parameters
from .reuse import Reuse, find_reused_parameters
from .storage import self_overlapping, unique_bytes

MEANING: Mapping[str, str] = {
    "module": "one module under several names: one parameter, one gradient; nothing unties it "
    "but replacing the module",
    "parameter": "one object in several slots: one gradient, one optimizer step; .half(), .to() "
    "and deepcopy keep it, to_empty() and load_state_dict(assign=True) do not",
    "alias": "several objects over one memory: each has a gradient of its own, an optimizer steps "
    "the memory once for each, and .half(), .to(device) and deepcopy untie them",
    "view": "several objects that read the same bytes in different ways: each has a gradient of "
    "its own, an optimizer steps the memory once for each, and .half(), .to(device) and deepcopy "
    "untie them",
    "overlap": "several objects that share a part of their bytes: each has a gradient of its own, "
    "an optimizer steps the shared part once for each, and .half(), .to(device) and deepcopy "
    "untie them",
}
"""What follows from a tie of each kind."""


@dataclass(frozen=True)
class TieReport(Shown):
    """The ties of a model, the true size of its parameters, and what a forward uses again.

    ``counted`` is how many elements ``parameters()`` says there are; ``elements`` how many there
    are, each place in memory counted once. ``reused`` is None where no forward was run.
    """

    groups: tuple[TieGroup, ...]
    counted: int
    elements: int
    bytes: int
    reused: Mapping[str, Reuse] | None = field(default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "counted": self.counted,
            "elements": self.elements,
            "bytes": self.bytes,
            "groups": [_group(group) for group in self.groups],
            "reused": None if self.reused is None else dict(_reuses(self.reused)),
        }

    def to_html(self) -> str:
        """Return the report as one page that needs nothing else."""
        return html_page("Ties", self._sections(), whole=True)

    def pictures(self) -> list[Picture]:
        """Return the page's picture, as SVG: an arc for each tie, or for several in step."""
        return tie_pictures([group.names for group in self.groups])

    def _repr_html_(self) -> str:
        return html_page("Ties", self._sections())

    def lines(self, width: int | None = None, *, fold: bool = True) -> list[Line]:
        """Return the lines of ``text()``, each with what it is to the reader."""
        lines = lines_of(self._head(), "title", width)
        if self.groups:
            lines += column_lines(COLUMNS, _rows(self.groups, fold), width)
            lines += lines_of_each(_meanings(self.groups), "", width)
        if self.reused is not None:
            reused = [f"  {visible(name)}: {reuse}" for name, reuse in self.reused.items()]
            lines += lines_of("\n".join([self._reused_head(), *reused]), "", width)
        return lines

    def text(self, width: int | None = None, *, fold: bool = True) -> str:
        """Return the report as text that fits into ``width`` columns, where one is given.

        With ``fold=False`` every tie has lines of its own.
        """
        return "\n".join(line.text for line in self.lines(width, fold=fold))

    def _head(self) -> str:
        same = self.counted == self.elements
        said = "as parameters() says" if same else f"parameters() says {self.counted:,}"
        return f"{counted(self.groups)}; {self.elements:,} elements ({self.bytes:,} bytes), {said}"

    def _reused_head(self) -> str:
        count = len(self.reused or ())
        what = (
            "no parameter" if not count else "1 parameter" if count == 1 else f"{count} parameters"
        )
        return f"one forward uses {what} more than once{':' if count else ''}"

    def _sections(self) -> Iterator[Section]:
        yield self._head()
        yield from _sections_of(self.groups)
        if self.reused is not None:
            yield self._reused_head()
            if self.reused:
                yield column_html(_REUSE_COLUMNS, list(self.reused.items()))


def ties_page(groups: Sequence[TieGroup]) -> str:
    """Return ties as a piece of a page: which there are, and what follows from them."""
    return html_page(counted(groups), _sections_of(groups))


def _sections_of(groups: Sequence[TieGroup]) -> Iterator[Section]:
    if groups:
        yield from tie_pictures([group.names for group in groups])
        yield column_html(COLUMNS, _rows(groups), printed=".text(fold=False)")
        yield Notes(_meanings(groups), "what follows")


def _meanings(groups: Sequence[TieGroup]) -> list[str]:
    found = {group.kind for group in groups}
    return [f"{kind}: {MEANING[kind]}" for kind in KINDS if kind in found]


@checks_calls
def tie_report(model: nn.Module, *example_inputs: object, **example_kwargs: object) -> TieReport:
    """Report the ties of a model: kinds, shapes, owners, true counts, and what follows.

    With inputs one forward is run, as `find_reused_parameters` does, and what it uses more than
    once is reported too. Errors are those of the two finders.

    >>> linear = nn.Linear(3, 3, bias=False)
    >>> report = tie_report(nn.Sequential(linear, linear))
    >>> report.elements, report.groups[0].kind
    (9, 'module')
    """
    groups = find_tied_parameters(model)
    slots = walk(model, raw=True)
    tensors = {id(s.tensor): s.tensor for s in slots if s.tensor is not None}
    sized = [tensor for tensor in tensors.values() if not is_lazy(tensor)]
    ran = bool(example_inputs or example_kwargs)
    return TieReport(
        tuple(groups),
        sum(tensor.numel() for tensor in sized),
        _elements(groups, sized),
        unique_bytes(sized),
        find_reused_parameters(model, *example_inputs, **example_kwargs) if ran else None,
    )


def _elements(groups: Iterable[TieGroup], tensors: Iterable[Tensor]) -> int:
    """Count elements; of a memory that several share, in elements of its first member's size."""
    shared: set[int] = set()
    count = 0
    for group in groups:
        own = [t for slot, t in _members(group) if slot.kind != "buffer" and not is_lazy(t)]
        shared.update(map(id, own))
        # Of one object its own count, which bytes don't tell for a sparse or quantised one.
        if len({id(t) for t in own}) == 1:
            count += _numel(own[0])
        elif own:
            count += unique_bytes(own) // own[0].element_size()
    return count + sum(_numel(tensor) for tensor in tensors if id(tensor) not in shared)


def _numel(tensor: Tensor) -> int:
    if self_overlapping(tensor):  # an expanded one has fewer places than elements
        return unique_bytes([tensor]) // tensor.element_size()
    return tensor.numel()


def _members(group: TieGroup) -> Iterator[tuple[Slot, Tensor]]:
    for slot in group.slots:
        if slot.tensor is not None:
            yield slot, slot.tensor


def _group(group: TieGroup) -> dict[str, Any]:
    return {
        "kind": group.kind,
        "canonical": group.canonical,
        "names": list(group.names),
        "slots": [
            {
                "names": list(slot.paths),
                "shape": None if is_lazy(tensor) else list(tensor.shape),
                "dtype": str(tensor.dtype),
                "owner": type(slot.owner).__name__,
                "buffer": slot.kind == "buffer",
            }
            for slot, tensor in _members(group)
        ],
        "consequences": MEANING[group.kind],
    }


_Member: TypeAlias = tuple[str, Tensor, Slot]


@dataclass(frozen=True, slots=True)
class _Row:
    """One place of a tie, or of several alike; ``bracket`` is a piece of the edge around them.

    ``order`` counts over all ties.
    """

    ties: TieFold[TieGroup]
    place: int
    order: int
    bracket: str
    tensor: Tensor
    slot: Slot

    @property
    def kind(self) -> str:
        return "" if self.place else self.ties.first.kind

    @property
    def count(self) -> str:
        """How many ties there are, said once."""
        count = len(self.ties.rows)
        return f"{count}" if count > 1 and not self.place else ""

    @property
    def names(self) -> tuple[str, ...]:
        return self.ties.names[self.place]

    @property
    def each(self) -> str:
        """How many names each of the ties has here."""
        each = self.ties.each(self.place)
        return f"{each}" if each > 1 else ""

    @property
    def size(self) -> int | None:
        return None if is_lazy(self.tensor) else self.tensor.numel()


# Box-drawing characters: a bracket down the left side of a group's rows.
_TOP, _SIDE, _BOTTOM, _ALONE = "\u250c", "\u2502", "\u2514", "\u2576"


def _fold_groups(groups: Sequence[TieGroup]) -> list[TieFold[TieGroup]]:
    """Fold groups whose members are alike, and whose names differ in numbers alone, in step."""
    if len(groups) <= FEW:
        return list(map(_one_group, groups))
    return fold_ties(groups, places=_places, key=_alike)


def _one_group(group: TieGroup) -> TieFold[TieGroup]:
    (line,) = fold_ties([group], places=_places, key=_alike)
    return line


def _places(group: TieGroup) -> list[Fold[str]]:
    """Return the names of a group; of many, like members whose names differ in numbers together."""
    if len(group.names) <= MOST_PLACES:
        return one_place_a_name(group.names)
    members = {member[0]: _member(member) for member in group.reached()}
    return fold_rows(list(members), name=str, key=lambda name: members[name], ragged=True)


def _alike(group: TieGroup) -> Hashable:
    return (group.kind, *map(_member, group.reached()))


def _member(member: _Member) -> Hashable:
    _, tensor, slot = member
    return type(slot.owner), slot.kind, tensor.dtype, _shape(tensor)


def _shape(tensor: Tensor) -> str:
    return "lazy" if is_lazy(tensor) else format_shape(tensor.shape)


def _rows(groups: Sequence[TieGroup], fold_like: bool = True) -> list[_Row]:
    """Return the lines of the table: ties whose names differ in numbers alone are one."""
    rows: list[_Row] = []
    for fold in _fold_groups(groups) if fold_like else map(_one_group, groups):
        count = len(fold.labels)
        edge = [_TOP, *[_SIDE] * (count - 2), _BOTTOM] if count > 1 else [_ALONE]
        reached = {name: (tensor, slot) for name, tensor, slot in fold.first.reached()}
        for place, bracket in enumerate(edge):
            tensor, slot = reached[fold.names[place][0]]
            rows.append(_Row(fold, place, len(rows), bracket, tensor, slot))
    return rows


def _owner(row: _Row) -> str:
    return f"{type(row.slot.owner).__name__}{' (buffer)' if row.slot.kind == 'buffer' else ''}"


COLUMNS: tuple[Column[_Row], ...] = (
    Column("kind", lambda row: row.kind or "=", only="text"),
    Column(  # sorting by it brings a group together again
        "kind",
        lambda row: f"{row.bracket} {row.kind}".rstrip(),
        order=lambda row: row.order,
        only="html",
    ),
    Column("ties", lambda row: row.count, "r"),
    Column(
        "name",
        lambda row: row.ties.labels[row.place],
        inside=lambda row: row.names if len(row.names) > 1 else (),
    ),
    Column("names", lambda row: row.each, "r"),
    Column("shape", lambda row: _shape(row.tensor)),
    Column("dtype", lambda row: str(row.tensor.dtype).removeprefix("torch.")),
    Column("owner", _owner),
    Column(
        "elements",
        lambda row: "" if row.size is None else f"{row.size:,}",
        "r",
        order=lambda row: row.size,
    ),
)
"""What a report says of each name in a group, in its text and on its page."""


def _reuses(reused: Mapping[str, Reuse]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, reuse in reused.items():
        uses = [
            {"module": use.module, "call": use.call, "operation": use.operation}
            for use in reuse.uses
        ]
        yield name, {"count": reuse.count, "uses": uses}


_REUSE_COLUMNS: tuple[Column[tuple[str, Reuse]], ...] = (
    Column("name", lambda row: row[0]),
    Column("count", lambda row: row[1].count, "r", order=lambda row: row[1].count),
    Column("uses", lambda row: "; ".join(map(str, row[1].uses))),
)
