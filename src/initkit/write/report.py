"""What was done, as text, dict and HTML."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..errors import visible
from ..files import write_text
from ..plan import (
    WRITE,
    Plan,
    Step,
    first_to_know,
    plain_data,
    plan_lines,
    plan_page,
    step_named,
)
from ..render import Line, Shown, lines_of, lines_of_each
from ..stream import backend

FORMAT = "initkit-report-1"
CONTRACT = "initkit-v1"  # of the stream: which values follow from seed, name and place


class Report(Shown):
    """What an initialisation did: the plan that was carried out, and the seed.

    Printing it folds like layers into one line; ``table(fold=False)`` has one per parameter.
    ``seed`` is the one that was used, ``written`` the names of all parameters that were, ``plan``
    the plan, ``buffers_off_reset`` the running statistics of a model that was trained before, and
    ``drawn_by_all`` the number of whole matrices that every process drew for its part of them.

    >>> from torch import nn
    >>> from initkit import apply_init
    >>> report = apply_init(nn.Linear(3, 4), {"weight": "xavier_normal", "bias": 0}, seed=0)
    >>> report.seed, report.written, report.digest
    (0, ['weight', 'bias'], '...-0000000000000000')
    """

    def __init__(
        self,
        plan: Plan,
        *,
        seed: int,
        prefix: str = "",
        seconds: float = 0.0,
        buffers: Sequence[str] = (),
        values: Mapping[str, str] | None = None,
        drawn_by_all: int = 0,
    ) -> None:
        # A report may outlive its model, and must not keep it in memory.
        self.plan = plan.without_targets()
        self.seed, self.prefix, self.seconds = seed, prefix, seconds
        self.buffers_off_reset = list(buffers)
        self.drawn_by_all = drawn_by_all
        self.values = dict(values or {})  # of what cannot be drawn again, a digest of its values

    @property
    def steps(self) -> tuple[Step, ...]:
        """What happened to each piece of memory."""
        return self.plan.steps

    def __len__(self) -> int:
        return len(self.plan)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.plan)

    def __getitem__(self, name: str | int) -> Step:
        """Return what happened to the parameter called ``name``, or to the one at a place."""
        if isinstance(name, int):
            return self.plan[name]
        return step_named(name, self.steps, of="report")

    @property
    def written(self) -> list[str]:
        """Every name of what was written."""
        return [name for step in self.steps if step.status == WRITE for name in step.names]

    @property
    def uncovered(self) -> list[str]:
        """The names of parameters that no rule covers; they kept their values."""
        return [step.name for step in self.plan.with_status("uncovered")]

    @property
    def frozen(self) -> list[str]:
        """The names of frozen parameters that were written."""
        return [step.name for step in self.steps if step.frozen and step.status == WRITE]

    @property
    def digest(self) -> str:
        """A short text, equal for equal plans under equal seeds."""
        prefix = f"-{self.prefix}" if self.prefix else ""
        return f"{self.plan.digest()}-{self.seed % 2**64:016x}{prefix}"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        from .._version import __version__

        return {
            "digest": self.digest,
            "seed": self.seed,
            "prefix": self.prefix,
            "initkit": __version__,
            "torch": torch.__version__,
            "backend": backend(),
            "seconds": self.seconds,
            "buffers_off_reset": self.buffers_off_reset,
            **self.plan.to_dict(),
        }

    def _head(self) -> list[str]:
        lines = [visible(f"{self.plan.title}; seed {self.seed}; digest {self.digest}")]
        if self.buffers_off_reset:
            names = ", ".join(map(visible, self.buffers_off_reset))
            lines.append(f"running statistics not reset (reset_buffers=True does it): {names}")
        if self.drawn_by_all:
            count = self.drawn_by_all
            what = "1 whole matrix was" if count == 1 else f"{count} whole matrices were"
            lines.append(f"{what} drawn by every process; communicate=True deals them out")
        return lines

    def lines(self, width: int | None = None, *, fold: bool = True) -> list[Line]:
        """Return the lines of ``text()``, each with what it is to the reader."""
        title, *notes = self._head()
        return [
            *lines_of(title, "title", width),
            *lines_of_each(map(visible, self.plan.remarks), "warning", width),
            *first_to_know(self.steps, width, fold=fold),
            *lines_of_each(notes, "warning", width),
            *plan_lines(self.steps, width, fold=fold),
            *lines_of_each(self.plan.summary(done=True), "", width),
        ]

    def text(self, width: int | None = None, *, fold: bool = True) -> str:
        """Return the report as text that fits into ``width`` columns, where one is given.

        With ``fold=False`` the table has one line per parameter.
        """
        return "\n".join(line.text for line in self.lines(width, fold=fold))

    def table(self, width: int | None = None, *, fold: bool = True) -> str:
        """Return a line for parameters that are alike, or with ``fold=False`` one for each."""
        return self.plan.table(width, fold=fold)

    def save(self, path: str | Path) -> Path:
        """Write seed, versions, rules, and every parameter's outcome and digest as JSON.

        :func:`initkit.verify_report` compares a model with it later.

        Raises :class:`FileError` where the file cannot be written.
        """
        data = {"format": FORMAT, "contract": CONTRACT, **self.to_dict()}
        data["rules"] = list(self.plan.rules)
        for step, row in zip(self.steps, data["steps"], strict=True):
            row["digest"] = step_digest(step, self.seed, self.prefix)
            if step.name in self.values:
                row["values"] = self.values[step.name]
        data = plain_data(data)  # JSON itself knows no infinities
        whole = {**data, "checksum": checksum(data)}
        return write_text(path, json.dumps(whole, indent=1, allow_nan=False) + "\n")

    def to_html(self, *, whole: bool = True) -> str:
        """Return the report as one self-contained HTML document, or as a piece of one."""
        title, *lines = self._head()
        lines += self.plan.summary(done=True)
        return plan_page(title, self.steps, (), lines, remarks=self.plan.remarks, whole=whole)

    def _repr_html_(self) -> str:
        return self.to_html(whole=False)

    def __repr__(self) -> str:
        return f"<Report: {len(self.written)} names written, seed {self.seed}>"


def checksum(data: Mapping[str, Any]) -> str:
    """Return a short text of a saved report's data; it tells one that was changed since."""
    text = json.dumps({key: data[key] for key in data if key != "checksum"}, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def step_digest(step: Step, seed: int, prefix: str) -> str | None:
    """Return a short text of all that the values of one parameter follow from."""
    if step.status != WRITE or step.distribution is None:
        return None
    # Saved reports carry this text: what goes into it is part of their format.
    parts = [seed % 2**64, prefix, step.seed_name, step.shape, str(step.dtype), step.padding]
    text = json.dumps([*parts, plain_data(step.distribution.sealed().to_dict())])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
