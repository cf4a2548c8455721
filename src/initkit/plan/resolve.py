"""Which rule takes a slot, and what its scheme becomes there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..distributions import Distribution
from ..errors import FormulaError, InitkitError, Problem, SchemeMismatch
from ..model import ModelView, ParameterInfo, Slot, is_counted, parameter_info
from ..rules import Clause, Name
from ..schemes import Scheme, Site


@dataclass(slots=True)
class Choice:
    """The first rule that takes a slot under one name, and what comes of it."""

    clause: Clause
    order: int
    slot: Slot
    name: str
    distribution: Distribution | None = None
    site: Site | None = None
    error: Problem | None = None

    @property
    def keeps(self) -> bool:
        """Whether the rule leaves the tensor as it is."""
        return self.clause.keeps

    def agrees(self, other: Choice) -> bool:
        """Whether both want the same values."""
        if self.keeps or other.keeps:
            return self.keeps and other.keeps
        if self.error is not None or other.error is not None:
            return self.clause is other.clause
        return self.distribution == other.distribution

    def __str__(self) -> str:
        what = (
            "keep"
            if self.keeps
            else str(self.distribution)
            if self.distribution
            else "cannot start"
        )
        return f"{self.name}: {what} (rule {self.clause.shown!r})"


class Chooser:
    """Match slots with clauses, and resolve schemes; nothing is remembered of who asked."""

    def __init__(self, view: ModelView, clauses: Sequence[Clause]) -> None:
        self.view, self.clauses = view, clauses
        self._takers = [clause.matcher.matches for clause in clauses]
        self._named: dict[str, int] = {}  # looked up: there may be a rule for every parameter
        self._numbered: list[tuple[int, Callable[[Slot, str], bool]]] = []
        for order, clause in enumerate(clauses):
            if type(clause.matcher) is Name and clause.matcher.literal:
                self._named.setdefault(clause.matcher.glob, order)
            else:
                self._numbered.append((order, clause.matcher.matches))
        self._formulas = [bool(clause.scheme.formulas) for clause in clauses]
        self._everywhere: dict[
            int, Distribution
        ] = {}  # distributions that asked nothing of their site
        self._here: dict[Any, tuple[Distribution, Site]] = {}
        self._counts: dict[str, int] = {}

    def first(self, slot: Slot, name: str, canonical: str) -> int | None:
        """Return the place of the first clause that takes the slot under this name."""
        found = self._named.get(name)
        if canonical is not name and (other := self._named.get(canonical)) is not None:
            found = other if found is None else min(found, other)
        for order, takes in self._numbered:
            if found is not None and order > found:
                break
            if takes(slot, name) or (canonical is not name and takes(slot, canonical)):
                found = order
                break
        return found

    def takes(self, order: int, slot: Slot, name: str, canonical: str) -> bool:
        """Whether one clause takes the slot under this name, whatever stands above it."""
        takes = self._takers[order]
        return takes(slot, name) or (canonical is not name and takes(slot, canonical))

    def choices(self, slot: Slot) -> Iterator[Choice]:
        """Yield what each of the slot's names is started by; nothing for a name without a rule."""
        for i, name in enumerate(slot.paths):
            order = self.first(slot, name, slot.canonicals[i])
            if order is not None:
                yield self.choice(slot, name, order)

    def asks_nothing(self, order: int) -> bool:
        """Whether a clause is known to give every slot the same distribution."""
        return order in self._everywhere

    def same_by_kind(self, order: int) -> bool:
        """Whether shape and module alone decide what a clause gives, and no name of a formula."""
        return not self._formulas[order]

    def choice(self, slot: Slot, name: str, order: int) -> Choice:
        """Return how the clause at this place starts the slot."""
        choice = Choice(self.clauses[order], order, slot, name)
        choice.distribution = self._everywhere.get(order)
        if choice.distribution is None and not choice.keeps:
            return self._resolve(choice)
        return choice

    def _resolve(self, choice: Choice) -> Choice:
        clause, slot = choice.clause, choice.slot
        site = choice.site = self._site(slot, choice.name, clause)
        key = None if self._formulas[choice.order] else (choice.order, site.shape, site.info)
        if key in self._here:
            choice.distribution, choice.site = self._here[key]
            return choice
        site.touched = False
        try:
            choice.distribution = _law_of(clause.scheme, site)
        except Exception as error:  # a user's own class may raise anything
            choice.error = _mismatch(error, choice)
            return choice
        if key is not None and site.touched:
            self._here[key] = (choice.distribution, site)
        elif key is not None:
            self._everywhere[choice.order] = choice.distribution
            choice.site = None  # as for all that follow: this distribution asked nothing of it
        return choice

    def _site(self, slot: Slot, name: str, clause: Clause) -> Site:
        return Site(
            slot.shape,
            name=name,
            owner=type(slot.owner).__name__ if slot.owner is not None else "",
            info=slot_info(slot),
            layout=clause.layout,
            context=lambda what: self._look_up(slot, name, what),
            shape_only=slot.owner is None,
        )

    # ---- names of formulas

    def _look_up(self, slot: Slot, name: str, what: str) -> float:
        """Return the value of a formula's name that only the model knows."""
        if what in ("layer", "n_layers"):
            return _layer(slot, name, what)
        if what.startswith("count("):
            return self._count(what[7:-2])
        head, *chain = what.split(".")
        if head == "owner":
            return _attribute(slot.owner, chain, f"{what} of {type(slot.owner).__name__}")
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
                any(cls.__name__ in wanted for cls in type(m).__mro__) for m in modules
            )
        return self._counts[kinds]


def slot_info(slot: Slot) -> ParameterInfo | None:
    """Return what is known of the slot's module, or None."""
    if slot.owner is None:
        return None
    return parameter_info(slot.owner, slot.key, slot.shape, slot.lineage)


def _law_of(scheme: Scheme, site: Site) -> Distribution:
    distribution = scheme.resolve(site)
    if not isinstance(distribution, Distribution):
        raise SchemeMismatch(f"its resolve returned {distribution!r}, which is no distribution")
    return distribution


def _mismatch(error: Exception, choice: Choice) -> Problem:
    rule, recipe = choice.clause.shown, choice.clause.recipe
    missing = error.formula.rpartition(".")[2] if isinstance(error, FormulaError) else ""
    option = (
        f"; or say it: {recipe.name}({missing}=...)" if recipe and missing in recipe.options else ""
    )
    why = str(error) if isinstance(error, InitkitError) else repr(error)
    problem = SchemeMismatch(
        f"{choice.name}: {choice.clause.scheme} cannot start it (rule {rule!r}): {why}{option}",
        names=[choice.name],
        rule=rule,
    )
    problem.__cause__ = None if isinstance(error, InitkitError) else error
    return problem


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


def _reach(thing: object, chain: Sequence[str]) -> object:
    for name in chain:
        thing = thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)
    return thing


def _attribute(thing: object, chain: Sequence[str], what: str) -> float:
    found = _reach(thing, chain)
    if isinstance(found, int | float):
        return float(found)
    if isinstance(found, Tensor) and found.numel() == 1 and not found.is_meta:
        return float(found)
    if isinstance(found, nn.Module) and is_counted(found):
        return float(len(found._modules))
    shown = "nothing" if found is None else repr(found)
    raise FormulaError(f"{what} is {shown}, not a number", formula=what)
