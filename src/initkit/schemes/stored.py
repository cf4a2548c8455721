"""Schemes whose values stand in a file: one tensor of it, or all of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from os import PathLike
from typing import Any, Literal

from .. import distributions
from ..files import StoredTensor, stored_tensors
from ..numbers import frozen
from ..spelling import did_you_mean
from .base import Scheme
from .copied import fill_stars
from .options import option_error
from .read import read_scheme
from .renaming import renamed
from .site import Site


@frozen
class FromTensor(
    Scheme,
    name="from_tensor",
    formula="the values in the file",
    source="a file of yours: .safetensors, or what torch.save wrote",
    moments="those of the values",
    positional=("path",),
    reads="site",
):
    """Start with a tensor that a file holds; ``key`` is its name there.

    Each ``*`` in the key stands for what the rule's own took, as in ``copy_of``. A file of one
    tensor needs no key. Planning reads the file's header alone, and a sharded parameter its part.
    """

    path: str
    key: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "path", _path(self.name, self.path))

    def resolve(self, site: Site) -> distributions.Distribution:
        found = stored_tensors(self.path)
        if self.key is None:
            if len(found) != 1:
                raise site.mismatch(f"{self.path} holds {len(found)} tensors; name one with key=")
            key = next(iter(found))
        else:
            key = fill_stars(self.key, site)
        if key not in found:
            raise site.mismatch(f"{self.path} has no tensor {key!r}{did_you_mean(key, found)}")
        return _stored(self.path, key, found[key], site)


@frozen
class Pretrained(
    Scheme,
    name="pretrained",
    formula="the values in the file, by name",
    source="a checkpoint of yours: .safetensors and its .index.json, or what torch.save wrote",
    moments="those of the values",
    positional=("path",),
    reads="site",
):
    """Start with the values that a checkpoint holds under the parameter's name.

    ``rename`` leads from names or modules of the model to those of the file, and ``prefix`` goes
    before all of them. What the file lacks is a problem of the plan; with ``missing="next"`` the
    rules below decide about it, and with a scheme this one starts it. A tied parameter is found
    under any of its names. A shape that differs is a problem, too, but for ``rows="overlap"``,
    which takes as many first rows as both have, and starts rows that the file lacks by the scheme
    ``rest``, as ``mean_resizing`` from those of the file. A name in ``rename`` that the model lacks
    is a problem; what the file holds and the model has no name for is a remark. Planning reads the
    file's header alone, and a sharded parameter its part.
    """

    path: str
    prefix: str = field(default="", kw_only=True)
    rename: Any = field(default=(), kw_only=True)
    missing: Any = field(default="error", kw_only=True)
    rows: Literal["exact", "overlap"] = field(default="exact", kw_only=True)
    rest: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "path", _path(self.name, self.path))
        table = self.rename.items() if isinstance(self.rename, Mapping) else self.rename
        if not all(isinstance(text, str) for pair in table for text in pair):
            raise option_error(self.name, "rename", "takes a dict from names to names")
        object.__setattr__(self, "rename", tuple(sorted((a, b) for a, b in table)))
        if self.rest is not None and self.rows == "exact":
            raise option_error(self.name, "rest", "is for rows='overlap'")
        if self.missing not in ("error", "next"):
            object.__setattr__(self, "missing", read_scheme(self.missing))
        if self.rest is not None:
            object.__setattr__(self, "rest", read_scheme(self.rest))
            if any(scheme.whole for scheme in self.rest.walk()):
                raise option_error(self.name, "rest", f"cannot be {self.rest}")

    def key(self, name: str) -> str:
        """Return what the file calls the parameter of this name."""
        return f"{self.prefix}{renamed(dict(self.rename), name)}"

    def holds(self, *names: str) -> bool:
        """Tell whether the file has the parameter under one of its names."""
        found = stored_tensors(self.path)
        return any(self.key(name) in found for name in names)

    def resolve(self, site: Site) -> distributions.Distribution:
        found = stored_tensors(self.path)
        keys = list(dict.fromkeys(self.key(name) for name in site.names))
        held = [key for key in keys if key in found]
        if not held:
            if isinstance(self.missing, Scheme):
                return self.missing.resolve(site)
            near = did_you_mean(keys[0], found)
            raise site.mismatch(f"{self.path} has no tensor {keys[0]!r}{near}")
        first, *others = held
        for other in others:
            if not _same_values(found[first], found[other]):
                raise site.mismatch(
                    f"{self.path} holds other values under {other!r} than {first!r}"
                )
        if self.rows == "exact" or not site.shape:
            return _stored(self.path, first, found[first], site)
        return self._overlap(first, found[first], site)

    def _overlap(self, key: str, stored: StoredTensor, site: Site) -> distributions.Distribution:
        rows = min(stored.shape[0], site.shape[0]) if stored.shape else 0
        head = _stored(self.path, key, stored, site, rows)
        if rows == site.shape[0]:
            return head
        if self.rest is None:
            more = site.shape[0] - rows
            raise site.mismatch(f"the file lacks {more} of its rows; start them with rest='...'")
        rest = self.rest.resolve(site.rows(rows, site.shape[0]))
        if isinstance(rest, distributions.LikeRows):  # the others are those of the file
            rest = replace(rest, above=head)
        if not rest.repeatable:
            raise site.mismatch(f"{self.rest} reads rows that are not there yet; start them later")
        sizes = (rows, site.shape[0] - rows)
        return distributions.Blocks((head, rest), site.numel, site.shape, 0, sizes)

    def __str__(self) -> str:
        options = [repr(self.path)]
        if self.prefix:
            options.append(f"prefix={self.prefix!r}")
        if self.rename:
            options.append(f"rename={dict(self.rename)!r}")
        for option, usual in (("missing", "error"), ("rows", "exact"), ("rest", None)):
            value = getattr(self, option)
            if value != usual:
                options.append(f"{option}={str(value)!r}")
        return f"{self.name}({', '.join(options)})"


def _same_values(one: StoredTensor, other: StoredTensor) -> bool:
    """Tell whether two names of a file hold the same; only such as are of one shape are read."""
    same = (one.shape, one.dtype) == (other.shape, other.dtype)
    return same and one.digest == other.digest


def _stored(
    path: str, key: str, stored: StoredTensor, site: Site, rows: int | None = None
) -> distributions.Stored:
    """Return a stored tensor, or its first rows, as what starts so much of a site."""
    shape = site.shape if rows is None else (rows, *site.shape[1:])
    held = stored.shape if rows is None else (rows, *stored.shape[1:])
    if held != shape:
        theirs = f"and {key!r} of {path} has {list(stored.shape)}"
        raise site.mismatch(f"its shape is {list(site.shape)}, {theirs}")
    dtype = str(stored.dtype).removeprefix("torch.")
    return distributions.Stored(shape, path, key, dtype, stored.shape)


def _path(owner: str, path: object) -> str:
    if not isinstance(path, str | PathLike) or not str(path):
        raise option_error(owner, "path", f"must be that of a file, not {path!r}")
    return str(path)
