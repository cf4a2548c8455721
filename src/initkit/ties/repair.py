"""Making ties, asking after them, and making them again where something broke them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.parameter import is_lazy

from ..errors import InitkitError, OptionError, TieError, UnknownNameError
from ..model import Slot, walk
from .groups import KINDS, Outline, TieGroup, find_tied_parameters, tie_slots
from .storage import is_fake, parts, self_overlapping

Values: TypeAlias = Literal["equal", "source"]
State: TypeAlias = Literal["tied", "degraded", "equal", "different", "unknown", "missing"]
Group: TypeAlias = TieGroup | Sequence[str]

_SAID: Mapping[str, str] = {
    "tied": "tied",
    "degraded": "degraded to {kind}",
    "equal": "lost, values still equal",
    "different": "lost, values differ",
    "unknown": "lost, on a device without values",
    "missing": "missing: {missing}",
}


@dataclass(frozen=True, slots=True)
class TieStatus:
    """What became of a tie.

    ``state`` is "tied", "degraded" (to the weaker ``kind``), "equal" or "different" (lost, and so
    are the values), "unknown" (lost on meta), or "missing" (``missing`` names are gone).

    >>> model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    >>> tie_status(model, [["0.weight", "1.weight"]])[0].state
    'different'
    """

    names: tuple[str, ...]
    state: State
    kind: str = ""
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = _SAID[self.state].format(kind=self.kind, missing=", ".join(self.missing))
        return f"{' = '.join(self.names)}: {said}"


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
    places = _Places(model)
    _share(places, (source, *targets), values)
    return next(g for g in find_tied_parameters(model, include_buffers=True) if source in g)


def retie(model: nn.Module, groups: Iterable[Group], *, values: Values = "equal") -> None:
    """Make groups again that were found earlier, or lists of names that are to be one.

    The first name's tensor stays. Aliases, views and overlaps are made again over the memory of the
    member that held the others, or where none did over new memory. Checks are those of `tie`, and
    all come before the first change.

    >>> model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    >>> model[1].weight = model[0].weight
    >>> groups = find_tied_parameters(model)
    >>> model[1].weight = nn.Parameter(model[0].weight.clone())
    >>> retie(model, groups)
    >>> model[1].weight is model[0].weight
    True
    """
    _check_option(values)
    places = _Places(model)
    plans = [_planned(places, group, values) for group in groups]
    for plan in plans:
        for change in plan:
            change.carry_out(places)


def tie_status(model: nn.Module, groups: Iterable[Group]) -> list[TieStatus]:
    """Say of each group found earlier whether it is still tied, and what else became of it.

    >>> model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    >>> model[1].weight = model[0].weight
    >>> groups = find_tied_parameters(model)
    >>> model[1].weight = nn.Parameter(model[0].weight.clone())
    >>> print(*tie_status(model, groups))
    0.weight = 1.weight: lost, values still equal
    """
    places = _Places(model)
    return [_status(places, group) for group in groups]


@contextmanager
def preserve_ties(model: nn.Module, *, values: Values = "source") -> Iterator[list[TieStatus]]:
    """Make again, on leaving, the ties that what happens inside breaks.

    Serves ``to_empty``, ``.half()``, ``load_state_dict(assign=True)``, quantisation. The first
    name's values stay; with ``values="equal"`` a tie whose values came to differ is a `TieError`.
    The list that it gives holds, after leaving, the status of every tie that had been broken.

    >>> model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    >>> model[1].weight = model[0].weight
    >>> with preserve_ties(model) as broken:
    ...     model[1].weight = nn.Parameter(torch.zeros(5, 3))
    >>> model[1].weight is model[0].weight, broken[0].state
    (True, 'different')
    """
    _check_option(values)
    groups = find_tied_parameters(model, include_buffers=True)
    broken: list[TieStatus] = []
    try:
        yield broken
    except BaseException:
        with suppress(InitkitError):
            _mend(model, groups, broken, values)
        raise
    _mend(model, groups, broken, values)


def _mend(
    model: nn.Module, groups: Sequence[TieGroup], broken: list[TieStatus], values: Values
) -> None:
    found = tie_status(model, groups)
    broken += [status for status in found if status.state != "tied"]
    places = _Places(model)
    lost = [g for g, status in zip(groups, found, strict=True) if status.state != "tied"]
    plans = [_planned(places, group, values, skip_missing=True) for group in lost]
    for plan in plans:
        for change in plan:
            change.carry_out(places)


# ---- names and their places


class _Places:
    """The slots of a model by every name that it shows, and what they hold now."""

    def __init__(self, model: nn.Module) -> None:
        slots = walk(model, buffers=True, raw=True)
        self.slots = {path: slot for slot in slots for path in slot.paths}

    def __contains__(self, name: str) -> bool:
        slot = self.slots.get(name)
        return slot is not None and slot.tensor is not None

    def slot(self, name: str) -> Slot:
        if name not in self:
            held = [path for path, slot in self.slots.items() if slot.tensor is not None]
            hint = f"{name!r} is registered as None." if name in self.slots else ""
            raise UnknownNameError("parameter", name, held, hint)
        return self.slots[name]

    def tensor(self, name: str) -> Tensor:
        slot = self.slot(name)
        now = getattr(slot.owner, slot.key)
        assert isinstance(now, Tensor)
        return now


@dataclass(frozen=True, slots=True)
class _Put:
    """Put the tensor of ``source`` into the slot of ``target``."""

    source: str
    target: str

    def carry_out(self, places: _Places) -> None:
        slot, source = places.slot(self.target), places.tensor(self.source)
        now = places.tensor(self.target)
        if now is source:
            return
        if slot.kind == "buffer" and isinstance(source, Parameter):
            source = source.detach()
        elif slot.kind == "parameter" and not isinstance(source, Parameter):
            source = Parameter(source, requires_grad=now.requires_grad)
        # nn.Module's own setattr: an LSTM keeps a second, flat list of its weights, and follows.
        setattr(slot.owner, slot.key, source)


@dataclass(frozen=True, slots=True)
class _Lay:
    """Lay ``target`` over the memory of ``source`` again, as ``outline`` says."""

    source: str
    target: str
    here: Outline
    there: Outline

    def laid(self, source: Tensor) -> Tensor:
        return _read_as(source, self.here, self.there, (self.source, self.target))

    def carry_out(self, places: _Places) -> None:
        places.tensor(self.target).data = self.laid(places.tensor(self.source).detach())


@dataclass(frozen=True, slots=True)
class _Weave:
    """Lay overlaps of which none holds the others over one new memory."""

    names: tuple[str, ...]
    outlines: tuple[Outline | None, ...]

    def woven(self, places: _Places) -> list[tuple[Tensor, Tensor]] | None:
        tensors = [places.tensor(name) for name in self.names]
        views = _woven(tensors, self.outlines)
        return None if views is None else list(zip(tensors, views, strict=True))

    def carry_out(self, places: _Places) -> None:
        for tensor, view in self.woven(places) or ():
            tensor.data = view


Change: TypeAlias = _Put | _Lay | _Weave


def _share(places: _Places, names: Sequence[str], values: Values) -> None:
    changes = _puts(places, names, values)
    for change in changes:
        change.carry_out(places)


def _puts(places: _Places, names: Sequence[str], values: Values) -> list[Change]:
    first, *others = names
    source = places.tensor(first)
    for name in others:
        _check(first, source, name, places.tensor(name), values)
    return [_Put(first, name) for name in others]


def _planned(
    places: _Places, group: Group, values: Values, *, skip_missing: bool = False
) -> list[Change]:
    """Return what makes a group again, after all checks."""
    names = [name for name in group if name in places or not skip_missing]
    if len(names) < 2:
        return []
    if not isinstance(group, TieGroup) or group.kind in KINDS[:2]:
        return _puts(places, names, values)
    objects: dict[int, list[str]] = {}
    for name, tensor in zip(group.names, group.tensors, strict=True):
        if name in names:
            objects.setdefault(id(tensor), []).append(name)
    changes = [put for alike in objects.values() for put in _puts(places, alike, values)]
    firsts = [alike[0] for alike in objects.values()]
    return [*changes, *_lays(places, group, firsts, values)]


def _lays(places: _Places, group: TieGroup, firsts: Sequence[str], values: Values) -> list[Change]:
    if len(firsts) < 2:
        return []
    outlines = dict(zip(group.names, group.outlines, strict=True))
    source = _holder(group, firsts)
    if source is None:
        return [_weave(places, firsts, [outlines[name] for name in firsts], values)]
    here = outlines[source]
    changes: list[Change] = []
    for name in firsts:
        there = outlines[name]
        if name == source:
            continue
        if here is None or there is None:
            raise TieError(f"how {name} lay over {source} is not known", names=(source, name))
        lay = _Lay(source, name, here, there)
        laid = lay.laid(places.tensor(source).detach())
        _check(source, laid, name, places.tensor(name), values)
        changes.append(lay)
    return changes


def _weave(
    places: _Places, names: Sequence[str], outlines: Sequence[Outline | None], values: Values
) -> _Weave:
    weave = _Weave(tuple(names), tuple(outlines))
    pairs = weave.woven(places)
    said = " and ".join(names)
    if pairs is None:
        raise TieError(
            f"{said} overlapped in memory and none held the others; they cannot be laid over one "
            "memory again, since their shapes or dtypes are no longer what they were",
            names=names,
        )
    if values == "equal" and any(_equal(tensor, view) is False for tensor, view in pairs):
        raise TieError(
            f"{said} cannot be laid over one memory again: where they overlapped, their values "
            f"differ; pass values='source' to keep those of {names[0]}",
            names=names,
        )
    return weave


def _woven(tensors: Sequence[Tensor], outlines: Sequence[Outline | None]) -> list[Tensor] | None:
    """Copy tensors to one new memory in which they lie as the outlines say, the first on top.

    None where they can't: of unlike dtypes, of other shapes than they had, or expanded.
    """
    known = [outline for outline in outlines if outline is not None]
    if not _fit(tensors, known):
        return None
    unit = known[0].dtype.itemsize
    end = max(outline.stop for outline in known)
    flat = torch.empty(end // unit, dtype=tensors[0].dtype, device=tensors[0].device)
    views = [flat.as_strided(o.shape, o.stride, o.offset // unit) for o in known]
    if any(map(self_overlapping, views)):
        return None
    with torch.no_grad():
        for tensor, view in reversed(list(zip(tensors, views, strict=True))):
            view.copy_(tensor)
    return views


def _fit(tensors: Sequence[Tensor], outlines: Sequence[Outline]) -> bool:
    """Whether tensors have the shapes of the outlines, and one dtype as those had."""
    now = {(tensor.dtype, tensor.device, tensor.layout) for tensor in tensors}
    then = {outline.dtype for outline in outlines}
    return (
        [tensor.shape for tensor in tensors] == [outline.shape for outline in outlines]
        and len(now) == len(then) == 1
        and all(outline.offset % outline.dtype.itemsize == 0 for outline in outlines)
    )


def _holder(group: TieGroup, firsts: Sequence[str]) -> str | None:
    """Return the name over whose memory the others can be laid."""
    if group.kind != "overlap":
        return firsts[0]
    writer = group.writer
    held = None if writer is None else id(writer.tensor)
    return next(
        (
            n
            for n, t in zip(group.names, group.tensors, strict=True)
            if id(t) == held and n in firsts
        ),
        None,
    )


def _read_as(source: Tensor, here: Outline, there: Outline, names: tuple[str, str]) -> Tensor:
    """Read the memory of ``source``, which lies as ``here`` did, as ``there`` says."""
    if source.shape != here.shape or source.stride() != here.stride:
        raise TieError(
            f"{names[1]} cannot be laid over {names[0]} again: {names[0]} had shape "
            f"{tuple(here.shape)} and stride {here.stride}, and has now {tuple(source.shape)} and "
            f"{source.stride()}",
            names=names,
        )
    was, now = here.dtype, source.dtype
    if was != now and there.dtype != was:
        raise TieError(
            f"{names[1]} read the bytes of {names[0]} as {there.dtype}; {names[0]} is now {now}",
            names=names,
        )
    dtype = now if there.dtype == was else there.dtype
    gap = (there.offset - here.offset) * now.itemsize // was.itemsize
    start = (source.storage_offset() * now.itemsize + gap) // dtype.itemsize
    empty = torch.empty(0, dtype=dtype, device=source.device)
    return empty.set_(source.untyped_storage(), start, there.shape, there.stride)


# ---- checks


def _check_option(values: str) -> None:
    if values not in ("equal", "source"):
        raise OptionError(f"values is 'equal' or 'source', not {values!r}", option="values")


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
    if values == "equal" and _equal(source, target) is False:
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
    if not target.is_meta:
        pairs.append(("devices", source.device, target.device))
    if not {type(source), type(target)} <= {Tensor, Parameter, nn.Buffer}:
        pairs.append(("types", type(source).__name__, type(target).__name__))
    return next((pair for pair in pairs if pair[1] != pair[2]), None)


def _kind(tensor: Tensor) -> str:
    return "lazy" if is_lazy(tensor) else "not lazy"


def _equal(a: Tensor, b: Tensor) -> bool | None:
    """Say whether two tensors have equal values, bit for bit or as numbers; None without values."""
    left, right = parts(a), parts(b)
    if len(left) != len(right):
        return False
    if any(t.is_meta or is_fake(t) for t in (*left, *right)):
        return None
    return all(map(_same_values, left, right))


def _same_values(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype or a.device != b.device:
        return False
    with torch.no_grad(), suppress(RuntimeError, NotImplementedError):
        if torch.equal(a, b):
            return True
    bits = [t.detach().resolve_conj().resolve_neg().contiguous().view(-1) for t in (a, b)]
    return torch.equal(*(t.view(torch.uint8) for t in bits))


# ---- status


def _status(places: _Places, group: Group) -> TieStatus:
    names = tuple(group)
    missing = tuple(name for name in names if name not in places)
    if missing:
        return TieStatus(names, "missing", missing=missing)
    own = list({id(slot): slot for slot in map(places.slot, names)}.values())
    now = next((g for g in tie_slots(own) if set(names) <= set(g.names)), None)
    if now is None:
        return TieStatus(names, _lost(places, group))
    kind = group.kind if isinstance(group, TieGroup) else "parameter"
    weakest = max(KINDS.index(kind), KINDS.index("parameter"))
    state: State = "tied" if KINDS.index(now.kind) <= weakest else "degraded"
    return TieStatus(names, state, now.kind)


def _lost(places: _Places, group: Group) -> State:
    """Compare the values of names that are no longer tied; of overlaps, of what they shared."""
    first, *others = group
    if isinstance(group, TieGroup) and group.kind == "overlap":
        pairs = _Weave(group.names, group.outlines).woven(places)
        answers = [False] if pairs is None else [_equal(*pair) for pair in pairs]
    else:
        answers = [_still_equal(places, group, first, name) for name in others]
    if False in answers:
        return "different"
    return "unknown" if None in answers else "equal"


def _still_equal(places: _Places, group: Group, first: str, name: str) -> bool | None:
    source, target = places.tensor(first), places.tensor(name)
    if isinstance(group, TieGroup) and group.outlines:
        outlines = dict(zip(group.names, group.outlines, strict=True))
        here, there = outlines[first], outlines[name]
        if here is not None and there is not None:
            try:
                source = _read_as(source.detach(), here, there, (first, name))
            except TieError:
                return False
    return None if is_lazy(source) or is_lazy(target) else _equal(source, target)
