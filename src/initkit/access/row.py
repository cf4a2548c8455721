"""One row of a summary: what is known of one parameter or buffer."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from ..distributions import short
from ..render import format_shape


@dataclass(slots=True)  # made by the thousand: frozen would cost as much as the walk
class Row:
    """What is known of one piece of memory, under all of its names.

    ``kind`` is ``parameter``, ``buffer`` or ``entry`` of a state_dict; ``owner`` the class of its
    module. ``shape`` is the global one of a sharded tensor, ``local_shape`` what this process
    holds, ``bytes`` of memory here. ``mean``, ``std``, ``min`` and ``max`` are None where no values
    were read; of complex numbers they are those of real and imaginary parts together. ``nans``
    counts NaN and ``infinities`` what is infinite.
    ``gradient`` is None where there is none, 0.0 where it is zero throughout, else its root mean
    square (NaN where it was not read). ``version`` counts writes in place. ``tie`` is the kind of
    the tie that several names form, ``padding`` the row of an embedding that stays zero, and
    ``started_by`` the rule by which initkit wrote it.

    >>> from torch import nn
    >>> row = summary(nn.Linear(2, 3))["bias"]
    >>> row.shape, row.owner, row.trainable, row.gradient
    ((3,), 'Linear', True, None)
    """

    names: tuple[str, ...]
    kind: str
    owner: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    device: str
    trainable: bool
    bytes: int = 0
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None
    nans: int = 0
    infinities: int = 0
    gradient: float | None = None
    version: int | None = None
    tie: str = ""
    padding: int | None = None
    started_by: str = ""
    local_shape: tuple[int, ...] | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """The first of its names."""
        return self.names[0]

    @property
    def numel(self) -> int:
        """The number of elements, over all processes."""
        return 0 if self.note in ("lazy", "nested") else math.prod(self.shape)

    @property
    def shape_text(self) -> str:
        """The shape as tables show it; ``?`` of what has none yet."""
        return "?" if self.note == "lazy" else format_shape(self.shape)

    @property
    def constant(self) -> float | None:
        """The value that all elements have; None where they differ or were not read."""
        return self.min if self.min is not None and self.min == self.max else None

    @property
    def values(self) -> str:
        """What the values are, in a few words."""
        parts = [f"{self.nans:,} NaN"] if self.nans else []
        parts += [f"{self.infinities:,} infinite"] if self.infinities else []
        if self.constant is not None and not parts:
            return f"all {short(self.constant)}"
        if not parts and self.mean is not None and self.std is not None:
            parts.append(f"mean {short(self.mean)}, std {short(self.std)}")
        return ", ".join(parts)

    @property
    def gradient_state(self) -> str:
        """What is known of the gradient, in a word: frozen, none, zero, or its rms."""
        if self.gradient is None:
            return "none" if self.trainable else "frozen" if self.kind == "parameter" else ""
        if math.isnan(self.gradient):
            return "there"
        return f"rms {short(self.gradient)}" if self.gradient else "zero"

    @property
    def remarks(self) -> str:
        """Ties, padding, what this process holds, and where it computes from."""
        parts = [f"= {name}" for name in self.names[1:4]]
        parts += [f"and {len(self.names) - 4} more names"] if len(self.names) > 4 else []
        parts += [f"tied by {self.tie}"] if self.tie not in ("", "module", "parameter") else []
        parts += [f"row {self.padding} is padding"] if self.padding is not None else []
        if self.local_shape is not None:
            parts.append(f"{format_shape(self.local_shape)} of it here")
        parts += ["frozen"] if self.kind == "parameter" and not self.trainable else []
        parts += [self.kind] if self.kind == "buffer" else []
        parts += [self.note] if self.note else []
        return ", ".join(parts)

    def relative_to(self, prefix: str) -> Row | None:
        """Return the row under names without ``prefix``; None where no name has it."""
        names = tuple(n.removeprefix(prefix) for n in self.names if n.startswith(prefix))
        tie = self.tie if len(names) > 1 else ""
        return replace(self, names=names, tie=tie) if names else None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return {**asdict(self), "dtype": str(self.dtype).removeprefix("torch.")}

    def __str__(self) -> str:
        kind = f"{self.owner} {self.kind}" if self.owner else self.kind
        dtype = str(self.dtype).removeprefix("torch.")
        head = f"{self.name}: {self.shape_text} {dtype} on {self.device}, {kind}"
        spread = ""
        if self.values and self.constant is None and self.min is not None and self.max is not None:
            spread = f", {short(self.min)} to {short(self.max)}"
        memory = format_size(self.bytes)
        if self.version is not None:
            memory += f", version {self.version}"
        lines = [
            f"values    {self.values}{spread}" if self.values else "",
            f"gradient  {self.gradient_state}" if self.gradient_state else "",
            f"started   by rule {self.started_by!r}" if self.started_by else "",
            f"memory    {memory}",
            f"remarks   {self.remarks}" if self.remarks else "",
        ]
        return "\n  ".join([head, *filter(None, lines)])


def format_size(count: float) -> str:
    """Return a number of bytes in the unit that suits it.

    >>> format_size(196), format_size(6 * 2**20)
    ('196 B', '6 MiB')
    """
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024
    return f"{count:.4g} GiB"
