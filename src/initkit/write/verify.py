"""Saved reports: what a model's parameters started as, kept beside the checkpoint, proven later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..distributions import UserFunction
from ..errors import FileError, ReadError
from ..files import parse_json, read_text
from ..model import Model, ModelView, Slot
from ..plan import WRITE, Plan, SlotLookup, Step, padding_mask, read_steps, rich_data
from ..render import text_table
from .apply import apply_plan
from .report import FORMAT, checksum

AS_WRITTEN, ROUNDED, CHANGED, MISSING, OTHER, UNKNOWN = (
    "as initialised",
    "as initialised, within rounding",
    "changed since",
    "not in the model",
    "has another shape or dtype",
    "cannot be drawn again",
)


@dataclass(frozen=True)
class Verification:
    """What a saved report says of a model: ``rows`` of (name, outcome), ``seed`` and ``digest``.

    ``ok`` where every parameter that was written still holds what it started as.
    """

    rows: tuple[tuple[str, str], ...]
    seed: int
    digest: str

    @property
    def ok(self) -> bool:
        """Whether the model is as the report's initialisation left it."""
        return all(outcome in (AS_WRITTEN, ROUNDED) for _, outcome in self.rows)

    def __bool__(self) -> bool:
        return self.ok

    def to_dict(self) -> dict[str, Any]:
        """Return the verification as plain data."""
        return {
            "ok": self.ok,
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


def verify_report(model: Model, path: str | Path) -> Verification:
    """Compare a model with a report that was saved when it was initialised.

    Every parameter that was written is drawn again from the report's seed and distribution, one at
    a time, and compared bit for bit. ``model`` is a module or a state_dict. Raises
    :class:`FileError` for what is no saved report, or one that was changed since.

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
    data = _read(Path(path))
    lookup = SlotLookup(ModelView(model).slots)
    seed, prefix = data["seed"], data["prefix"]
    rows = [
        (step.name, _outcome(step, lookup.find(step), lookup.padding_slot(step), seed, prefix))
        for step in data["steps"]
        if step.status == WRITE
    ]
    return Verification(tuple(rows), seed, data["digest"])


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = _parsed(path)
        if raw["format"] != FORMAT:
            raise FileError(f"{path}: not a report but {raw['format']!r}", path=path)
        if raw["checksum"] != checksum(raw):
            raise FileError(f"{path}: the report was changed since initkit saved it", path=path)
        data: dict[str, Any] = rich_data(raw)
        data["steps"] = read_steps(_rows(data))
        data["seed"], data["prefix"] = int(data["seed"]), str(data["prefix"])
        data["digest"] = str(data["digest"])
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


def _rows(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what each step is made from: without its digest, and without users' functions."""
    for row in data["steps"]:
        # The digest is the report's own; a Step takes exactly its fields.
        row = {key: value for key, value in row.items() if key != "digest"}
        # A user's function is on no disk and cannot be read back.
        saved = row["distribution"]
        own = isinstance(saved, dict) and saved["kind"] == UserFunction.saved_as
        yield {**row, "distribution": None} if own else row


def _outcome(step: Step, slot: Slot | None, padded: Slot | None, seed: int, prefix: str) -> str:
    """Return what became of what a step wrote."""
    if slot is None or slot.tensor is None:
        return MISSING
    if tuple(slot.shape) != step.shape or slot.tensor.dtype != step.dtype:
        return OTHER
    # Raw tensors hold what the inverse made of the values, which are stored nowhere.
    if step.distribution is None or slot.computed is not None:
        return UNKNOWN
    wanted = _drawn(step, seed, prefix)
    if step.padding is not None and not _zero_padding(step, slot, padded, wanted):
        return UNKNOWN
    found = slot.tensor.detach().cpu()
    if torch.equal(found, wanted):
        return AS_WRITTEN
    # What is factored ends in the last bits of the LAPACK at hand; all else is the same everywhere.
    near = not step.distribution.elementwise and torch.allclose(found, wanted, rtol=1e-5, atol=1e-6)
    return ROUNDED if near else CHANGED


def _drawn(step: Step, seed: int, prefix: str) -> Tensor:
    """Return the values that a step wrote."""
    out = torch.empty(step.shape, dtype=step.dtype, device="cpu")
    plan = Plan([replace(step, tie_kind="", padding=None)], [])  # alone, it is tied to nothing
    try:
        apply_plan(plan, {step.name: out}, seed=seed, prefix=prefix, progress=False)
    except Exception as error:  # a report that was changed may ask for anything
        raise FileError(f"cannot draw {step.name} again: {error}", path="") from None
    return out


def _zero_padding(step: Step, slot: Slot, padded: Slot | None, wanted: Tensor) -> bool:
    """Zero the padding row, which may lie across a view; False where nobody can tell where."""
    assert step.padding is not None
    if step.tie_kind not in ("view", "overlap"):
        wanted[step.padding] = 0
        return True
    mask = padding_mask(slot, padded, step.padding) if padded is not None else None
    if mask is not None:
        wanted[mask] = 0
    return mask is not None
