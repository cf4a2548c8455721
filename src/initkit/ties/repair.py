"""Make ties, and make them again where something broke them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Literal, TypeAlias

from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.parameter import is_lazy

from ..errors import InitkitError, OptionError, TieError
from ..wording import checks_calls
from .groups import TieGroup, find_tied_parameters
from .outlines import copied_together, read_as
from .status import Group, NamedSlots, TieStatus, equal_values, tie_status

Values: TypeAlias = Literal["equal", "source"]
Change: TypeAlias = Callable[[], None]
"""One step of tying, checked when it is made; all are made before the first is carried out."""


@checks_calls
def tie(model: nn.Module, source: str, *targets: str, values: Values = "equal") -> TieGroup:
    """Make names reach the tensor of the first: one object in all their slots.

    Shapes, dtypes and devices must agree, and so must values, unless ``values="source"`` says that
    those of ``source`` are to stay. All is checked before anything changes. Returns the new group.
    Raises `UnknownNameError` for names that the model lacks and `TieError` for what can't be tied.

    >>> model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    >>> tie(model, "0.weight", "1.weight", values="source")
    TieGroup(parameter: 0.weight = 1.weight)
    """
    if not targets:
        raise TieError(f"give at least one name to tie to {source!r}", names=[source])
    _check_option(values)
    slots = NamedSlots(model)
    _carry_out(_puts(slots, (source, *targets), values))
    return next(g for g in find_tied_parameters(model, include_buffers=True) if source in g)


@checks_calls
def retie(model: nn.Module, groups: Iterable[Group], *, values: Values = "equal") -> None:
    """Make groups again that were found earlier, or lists of names that are to be one.

    The first name's tensor stays, or the first that has memory. Aliases, views and overlaps are
    made again over the memory of the member that held the others, or where none did over new
    memory. Checks are those of `tie`, and all come before the first change.

    >>> model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    >>> model[1].weight = model[0].weight
    >>> groups = find_tied_parameters(model)
    >>> model[1].weight = nn.Parameter(model[0].weight.clone())
    >>> retie(model, groups)
    >>> model[1].weight is model[0].weight
    True
    """
    _check_option(values)
    slots = NamedSlots(model)
    _carry_out([change for group in groups for change in _changes(slots, group, group, values)])


@checks_calls
@contextmanager
def preserve_ties(model: nn.Module, *, values: Values = "source") -> Iterator[list[TieStatus]]:
    """Make again, on leaving, the ties that what happens inside breaks.

    Serves ``to_empty``, ``.half()``, ``load_state_dict(assign=True)``, quantisation. The first
    name's values stay; with ``values="equal"`` a tie whose values came to differ is a `TieError`.
    The list that it gives holds, after leaving, the status of every tie that had been broken.

    >>> model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    >>> model[1].weight = model[0].weight
    >>> with preserve_ties(model) as broken:
    ...     model[1].weight = nn.Parameter(model[0].weight + 1)
    >>> model[1].weight is model[0].weight, broken[0].state
    (True, 'different')
    """
    _check_option(values)
    groups = find_tied_parameters(model, include_buffers=True)
    broken: list[TieStatus] = []
    try:
        yield broken
    except BaseException:
        # The caller must hear of what was raised, and not of a tie that can't be made again.
        with suppress(InitkitError):
            _mend(model, groups, broken, values)
        raise
    _mend(model, groups, broken, values)


def _mend(
    model: nn.Module, groups: Sequence[TieGroup], broken: list[TieStatus], values: Values
) -> None:
    found = tie_status(model, groups)
    broken += [status for status in found if status.state != "tied"]
    slots = NamedSlots(model)
    changes: list[Change] = []  # of all groups, and checked, before the first is carried out
    for group, status in zip(groups, found, strict=True):
        if status.state != "tied":
            here = [name for name in group if name not in status.missing]
            changes += _changes(slots, group, here, values)
    _carry_out(changes)


def _carry_out(changes: Iterable[Change]) -> None:
    for change in changes:
        change()


# ---- making ties


def _puts(slots: NamedSlots, names: Sequence[str], values: Values) -> list[Change]:
    """Return what makes names reach the tensor of the first."""
    first, *others = names
    source = slots.tensor(first)
    for name in others:
        _check(first, source, name, slots.tensor(name), values)
    return [partial(slots.put, name, first) for name in others]


def _with_memory_first(slots: NamedSlots, names: Sequence[str]) -> list[str]:
    """Return the names, those on the meta device last: they have no values to give."""
    return sorted(names, key=lambda name: slots.tensor(name).is_meta)


def _changes(slots: NamedSlots, group: Group, names: Sequence[str], values: Values) -> list[Change]:
    """Return what ties some names of a group as they were."""
    if len(names) < 2:
        return []
    if not isinstance(group, TieGroup) or not group.outlines:
        return _puts(slots, _with_memory_first(slots, names), values)
    # The group keeps its tensors alive, so an id stands for one object.
    objects: dict[int, list[str]] = {}
    for name, tensor in zip(group.names, group.tensors, strict=True):
        if name in names:
            objects.setdefault(id(tensor), []).append(name)
    # These come first: the views lie over tensors that have found their slots by then.
    ordered = [_with_memory_first(slots, alike) for alike in objects.values()]
    changes = [put for alike in ordered for put in _puts(slots, alike, values)]
    firsts = [alike[0] for alike in ordered]
    if len(firsts) > 1:  # several objects over one memory
        _check_views(slots, group, firsts, values)
        changes.append(partial(_lay, slots, group, firsts))
    return changes


def _lay(slots: NamedSlots, group: TieGroup, names: Sequence[str]) -> None:
    """Let names read one memory again; the objects stay, since optimizers know them."""
    for name, view in _views(slots, group, names).items():
        slots.tensor(name).data = view


def _views(slots: NamedSlots, group: TieGroup, names: Sequence[str]) -> dict[str, Tensor]:
    """Return how names read the memory of the one that held the others, or else a new memory."""
    outlines = dict(zip(group.names, group.outlines, strict=True))
    source = _holder(group, names)
    if source is not None:
        memory, here = slots.tensor(source).detach(), outlines[source]
        others = [name for name in names if name != source]
        return {name: read_as(memory, here, outlines[name], (source, name)) for name in others}
    tensors = [slots.tensor(name) for name in names]
    views = copied_together(tensors, [outlines[name] for name in names])
    if views is None:
        raise TieError(
            f"{' and '.join(names)} overlapped in memory and none held the others; they cannot be "
            "laid over one memory again, since their shapes or dtypes are no longer what they were",
            names=names,
        )
    return dict(zip(names, views, strict=True))


def _holder(group: TieGroup, names: Sequence[str]) -> str | None:
    """Return the name over whose memory the others can be laid."""
    if group.kind != "overlap":
        return names[0]
    holder = None if group.writer is None else group.writer.tensor
    pairs = zip(group.names, group.tensors, strict=True)
    return next((name for name, t in pairs if t is holder and name in names), None)


# ---- checks


def _check_option(values: str) -> None:
    if values not in ("equal", "source"):
        raise OptionError(f"values is 'equal' or 'source', not {values!r}", option="values")


def _check_views(slots: NamedSlots, group: TieGroup, names: Sequence[str], values: Values) -> None:
    """Raise where names cannot read one memory again, or would lose values by it."""
    source, views = _holder(group, names), _views(slots, group, names)
    for name, view in views.items():
        if source is not None:
            _check(source, view, name, slots.tensor(name), values)
        elif values == "equal" and equal_values(slots.tensor(name), view) is False:
            raise TieError(
                f"{' and '.join(names)} cannot be laid over one memory again: where they "
                "overlapped, their values differ; pass values='source' to keep those of "
                f"{names[0]}",
                names=names,
            )


def _check(first: str, source: Tensor, name: str, target: Tensor, values: Values) -> None:
    """Raise where a tensor cannot take the place of another."""
    if source is target:
        return
    fault = _unlike(source, target)
    if fault:
        what, here, there = fault
        raise TieError(
            f"{name} cannot be tied to {first}: {what} differ, {there} and {here}",
            names=(first, name),
        )
    if values == "equal" and equal_values(source, target) is False:
        raise TieError(
            f"{name} cannot be tied to {first}: their values differ; pass values='source' to keep "
            f"those of {first}",
            names=(first, name),
        )


def _unlike(source: Tensor, target: Tensor) -> tuple[str, object, object] | None:
    if is_lazy(source) or is_lazy(target):
        same = is_lazy(source) and is_lazy(target)
        return None if same else ("kinds", _kind(source), _kind(target))
    pairs: list[tuple[str, object, object]] = [
        ("shapes", tuple(source.shape), tuple(target.shape)),
        ("dtypes", source.dtype, target.dtype),
        ("layouts", source.layout, target.layout),
    ]
    if not target.is_meta:  # a tensor of meta gives way to a real one
        pairs.append(("devices", source.device, target.device))
    if not {type(source), type(target)} <= {Tensor, Parameter, nn.Buffer}:
        pairs.append(("types", type(source).__name__, type(target).__name__))
    return next((pair for pair in pairs if pair[1] != pair[2]), None)


def _kind(tensor: Tensor) -> str:
    return "lazy" if is_lazy(tensor) else "not lazy"
