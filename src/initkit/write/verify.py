"""Saved reports: what a model's parameters started as, kept beside the checkpoint, proven later."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..distributions import WRITTEN, Rows
from ..errors import FileError, OptionError, ReadError
from ..files import parse_json, read_text
from ..model import (
    Model,
    ModelView,
    Slot,
    local_shard,
    reading_problem,
    same_bits,
    values_problem,
)
from ..plan import WRITE, Plan, SlotLookup, Step, padding_mask, read_steps, rich_data
from ..render import text_table
from ..wording import checks_calls
from .apply import apply_plan
from .digests import contract_of, values_digest
from .report import CONTRACT, FORMAT, checksum, step_digest

AS_WRITTEN, ROUNDED, CHANGED, MISSING, OTHER, UNKNOWN, HIDDEN, UNREPORTED = (
    "as initialised",
    "as initialised, within rounding",
    "changed since",
    "not in the model",
    "has another shape or dtype",
    "cannot be drawn again",
    "cannot be read here",
    "not in the report",
)
_WRITTEN, _CHANGED = (AS_WRITTEN, ROUNDED), (CHANGED, MISSING, OTHER)


@dataclass(frozen=True)
class Verification:
    """What a saved report says of a model: ``rows`` of (name, outcome), ``seed`` and ``digest``.

    An outcome is one of three things, each with its names: ``as_written``, ``changed`` (also what
    is gone, or has another shape or dtype), and ``unknown``, of which nothing can be told. ``ok``
    where nothing changed and something was told, ``proven`` where all of it was.
    """

    rows: tuple[tuple[str, str], ...]
    seed: int
    digest: str

    @property
    def as_written(self) -> tuple[str, ...]:
        """The names of what still holds what it started as, bit for bit.

        Within rounding of it, where linear algebra made it: that ends in other bits elsewhere.
        """
        return tuple(name for name, outcome in self.rows if outcome in _WRITTEN)

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of what does not."""
        return tuple(name for name, outcome in self.rows if outcome in _CHANGED)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The names of which nothing can be told: the rows say why."""
        return tuple(name for name, outcome in self.rows if outcome not in _WRITTEN + _CHANGED)

    @property
    def ok(self) -> bool:
        """Whether nothing that can be told has changed since the report's initialisation."""
        return not self.changed and (bool(self.as_written) or not self.rows)

    @property
    def proven(self) -> bool:
        """Whether every parameter is as it was written, with nothing left untold."""
        return self.ok and not self.unknown

    def __bool__(self) -> bool:
        return self.ok

    def to_dict(self) -> dict[str, Any]:
        """Return the verification as plain data."""
        return {
            "ok": self.ok,
            "proven": self.proven,
            "seed": self.seed,
            "digest": self.digest,
            "parameters": dict(self.rows),
        }

    def __str__(self) -> str:
        counts: dict[str, int] = {}
        for _, outcome in self.rows:
            counts[outcome] = counts.get(outcome, 0) + 1
        total = ", ".join(f"{n} {outcome}" for outcome, n in counts.items()) or "nothing to compare"
        return f"seed {self.seed}, digest {self.digest}: {total}\n" + text_table(
            ("name", "outcome"), self.rows
        )


@checks_calls
def verify_report(model: Model, path: str | PathLike[str]) -> Verification:
    """Compare a model with a report that was saved when it was initialised.

    Every parameter that was written is drawn again from the report's seed and distribution, one at
    a time, and compared bit for bit; behind a parametrization what its inverse makes of the values.
    Of what functions of yours wrote a digest is compared. Nothing can be told of a computed weight
    in a state_dict, of what the report does not know, and of what has no values. ``model`` is a
    module or a state_dict.

    Raises :class:`FileError` for what is no saved report, one that was changed since, or one whose
    values another version of the stream drew.

    >>> import tempfile, os
    >>> from torch import nn
    >>> from initkit import apply_init
    >>> model, path = nn.Linear(3, 4), os.path.join(tempfile.mkdtemp(), "init.json")
    >>> _ = apply_init(model, {"weight": "normal", "bias": 0}, seed=0).save(path)
    >>> verify_report(model, path).ok
    True
    >>> _ = model.weight.data.add_(1)
    >>> verify_report(model, path).rows
    (('weight', 'changed since'), ('bias', 'as initialised'))
    """
    given: object = path  # a report itself is the obvious slip
    if not isinstance(given, str | PathLike):
        what = f"verify_report takes the path of a saved report, not a {type(given).__name__}"
        raise OptionError(f"{what}; report.save(path) writes one", option="path")
    data = _read(Path(path))
    view = ModelView(model)
    verifier = _Verifier(data, SlotLookup(view.slots))
    rows = [row for step in data["steps"] if step.status == WRITE for row in verifier.rows(step)]
    return Verification((*rows, *verifier.unreported()), data["seed"], data["digest"])


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = _parsed(path)
        if raw["format"] != FORMAT:
            raise FileError(f"{path}: not a report but {raw['format']!r}", path=path)
        if raw["checksum"] != checksum(raw):
            raise FileError(f"{path}: the report was changed since initkit saved it", path=path)
        if raw["contract"] != CONTRACT:
            raise FileError(_another_contract(path, raw), path=path)
        data: dict[str, Any] = rich_data(raw)
        data["seed"], data["prefix"] = int(data["seed"]), str(data["prefix"])
        data["digest"] = str(data["digest"])
        data["values"] = {row["names"][0]: row.get("values") for row in data["steps"]}
        data["steps"] = _steps(data, path)
    except FileError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        what = str(error) if isinstance(error, ReadError) else repr(error)
        raise FileError(f"{path}: no report that initkit saved: {what}", path=path) from None
    return data


def _parsed(path: Path) -> Any:
    try:
        return parse_json(read_text(path))
    except FileError as error:
        what = str(error).removeprefix(f"{path}: ")
        raise FileError(f"{path}: no report that initkit saved: {what}", path=path) from None


def _another_contract(path: Path, raw: Mapping[str, Any]) -> str:
    return (
        f"{path}: its values were drawn by {raw['contract']!r}, and initkit draws by {CONTRACT!r} "
        f"here; the initkit that saved it, {raw.get('initkit')}, can verify it"
    )


def _steps(data: Mapping[str, Any], path: Path) -> list[Step]:
    steps = read_steps(map(_row, data["steps"]))
    for saved, step in zip(data["steps"], steps, strict=True):
        readable = not _is_missing(saved["distribution"])
        if readable and saved["digest"] != step_digest(step, data["seed"], data["prefix"]):
            text = f"{path}: what it says of {step.name} was changed: its digest is of another step"
            raise FileError(text, path=path)
    return steps


def _row(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a step is made from: digests are the report's own."""
    row = {key: value for key, value in saved.items() if key not in ("digest", "values")}
    # A user's function is on no disk, nor is a large table: neither can be read back.
    return {**row, "distribution": None} if _is_missing(row["distribution"]) else row


def _is_missing(saved: Any) -> bool:
    """Whether a saved distribution, or one that it is made of, could not be saved."""
    if isinstance(saved, dict):
        return saved.get("kind") == WRITTEN or any(map(_is_missing, saved.values()))
    return isinstance(saved, list) and any(map(_is_missing, saved))


class _Verifier:
    """Compare the steps of one report with the slots of one model."""

    def __init__(self, data: Mapping[str, Any], lookup: SlotLookup) -> None:
        self.data, self.lookup = data, lookup
        self.known = {name for step in data["steps"] for name in (*step.names, step.seed_name)}

    def rows(self, step: Step) -> Iterator[tuple[str, str]]:
        """Yield the outcome of a step, and those of names that are no longer tied to it."""
        slot = self.lookup.find(step)
        if slot is None:
            raw = self._raw_entries(step)
            self.known.update(raw)
            yield step.name, HIDDEN if raw else MISSING
            return
        yield step.name, self._outcome(step, slot)
        # Of names that read the memory in one way each must hold the values, wherever it lies now.
        if step.tie_kind in ("parameter", "alias"):
            for name in step.names[1:]:
                other = self.lookup.by_name.get(name)
                if other is not None and not self._together(slot, other):
                    yield name, self._outcome(step, other)

    def unreported(self) -> Iterator[tuple[str, str]]:
        """Yield the parameters that the report does not know."""
        for slot in self.lookup.slots:
            unknown = self.known.isdisjoint((*slot.paths, *slot.canonicals))
            if unknown and slot.kind != "buffer" and not slot.literal and slot.tensor is not None:
                behind = slot.computed is not None and self._is_behind(slot)
                yield slot.name, HIDDEN if behind else UNREPORTED

    def _is_behind(self, slot: Slot) -> bool:
        """Whether the report knows a tensor that this weight is computed from."""
        named = (self.lookup.by_name[n] for n in self.known if n in self.lookup.by_name)
        raw = set(map(id, slot.raw))
        return any(id(other.tensor) in raw for other in named if other.literal)

    def _raw_entries(self, step: Step) -> list[str]:
        """Return the entries of a state_dict from which a step's weight is computed."""
        found = []
        for name in step.names:
            path, dot, key = name.rpartition(".")
            behind = re.compile(
                re.escape(path + dot)
                + rf"({re.escape(key)}_(g|v|orig)|parametrizations\.{re.escape(key)}\..+)"
            )
            found += [entry for entry in self.lookup.by_name if behind.fullmatch(entry)]
        return found

    def _together(self, one: Slot, other: Slot) -> bool:
        """Whether two slots are one memory still."""
        group = self.lookup.group_of.get(id(one))
        return one is other or (group is not None and any(other is slot for slot in group.slots))

    def _outcome(self, step: Step, slot: Slot) -> str:
        """Return what became of what a step wrote."""
        tensor = slot.tensor
        if tensor is None:
            return MISSING
        if values_problem(tensor) or tensor.layout is not torch.strided or reading_problem(tensor):
            return HIDDEN
        if tuple(slot.shape) != step.shape or tensor.dtype != step.dtype:
            # Saved and loaded, overlaps and views are tensors by themselves, and no longer parts.
            apart = step.tie_kind in ("view", "overlap") and slot.name != step.name
            return HIDDEN if apart or step.tie_kind == "overlap" else OTHER
        if step.distribution is None or not step.distribution.repeatable:
            digest = self.data["values"].get(step.name)
            if not isinstance(digest, str):
                return UNKNOWN
            found = values_digest(slot.raw, contract_of(digest))
            return AS_WRITTEN if found == digest else CHANGED
        wanted = _drawn(step, self.data["seed"], self.data["prefix"])
        if not self._zero_padding(step, slot, wanted):
            return UNKNOWN
        try:
            pairs = _held(slot, wanted, step.rows)
        except Exception:  # a user's own inverse may raise anything
            return UNKNOWN
        if all(same_bits(found, drawn) for found, drawn in pairs):
            return AS_WRITTEN
        # What is factored ends in the last bits of the LAPACK at hand; all else is the same
        # everywhere.
        exact = step.distribution.elementwise and slot.computed is None
        return ROUNDED if not exact and all(_near(*pair) for pair in pairs) else CHANGED

    def _zero_padding(self, step: Step, slot: Slot, wanted: Tensor) -> bool:
        """Zero the padding rows, which may lie across a view; False where nobody can tell where."""
        if step.tie_kind not in ("view", "overlap"):
            for row in step.padding_rows:
                wanted[row] = 0
        elif step.padding_rows:
            mask = padding_mask(slot, self.lookup.padding(step))
            if mask is None:
                return False
            wanted[mask] = 0
        return True


def _held(slot: Slot, wanted: Tensor, rows: Rows | None) -> list[tuple[Tensor, Tensor]]:
    """Return what this process holds of a slot, beside what it was written as."""
    assert slot.tensor is not None
    if slot.computed is not None:
        pairs = slot.computed.would_hold(wanted.to(slot.tensor.device))
        return [(found.detach().cpu(), drawn.to(found.dtype).cpu()) for found, drawn in pairs]
    part = local_shard(slot.tensor)
    found, wanted = (
        (slot.tensor.detach(), wanted) if part is None else (part.local, part.cut(wanted))
    )
    if rows is not None:  # of the others nothing is known
        every = list(range(rows.start, rows.stop))
        places = every if part is None else part.places(rows.start, rows.stop)
        found, wanted = found[places], wanted[places]
    return [(found.detach().cpu(), wanted)]


def _near(found: Tensor, wanted: Tensor) -> bool:
    return found.shape == wanted.shape and torch.allclose(found, wanted, rtol=1e-5, atol=1e-6)


def _drawn(step: Step, seed: int, prefix: str) -> Tensor:
    """Return the values that a step wrote."""
    out = torch.empty(step.shape, dtype=step.dtype, device="cpu")
    plan = Plan([replace(step, tie_kind="", padding=None)], [])  # alone, it is tied to nothing
    try:
        apply_plan(plan, {step.name: out}, seed=seed, prefix=prefix, progress=False)
    except Exception as error:  # a report that was changed may ask for anything
        raise FileError(f"cannot draw {step.name} again: {error}", path="") from None
    return out
