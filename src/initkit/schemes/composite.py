"""Schemes made of other schemes, one for each block of a tensor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from .. import distributions
from ..errors import FormulaError, OptionError
from ..numbers import Number, SizeFormula, frozen, read_number
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
    of each, which may be formulas, as in grouped-query attention. There a name by itself is an
    attribute of the nearest module around the parameter that has it, or an entry of its config. A
    part may be blocks itself.

    >>> print(read_scheme("blocks(normal, 0, sizes=('n_heads*head_dim', 'n_kv*head_dim'))"))
    blocks(normal, 0, sizes=('n_heads*head_dim', 'n_kv*head_dim'))
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
            return tuple(read_number(size, "sizes", SizeFormula) for size in sizes)
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

    Of torch's own layers the order is known; of a module of yours ``order`` says it, by these names
    or by their letters, ``i f g o`` (or ``i f z o``) and ``r z n``, and ``dim`` the dimension that
    stacks them.

    >>> print(Gates(forget=Constant(1.0), order="fiog"))
    gates(forget=1, order=('forget', 'input', 'output', 'cell'))
    """

    rest: Scheme = Constant(0.0)
    input: Scheme | None = field(default=None, kw_only=True)
    forget: Scheme | None = field(default=None, kw_only=True)
    cell: Scheme | None = field(default=None, kw_only=True)
    output: Scheme | None = field(default=None, kw_only=True)
    reset: Scheme | None = field(default=None, kw_only=True)
    update: Scheme | None = field(default=None, kw_only=True)
    new: Scheme | None = field(default=None, kw_only=True)
    order: tuple[str, ...] | None = field(default=None, kw_only=True)
    dim: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_whole(self.name, self.inner)
        if self.order is not None:
            object.__setattr__(self, "order", _read_order(self.order))
            if strange := self._beside(self.order):
                what = f"is {', '.join(self.order)}, without the gate {strange!r} that it starts"
                raise option_error(self.name, "order", what)
        elif self.dim:
            raise option_error(self.name, "dim", "goes with order=: torch stacks gates in rows")

    def resolve(self, site: Site) -> distributions.Distribution:
        gates = self.order or site.gates
        if not gates:
            whose = site.owner or "a state_dict"
            message = f"{whose} names no gates that initkit knows; blocks(...) cuts any tensor"
            ways = "order=('input', 'forget', 'cell', 'output') says which stand in it"
            raise site.mismatch(f"gates: {message}, and {ways}")
        known = ", ".join(site.gates)
        if site.gates and (gates != site.gates or self.dim not in (0, -len(site.shape))):
            message = f"the gates of {site.owner} are {known}, in this order; leave out order="
            raise site.mismatch(f"gates: {message}")
        if strange := self._beside(gates):
            message = f"{site.owner} has the gates {known}, and no {strange!r}"
            raise site.mismatch(f"gates: {message}")
        parts = tuple(self.rest if (own := getattr(self, gate)) is None else own for gate in gates)
        return Blocks(parts, dim=self.dim).resolve(site)

    def _beside(self, gates: Iterable[str]) -> str | None:
        """Return a gate that has a scheme of its own and is none of these."""
        others = (gate for gate in _GATES.values() if gate not in gates)
        return next((gate for gate in others if getattr(self, gate) is not None), None)


# As torch's documentation writes them; `z` without `r` and `n` is the cell's input of Greff et al.
_GATES = {
    "i": "input",
    "f": "forget",
    "g": "cell",
    "c": "cell",
    "o": "output",
    "r": "reset",
    "z": "update",
    "n": "new",
}


def _read_order(order: object) -> tuple[str, ...]:
    given = tuple(map(str, order)) if isinstance(order, str | tuple | list) else ()
    letters = _GATES if {"r", "n", "reset", "new"} & set(given) else {**_GATES, "z": "cell"}
    found = tuple(letters.get(gate, gate) for gate in given)
    if not found or not set(found) <= set(_GATES.values()) or len(set(found)) < len(found):
        known = ", ".join(f"{letter} {gate}" for letter, gate in _GATES.items())
        what = f"lists gates once each, by letter or by name ({known}), not {order!r}"
        raise option_error("gates", "order", what)
    return found


def refuse_whole(name: str, parts: Iterable[Scheme], but: type[Scheme] | None = None) -> None:
    """Raise where a part of a scheme stands for a whole tensor, ``but`` for one kind of these.

    Refused where it is written, and not once for each tensor that it meets.
    """
    wholes = (each for part in parts for each in part.walk() if each.whole)
    whole = next((each for each in wholes if but is None or not isinstance(each, but)), None)
    if whole is not None:
        what = {"product": "factors", "sum": "terms"}.get(name, "blocks")
        it = whole.name or whole
        message = f"{name}: {it} stands for a whole tensor, not for one of its {what}"
        raise OptionError(message, owner=name)
