"""A site that shows what a scheme says it reads, and no more: so tensors alike in it may share."""

from __future__ import annotations

from typing import Any, NoReturn, cast

from ..errors import SchemeMismatch
from .base import Reads
from .site import Site

# What each word of `Reads` shows, beside what those before it do. Whoever shares distributions
# between tensors must hold all of it in the key.
_SHAPE = frozenset(("shape", "numel", "need", "default", "owner", "gates", "stacked"))
_AXES = _SHAPE | {"layout", "sibling", "shape_only", "fans", "grid", "matrices"}
_SHOWN: dict[str, frozenset[str]] = {"options": frozenset(), "shape": _SHAPE, "axes": _AXES}


def narrowed(site: Site, reads: Reads, names: tuple[str, ...] = ()) -> Site:
    """Return what a scheme with these ``reads`` may see of a site; anything else is an error.

    ``names`` of formulas have their values all the same.

    >>> narrowed(Site((64, 4), name="head.weight"), "shape").shape
    (64, 4)
    """
    return site if reads == "site" else cast(Site, _NarrowSite(site, reads, names))


def is_of_axes(name: str) -> bool:
    """Whether the value of a formula's name follows from a tensor's shape and axes.

    >>> is_of_axes("fan_in"), is_of_axes("shape[0]"), is_of_axes("n_layers")
    (True, True, False)
    """
    return name in ("fan_in", "fan_out", "fan_avg", "numel") or name.startswith("shape[")


class _NarrowSite:
    """A site behind a list of what may be read."""

    __slots__ = ("_names", "_reads", "_site")

    def __init__(self, site: Site, reads: Reads, names: tuple[str, ...]) -> None:
        self._site, self._reads, self._names = site, reads, names

    def __getattr__(self, name: str) -> Any:
        if name not in _SHOWN[self._reads]:
            self._refuse(name)
        return getattr(self._site, name)

    def mismatch(self, message: str) -> SchemeMismatch:
        """Return the error that a scheme does not fit this tensor: it ends the reading."""
        return self._site.mismatch(message)

    def part(self, dim: int, size: int) -> Site:
        """Return the site of a block, which shows as much."""
        if self._reads == "options":
            self._refuse("part")
        return narrowed(self._site.part(dim, size), self._reads, self._names)

    def check_blocks(self, count: int) -> None:
        """Raise where the module has another number of blocks, which its shape cannot tell."""
        self._site.check_blocks(count)

    def lookup(self, name: str) -> float:
        """Return the value of a name in the scheme's formulas, or one that its axes tell."""
        if name not in self._names and not (self._reads == "axes" and is_of_axes(name)):
            self._refuse(f"lookup({name!r})")
        return self._site.lookup(name)

    def _refuse(self, what: str) -> NoReturn:
        raise SchemeMismatch(
            f"it reads site.{what}, though its class says reads={self._reads!r}; "
            "leave reads= out, and every tensor is asked for by itself"
        )
