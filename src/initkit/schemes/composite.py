"""Schemes made of other schemes, one for each block of a tensor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, fields

from .. import distributions
from ..errors import FormulaError, OptionError
from ..numbers import Number, frozen, read_number
from .base import Scheme, option_text
from .basic import Constant
from .options import option_error
from .site import Site


@frozen
class Blocks(
    Scheme,
    name="blocks",
    formula="one scheme per block of a dimension, equal ones unless sizes say theirs",
    source="Jozefowicz et al. 2015 (forget gates); fused projections",
    reads="shape",
):
    """Start each of several blocks of a dimension in its own way.

    They are equal blocks of dimension 0, unless ``dim`` names another and ``sizes`` has the entries
    of each, which may be formulas, as in grouped-query attention. A part may be blocks itself.

    >>> fused = read_scheme("blocks(normal, 0, sizes=('config.heads*64', 'config.kv_heads*64'))")
    >>> print(fused)
    blocks(normal, 0, sizes=('config.heads*64', 'config.kv_heads*64'))
    """

    parts: tuple[Scheme, ...]
    dim: int = field(default=0, kw_only=True)
    sizes: tuple[Number, ...] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.parts:
            raise OptionError("blocks: give a scheme or a number for each block", owner="blocks")
        refuse_whole(self.name, self.parts)
        if self.sizes is not None:
            object.__setattr__(self, "sizes", self._read_sizes())

    def resolve(self, site: Site) -> distributions.Distribution:
        dim, sizes = self._cut(site)
        resolved = tuple(
            scheme.resolve(site.part(dim, size))
            for scheme, size in zip(self.parts, sizes, strict=True)
        )
        first = resolved[0]
        # Blocks of one number are that number: `blocks(0, 0)` agrees with a tied name's `0`.
        if first.constant is not None and all(one == first for one in resolved):
            return first
        if dim or len(set(sizes)) > 1:
            return distributions.Blocks(resolved, site.numel, site.shape, dim, sizes)
        return distributions.Blocks(resolved, site.numel)

    def _read_sizes(self) -> tuple[Number, ...]:
        sizes: object = self.sizes  # whatever the text of a rule held
        count = len(self.parts)
        if not isinstance(sizes, tuple | list) or len(sizes) != count:
            what = f"has a number or a formula for each of the {count} blocks, not {sizes!r}"
            raise option_error(self.name, "sizes", what)
        try:
            return tuple(read_number(size, "sizes") for size in sizes)
        except FormulaError as error:
            raise option_error(self.name, "sizes", f"cannot be read: {error}") from None

    def _cut(self, site: Site) -> tuple[int, tuple[int, ...]]:
        """Return the dimension, counted from 0, and the sizes of its blocks."""
        site.need(1)
        dims, count = len(site.shape), len(self.parts)
        if not -dims <= self.dim < dims:
            message = f"blocks: {list(site.shape)} has no dimension {self.dim}"
            raise site.mismatch(message)
        dim = self.dim % dims
        entries = site.shape[dim]
        if self.sizes is not None:
            return dim, self._sizes(site, dim)
        if entries % count:
            message = f"dimension {dim} has {entries} entries, which are no {count} equal blocks"
            raise site.mismatch(message)
        if not dim:
            site.check_blocks(count)
        return dim, (entries // count,) * count

    def _sizes(self, site: Site, dim: int) -> tuple[int, ...]:
        assert self.sizes is not None
        found = [s if isinstance(s, float) else s.value(site.lookup) for s in self.sizes]
        shown = ", ".join(f"{size:g}" for size in found)
        if any(size < 1 or size % 1 for size in found):
            raise site.mismatch(f"blocks: sizes are whole numbers from 1 on, not ({shown})")
        if sum(found) != site.shape[dim]:
            has = f"dimension {dim} has {site.shape[dim]} entries"
            raise site.mismatch(f"blocks: sizes ({shown}) are {sum(found):g} together, and {has}")
        return tuple(int(size) for size in found)

    def __str__(self) -> str:
        options = [str(part) for part in self.parts]
        if self.dim:
            options.append(f"dim={self.dim}")
        if self.sizes is not None:
            texts = [option_text(s) if isinstance(s, float) else repr(str(s)) for s in self.sizes]
            options.append(f"sizes=({', '.join(texts)}{',' * (len(texts) == 1)})")
        return f"blocks({', '.join(options)})"


@frozen
class Gates(
    Scheme,
    name="gates",
    formula="one scheme per gate, in torch's order",
    source="Gers et al. 2000; Jozefowicz et al. 2015 (forget gates at 1)",
    positional=("rest",),
    reads="shape",
):
    """Start the gates of an LSTM or a GRU by their names, and those that have none by ``rest``.

    An LSTM has ``input``, ``forget``, ``cell`` and ``output``, a GRU ``reset``, ``update`` and
    ``new``. torch adds two biases, so that one of them at ``gates(forget=1)`` and the other at 0
    make 1.
    """

    rest: Scheme = Constant(0.0)
    input: Scheme | None = field(default=None, kw_only=True)
    forget: Scheme | None = field(default=None, kw_only=True)
    cell: Scheme | None = field(default=None, kw_only=True)
    output: Scheme | None = field(default=None, kw_only=True)
    reset: Scheme | None = field(default=None, kw_only=True)
    update: Scheme | None = field(default=None, kw_only=True)
    new: Scheme | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_whole(self.name, self.inner)

    def resolve(self, site: Site) -> distributions.Distribution:
        if not site.gates:
            whose = site.owner or "a state_dict"
            message = f"{whose} names no gates that initkit knows; blocks(...) cuts any tensor"
            raise site.mismatch(f"gates: {message}")
        named = [f.name for f in fields(self) if f.kw_only and getattr(self, f.name) is not None]
        if strange := next((gate for gate in named if gate not in site.gates), None):
            message = f"{site.owner} has the gates {', '.join(site.gates)}, and no {strange!r}"
            raise site.mismatch(f"gates: {message}")
        parts = tuple(getattr(self, gate) if gate in named else self.rest for gate in site.gates)
        return Blocks(parts).resolve(site)


def refuse_whole(name: str, parts: Iterable[Scheme]) -> None:
    """Raise where a part of a scheme stands for a whole tensor.

    Refused where it is written, and not once for each tensor that it meets.
    """
    whole = next((part for part in parts if part.whole), None)
    if whole is not None:
        what = {"product": "factors"}.get(name, "blocks")
        it = whole.name or whole
        message = f"{name}: {it} stands for a whole tensor, not for one of its {what}"
        raise OptionError(message, owner=name)
