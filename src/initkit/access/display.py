"""Rows of a summary become lines: folded, with columns that say something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from statistics import median
from typing import Any

from ..distributions import short
from ..render import Column, Fold, fold_rows, format_shape, split_name
from .row import Row, format_size

_FEW = 12  # rows that are read at a glance: folding them would only hide names


def folds_of(rows: Sequence[Row]) -> list[Fold[Row]]:
    """Return the lines of a table: rows that differ in the numbers of their names are one.

    Measured numbers may differ a little within a line; a row whose std is more than twice or less
    than half of what is usual in its line stands by itself.
    """
    if len(rows) <= _FEW:
        return one_each(rows)
    usual = _usual_std(rows)
    return fold_rows(rows, name=lambda row: row.name, key=lambda row: _alike(row, usual))


def one_each(rows: Sequence[Row]) -> list[Fold[Row]]:
    """Return one line a row."""
    return [Fold.single(row.name, row) for row in rows]


def _usual_std(rows: Sequence[Row]) -> dict[Hashable, float]:
    """Return the median std of the rows whose names differ in numbers alone."""
    groups: dict[Hashable, list[float]] = {}
    for row in rows:
        if row.std:  # where no values were read there is none
            groups.setdefault(_family(row), []).append(row.std)
    return {family: median(stds) for family, stds in groups.items()}


def _family(row: Row) -> Hashable:
    return split_name(row.name)[0], _rank(row)


def _rank(row: Row) -> Hashable:
    """Return the shape of a matrix; vectors of any length are alike, as norms of a stage are."""
    return row.shape if len(row.shape) > 1 else len(row.shape)


def _alike(row: Row, usual: dict[Hashable, float]) -> Hashable:
    """Return all that rows of one line have in common."""
    # What several names reach is told by itself: its remark names the others.
    own = row.names if len(row.names) > 1 else ()
    values: Hashable = row.constant, row.nans > 0, row.infinities > 0
    if row.std and not 0.5 <= row.std / usual[_family(row)] <= 2:
        values = (values, format(row.std, ".1g"))
    gradient = row.gradient and "some"  # None and 0.0 are states of their own
    about = (_rank(row), row.dtype, row.device, row.owner, row.kind, row.trainable, row.started_by)
    return (*about, own, values, gradient, row.padding, row.local_shape, row.note)


def _shape(fold: Fold[Row]) -> str:
    if len(fold) == 1 or fold.first.note == "lazy":
        return fold.first.shape_text
    shapes = [format_shape(shape) for shape in sorted({row.shape for row in fold.rows})]
    return shapes[0] if len(shapes) == 1 else f"{shapes[0]} to {shapes[-1]}"


def _range(fold: Fold[Row], number: Callable[[Row], float | None]) -> str:
    """Return the number that all rows have, or the smallest and the largest."""
    numbers = [n for n in map(number, fold.rows) if n is not None]
    if not numbers:
        return ""
    low, high = short(min(numbers)), short(max(numbers))
    return low if low == high else f"{low} to {high}"


def _values(fold: Fold[Row]) -> str:
    row = fold.first
    if len(fold) == 1 or row.constant is not None or row.nans or row.infinities or row.std is None:
        return row.values
    return f"mean {_range(fold, lambda r: r.mean)}, std {_range(fold, lambda r: r.std)}"


def _extreme(fold: Fold[Row], choose: Callable[[Iterable[float]], float], which: str) -> str:
    numbers = [getattr(row, which) for row in fold.rows if row.constant is None]
    known = [number for number in numbers if number is not None]
    return short(choose(known)) if known else ""


def _gradient(fold: Fold[Row]) -> str:
    state = fold.first.gradient_state
    return f"rms {_range(fold, lambda r: r.gradient)}" if state.startswith("rms") else state


COLUMNS: tuple[Column[Fold[Row]], ...] = (
    Column("name", lambda fold: fold.label),
    Column("count", lambda fold: f"x{len(fold)}" if len(fold) > 1 else "", "r"),
    Column(
        "shape",
        _shape,
        html_align="r",
        order=lambda fold: float(fold.first.numel),
    ),
    Column("module", lambda fold: fold.first.owner),
    Column("dtype", lambda fold: str(fold.first.dtype).removeprefix("torch.")),
    Column("device", lambda fold: fold.first.device),
    Column("values", _values, order=lambda fold: fold.first.std, bar=True),
    Column("min", lambda fold: _extreme(fold, min, "min"), html_align="r"),
    Column("max", lambda fold: _extreme(fold, max, "max"), html_align="r"),
    Column("gradient", _gradient, order=lambda fold: fold.first.gradient),
    Column("started by", lambda fold: fold.first.started_by),
    Column("remarks", lambda fold: fold.first.remarks, tone=lambda _: "muted"),
)
"""What a summary says in each line; columns that say the same of every row are left out."""


def columns_for(rows: Sequence[Row]) -> list[Column[Fold[Row]]]:
    """Return the columns that tell rows apart; what all have in common stands in the title."""
    left_out = {
        "dtype": len({row.dtype for row in rows}) < 2,
        "device": len({row.device for row in rows}) < 2,
        # Before the first backward nothing has a gradient, which is said once.
        "gradient": all(row.gradient is None for row in rows),
    }
    return [column for column in COLUMNS if not left_out.get(column.header, False)]


def title_line(title: str, rows: Sequence[Row]) -> str:
    """Return one line on the whole: how much there is, of what, where, and whether it trains."""
    elements, size = sum(row.numel for row in rows), sum(row.bytes for row in rows)
    kinds = Counter("buffer" if row.kind == "buffer" else "parameter" for row in rows)
    counts = [f"{n:,} {kind}{'s' * (n != 1)}" for kind, n in kinds.items()] or ["no parameters"]
    parts = [
        f"{', '.join(counts)}, {elements:,} element{'s' * (elements != 1)}, {format_size(size)}"
    ]
    dtypes = {str(row.dtype).removeprefix("torch.") for row in rows}
    devices = {row.device for row in rows}
    if len(dtypes) == len(devices) == 1:
        parts.append(f"{dtypes.pop()} on {devices.pop()}")
    parameters = [row for row in rows if row.kind == "parameter"]
    if parameters and all(row.gradient is None for row in parameters):
        parts.append("gradients: none yet")
    return f"{title}: {'; '.join(parts)}"


def gradient_notes(rows: Sequence[Row]) -> list[str]:
    """After a backward, say what got no gradient, and what got nothing but zeros."""
    if all(row.gradient is None for row in rows):
        return []
    said = (
        ("got no gradient", [r for r in rows if r.gradient is None and r.trainable and _real(r)]),
        ("got a gradient that is exactly zero", [r for r in rows if r.gradient == 0]),
        ("frozen", [r for r in rows if r.kind == "parameter" and not r.trainable]),
    )
    return [f"{what}: {_listed(found)}" for what, found in said if found]


def _real(row: Row) -> bool:
    """Whether a row is a tensor that torch gives gradients to, and not computed from such."""
    return not row.note.startswith("computed")


def _listed(rows: Sequence[Row]) -> str:
    folds: list[Fold[Any]] = fold_rows(rows, name=lambda row: row.name, key=lambda _: None)
    return ", ".join(fold.label for fold in folds)
