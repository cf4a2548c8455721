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
        # The model stands still while it is planned, and what it holds has one identity each.
        self._counts: dict[str, int] = {}
        self._nearest: dict[tuple[object, ...], object] = {}

    def look_up(self, slot: Slot, name: str, what: str) -> float:
        """Return the value of a formula's name that only the model knows."""
        if what in ("layer", "n_layers"):
            return self._layer(slot, name, what)
        if what.startswith("count("):
            # The reader of formulas spells it count('Name'), so this is what stands in the quotes.
            return self._count(what[7:-2])
        head, *chain = what.split(".")
        if head == "owner":
            return _attribute(slot.owner, chain, f"{what} of {type(slot.owner).__name__}")
        if head == "beside":
            return _attribute(_beside(slot, chain, what), chain, what)
        chain = chain or [what]
        if (thing := self._around(slot.lineage, head, chain)) is not None:
            return _attribute(thing, chain, what)
        things = [t for module in reversed(slot.lineage) for t in _holders(module, head)]
        where = {
            "config": " has it in its config",
            "nearest_config": " has a config with it, or a nearer one lacks it",
            "around": " has it",
        }
        lacks = where.get(head, " nor its config has it")
        message = f"{what} has no value: no module around {slot.name!r}{lacks}"
        error = FormulaError(message, formula=what)
        raise error.or_rather(chain[-1], _numbers_of(things) if len(chain) == 1 else ())

    def value(self, slot: Slot, name: str, what: str) -> float | None:
        """Return what :meth:`look_up` does, or None where it raises."""
        head, *chain = what.split(".")
        nearby = head not in _SPECIAL and not what.startswith("count(")
        if nearby and self._around(slot.lineage, head, chain or [what]) is None:
            return None  # many formulas ask for a few names that are not there
        try:
            return self.look_up(slot, name, what)
        except Exception:  # an attribute of a user's class may raise anything
            return None

    def _around(self, lineage: Sequence[nn.Module], head: str, chain: Sequence[str]) -> object:
        """Return what is nearest, of the last module or those around it, and has such a number."""
        if not lineage:
            return None
        # From the inside out: a decoder's config goes before the whole model's.
        for thing in _holders(lineage[-1], head):
            if _reach(thing, chain) is not None:
                return thing
            if head == "nearest_config":  # which decides, whether it has the attribute or not
                return None
        around = lineage[:-1]
        key = (head, *chain, *map(id, around))
        if key not in self._nearest:  # which neighbours ask for, too
            self._nearest[key] = self._around(around, head, chain)
        return self._nearest[key]

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

    def _layer(self, slot: Slot, name: str, what: str) -> float:
        layer, n_layers = slot.layer_of(name)
        value = layer if what == "layer" else n_layers
        if value is not None:
            return value
        no_value = f"{what} has no value for {name!r}"
        if layer is not None:
            message = (
                f"{no_value}: the layers of its container are not numbered from 0 on without a "
                "gap, so that nobody can tell how many the whole model has"
            )
            raise FormulaError(message, formula=what)
        message = f"{no_value}, which stands in no ModuleList and no numbered Sequential"
        error = FormulaError(message, formula=what)
        if what == "n_layers" and (kind := self._kind_of_layers()):
            error.hint = f"; count({kind!r}) is how many the model has of that class"
            error.mends = ({what: f"count({kind!r})"},)
        raise error

    def _kind_of_layers(self) -> str:
        """Return the class of the model's layers, where one numbered container has them all."""
        found: dict[str, str] = {}
        modules = self.view.root.named_modules() if self.view.root is not None else ()
        for path, module in modules:
            within = any(path.startswith(f"{outer}.") for outer in found)
            kinds = {kind_of(layer).__name__ for layer in module.children()}
            if is_counted(module) and len(kinds) == 1 and not within:
                found[path] = min(kinds)
        return min(found.values()) if len(found) == 1 else ""


_SPECIAL = ("layer", "n_layers", "owner", "beside")


def _holders(module: nn.Module, head: str) -> list[object]:
    """Return what holds the names behind a head: a bare name is the module's or its config's."""
    config = getattr(module, "config", None)
    behind: dict[str, list[object]] = {
        "config": [config],
        "nearest_config": [config],
        "around": [module],
    }
    return [thing for thing in behind.get(head, [module, config]) if thing is not None]


def _numbers_of(things: Sequence[object]) -> set[str]:
    """Return the names under which these hold numbers of their own."""
    held = (t if isinstance(t, Mapping) else getattr(t, "__dict__", {}) for t in things)
    pairs = [pair for names in held for pair in names.items()]
    return {str(name) for name, value in pairs if type(value) in (int, float)}


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
