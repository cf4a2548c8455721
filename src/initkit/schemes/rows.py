"""Schemes for new rows of a tensor that has others: what a grown vocabulary starts as."""

from __future__ import annotations

from typing import Any

from .. import distributions
from ..numbers import frozen
from .base import Scheme
from .options import NonNegative, option_error
from .site import Site


@frozen
class MeanResizing(
    Scheme,
    name="mean_resizing",
    formula="N(mean of the other rows, scale times their covariance)",
    source="Hewitt 2021, Initializing New Word Embeddings; transformers, resize_token_embeddings",
    moments="the mean of the other rows, sqrt(scale) times their deviations",
    reads="site",
):
    """Start new rows near the others' mean, as transformers' ``resize_token_embeddings`` does.

    For a rule with ``rows``, such as ``Rule("mean_resizing", name="*.wte.weight", rows="50257:")``.
    The other rows are read as the model holds them; a sharded tensor is gathered for it, and the
    covariance costs a width x width eigenvalue decomposition.
    """

    scale: NonNegative = 1e-9

    def resolve(self, site: Site) -> distributions.Distribution:
        start, stop, count = _within(self.name, site)
        if stop - start == count:
            raise site.mismatch("these are all of its rows, and there are no others")
        return distributions.MeanResized(site.shape, self.number(site, "scale"))


@frozen
class CopiedRows(
    Scheme,
    name="copied_rows",
    formula="row i of the new is row of[i mod n] of the others, or the mean of these",
    source="vocabulary extension: new tokens as their synonyms or pieces",
    moments="those of the rows",
    positional=("of",),
    reads="site",
):
    """Start new rows as copies of named ones, by turns, or with ``average`` as their mean.

    For a rule with ``rows``. The named rows are read as the model holds them, and none of them may
    be among those that are written.
    """

    of: Any
    average: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        rows = (self.of,) if isinstance(self.of, int) else self.of
        listed = isinstance(rows, list | tuple) and len(rows) > 0
        if not listed or not all(type(row) is int and row >= 0 for row in rows):
            raise option_error(self.name, "of", f"must be rows such as [3, 7], not {self.of!r}")
        object.__setattr__(self, "of", tuple(rows))

    def resolve(self, site: Site) -> distributions.Distribution:
        start, stop, count = _within(self.name, site)
        for row in self.of:
            if row >= count:
                raise site.mismatch(f"there is no row {row} among its {count}")
            if start <= row < stop:
                raise site.mismatch(f"row {row} is itself one of those that are written")
        return distributions.CopiedRows(site.shape, self.of, self.average)

    def __str__(self) -> str:
        average = ", average=True" if self.average else ""
        return f"{self.name}({list(self.of)}{average})"


def _within(name: str, site: Site) -> tuple[int, int, int]:
    """Return which rows are started, and how many there are."""
    if site.within is None:
        raise site.mismatch(
            f"it starts rows after others; say which: Rule({name!r}, name=..., rows='50257:')"
        )
    return site.within
