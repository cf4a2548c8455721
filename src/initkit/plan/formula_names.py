"""What the names in a formula stand for where only the model knows: layers, counts, attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from ..errors import FormulaError
from ..model import ModelView, Slot, is_counted, kind_of


class FormulaNames:
    """The values of names such as ``layer``, ``config.n_embd`` or ``count(Block)`` in one model."""

    def __init__(self, view: ModelView) -> None:
        self.view = view
        self._counts: dict[str, int] = {}  # the model stands still while it is planned

    def look_up(self, slot: Slot, name: str, what: str) -> float:
        """Return the value of a formula's name that only the model knows."""
        if what in ("layer", "n_layers"):
            return _layer(slot, name, what)
        if what.startswith("count("):
            # The reader of formulas spells it count('Name'), so this is what stands in the quotes.
            return self._count(what[7:-2])
        head, *chain = what.split(".")
        if head == "owner":
            return _attribute(slot.owner, chain, f"{what} of {type(slot.owner).__name__}")
        if head == "beside":
            return _attribute(_beside(slot, chain, what), chain, what)
        # From the inside out: a decoder's config goes before the whole model's.
        for module in reversed(slot.lineage):
            thing = getattr(module, "config", None) if head == "config" else module
            if thing is not None and _reach(thing, chain) is not None:
                return _attribute(thing, chain, what)
        where = " in its config" if head == "config" else ""
        message = f"{what} has no value: no module around {slot.name!r} has it{where}"
        raise FormulaError(message, formula=what)

    def _count(self, kinds: str) -> float:
        if kinds not in self._counts:
            wanted = set(kinds.split("|"))
            modules = self.view.root.modules() if self.view.root is not None else ()
            self._counts[kinds] = sum(
                # By name and with bases, so that no library has to be imported to count its blocks.
                any(cls.__name__ in wanted for cls in kind_of(m).__mro__)
                for m in modules
            )
        return self._counts[kinds]


def _layer(slot: Slot, name: str, what: str) -> float:
    layer, n_layers = slot.layer_of(name)
    value = layer if what == "layer" else n_layers
    if value is None:
        message = (
            f"{what} has no value for {name!r}, which stands in no ModuleList and no numbered "
            "Sequential"
        )
        raise FormulaError(message, formula=what)
    return value


def _beside(slot: Slot, chain: Sequence[str], what: str) -> object:
    """Return the module without parameters that is nearest to the slot's and has an attribute.

    Those behind it go first, as an activation stands behind its layer.
    """
    before: list[nn.Module] = []
    inner: nn.Module | None = None
    for module in reversed(slot.lineage):
        plain = [c for c in module.children() if c is inner or next(c.parameters(), None) is None]
        at = next((i for i, child in enumerate(plain) if child is inner), -1)
        for child in plain[at + 1 :]:
            if _reach(child, chain) is not None:
                return child
        before += reversed(plain[: max(at, 0)])
        inner = module
    found = next((child for child in before if _reach(child, chain) is not None), None)
    if found is None:
        message = f"{what} has no value: no module without parameters beside {slot.name!r} has it"
        raise FormulaError(message, formula=what)
    return found


def _reach(thing: object, chain: Sequence[str]) -> object:
    for name in chain:
        thing = thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)
    return thing


def _attribute(thing: object, chain: Sequence[str], what: str) -> float:
    found = _reach(thing, chain)
    if isinstance(found, int | float):
        return float(found)
    # Planning reads no values but the few that a formula names, and on meta there are none.
    if isinstance(found, Tensor) and found.numel() == 1 and not found.is_meta:
        return float(found)
    if isinstance(found, nn.Module) and is_counted(found):
        return float(len(found._modules))
    shown = "nothing" if found is None else repr(found)
    raise FormulaError(f"{what} is {shown}, not a number", formula=what)
