"""What the scheme of a rule becomes for one slot."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from torch import nn

from ..distributions import Distribution, Rows, Stored
from ..distributions import Joint as Group
from ..errors import Correction, FormulaError, InitkitError, Problem, SchemeMismatch, visible
from ..model import ModelView, ParameterInfo, Slot, kind_of, parameter_info
from ..numbers import Layout
from ..rules import Clause, read_rules
from ..schemes import CopyOf, FansOf, Joint, Pretrained, Scheme, Site, needs_of, resolve
from ..wording import Entry, mended
from .copies import tied_names, with_copy
from .formula_names import FormulaNames
from .matching import RuleTable
from .own_lines import as_in_file, own_line
from .rows import rows_together
from .startable import Startable, startable, taken_by


@dataclass(slots=True)
class Choice:
    """The first rule that takes a slot under one name, and what comes of it.

    ``beside`` are, of a rule for some rows, those below it for others, each with its place.
    """

    clause: Clause
    place: int
    slot: Slot
    name: str
    distribution: Distribution | None = None
    fans: FansOf | None = None
    fans_from: str = ""
    error: Problem | None = None
    formulas: Sequence[object] = ()  # those whose value is this slot's own
    beside: Sequence[tuple[int, Clause]] = ()

    @property
    def places(self) -> tuple[int, ...]:
        """The places of all rules that decide."""
        return (self.place, *(place for place, _ in self.beside))

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """All rules that decide, in order."""
        return (self.clause, *(clause for _, clause in self.beside))

    @property
    def keeps(self) -> bool:
        """Whether the rule leaves the tensor as it is."""
        return self.clause.keeps

    def agrees(self, other: Choice) -> bool:
        """Whether both want the same values."""
        if self.keeps or other.keeps:
            return self.keeps and other.keeps
        if self.error is not None or other.error is not None:
            # Two names of one rule that failed are one problem, and not a conflict as well.
            return self.clause is other.clause
        return self.distribution == other.distribution

    @property
    def start(self) -> str:
        """What it wants."""
        if self.keeps:
            return "keep"
        return str(self.distribution) if self.distribution else "cannot start"

    def __str__(self) -> str:
        return self.told(self.start)

    def told(self, start: str) -> str:
        """Return its line in an error, where what it wants may be told in more digits."""
        return f"{visible(self.name)}: {start} (rule {self.clause.label!r})"


class Resolver:
    """Resolve the schemes of a rule table for the slots of one model.

    What it keeps it could find again: a distribution is shared by slots of one key, which holds all
    that its scheme reads.
    """

    def __init__(self, view: ModelView, table: RuleTable) -> None:
        self.table = table
        self._view, self._reader = view, SiteReader(view)
        self._needs = [needs_of(clause.scheme) for clause in table.clauses]
        # Whether a clause gives every slot the same distribution; asked for every parameter.
        self.same_everywhere = [
            needs.reads == "options" and not needs.names and clause.rows is None
            for needs, clause in zip(self._needs, table.clauses, strict=True)
        ]
        # Whether a module draws what others hold, so that their classes do not tell how they start.
        self.drawn_anew = any(isinstance(module, nn.Transformer) for module in view.modules)
        self._mended: dict[int, Startable | None] = {}
        # None is no key, and never here.
        self._shared: dict[object, tuple[Distribution, Sequence[object]]] = {}

    def choices(self, slot: Slot) -> Iterator[Choice]:
        """Yield what each of the slot's names is started by; nothing for a name without a rule."""
        for i, name in enumerate(slot.paths):
            place = self.table.first(slot, name, slot.canonicals[i])
            if place is not None:
                yield self.choice(slot, name, place)

    def same_by_kind(self, place: int) -> bool:
        """Whether shape, module and :meth:`values` alone decide what a clause gives."""
        return self._needs[place].reads != "site" and self.table.clauses[place].rows is None

    def names(self, place: int) -> Collection[str]:
        """Return the names in a clause's formulas."""
        return self._needs[place].names

    def values(self, place: int, slot: Slot, name: str) -> tuple[float | None, ...]:
        """Return the values of the names in a clause's formulas; None where one has none."""
        names = self._needs[place].names
        return tuple(self._reader.value(slot, name, what) for what in names) if names else ()

    def choice(self, slot: Slot, name: str, place: int) -> Choice:
        """Return how the clause at this place starts the slot."""
        clause = self.table.clauses[place]
        choice = Choice(clause, place, slot, name)
        if choice.keeps:
            return choice
        choice.beside = tuple(self._for_other_rows(place, slot, name))
        choice.formulas = [f for each in choice.clauses for f in each.named_formulas]
        key: object = place
        info = None
        if not self.same_everywhere[place]:
            info = slot_info(slot)
            # Biases have no fans of their own to report.
            is_bias = info is not None and info.sibling is not None
            matrix = len(slot.shape) > 1 and not is_bias
            choice.fans = self._needs[place].fans if matrix else None
            choice.fans_from = _fans_from(choice.fans, clause, info)
            # info is a value: it compares by what it says, so like layers meet in one entry. With
            # the class's name it is all that `narrowed` shows, and so all that may decide.
            key = None
            if self.same_by_kind(place):
                known = self.values(place, slot, name)
                key = (place, tuple(slot.shape), info, _class_name(slot), known)
        shared = self._shared.get(key)
        if shared is None:
            self._resolve(choice, info, key)
        else:
            choice.distribution, choice.formulas = shared
        return choice

    def _for_other_rows(self, place: int, slot: Slot, name: str) -> Iterator[tuple[int, Clause]]:
        """Yield the rules for some rows that stand right below another for some rows."""
        if self.table.clauses[place].rows is None:
            return
        for other in self.table.every(slot, name, canonical_of(slot, name)):
            clause = self.table.clauses[other]
            if other > place and clause.rows is None:
                return
            if other > place:
                yield other, clause

    def _of_rows(
        self, choice: Choice, info: ParameterInfo | None, site: Site
    ) -> Distribution | Problem:
        """Return what rules for some rows start together, or what keeps one, or all, from it."""
        found = []
        for place, clause in ((choice.place, choice.clause), *choice.beside):
            one = replace(choice, clause=clause, place=place)
            try:
                found.append((clause, _resolved(clause, self._site(one, info))))
            except Exception as error:  # a user's own class may raise anything
                return as_in_file(self._mismatch(error, one), clause)
        made = rows_together(found, site)
        if isinstance(made, str):
            return SchemeMismatch(f"{choice.name}: {made}", names=[choice.name])
        return made

    def _resolve(self, choice: Choice, info: ParameterInfo | None, key: object) -> None:
        """Find the distribution; a key says which other slots have the same, None that none has."""
        clause, site = choice.clause, self._site(choice, info)
        try:
            made = self._of_rows(choice, info, site) if choice.beside else _resolved(clause, site)
            if isinstance(made, Problem):
                choice.error = made
                return
            distribution = _fitting(made, site)
        except Exception as error:  # a user's own class may raise anything
            choice.error = as_in_file(self._mismatch(error, choice), clause)
            return
        if choice.formulas:
            named = (f for each in choice.clauses for f in each.named_formulas)
            choice.formulas = [formula.decided(site.lookup) for formula in named]
        asks_no_fans = isinstance(distribution, Stored | Group) or distribution.copy is distribution
        if asks_no_fans:
            choice.fans, choice.fans_from = None, ""
        distribution = self._of_first(distribution)
        choice.distribution = distribution
        if key is not None:
            self._shared[key] = distribution, choice.formulas

    def _site(self, choice: Choice, info: ParameterInfo | None) -> Site:
        """Return what the scheme of a clause may know, with what schemes of its kind alone ask."""
        clause, slot, name = choice.clause, choice.slot, choice.name
        stars = _stars(clause, slot, name)
        site = self._reader.site(slot, name, info, layout=clause.layout, stars=stars)
        if clause.matcher.members > 1:
            site = replace(site, member=member_of(clause, slot, name))
        kinds = {type(scheme) for scheme in clause.scheme.walk()}
        if CopyOf in kinds:
            scopes = tuple(clause.matcher.scopes(slot, name))
            site = replace(site, scopes=scopes, others=self._names)
        if Pretrained in kinds:  # which finds a tied one under any of its names
            site = replace(site, aliases=self._tied_names.get(name, slot.paths))
        return site

    def _mismatch(self, error: Exception, choice: Choice) -> Problem:
        problem = _mismatch(error, choice)
        if (entry := own_line(choice.clause)) is not None:
            found = self._mended_line(entry, error, choice)
            helps = found is not None and choice.slot.name in found.names
            problem.shown = Correction(entry, found.line if found is not None and helps else None)
        return problem

    def _mended_line(self, entry: Entry, error: Exception, choice: Choice) -> Startable | None:
        """Return a user's own rule, mended, where that gives the parameter a distribution."""
        place, clause = choice.place, choice.clause
        if not isinstance(error, InitkitError) or clause.rows or isinstance(clause.scheme, Joint):
            return None
        if place not in self._mended:  # many parameters may fail by one rule
            taken = taken_by(place, self.table, self._view.slots)

            def read(form: Entry) -> None:
                (changed,) = read_rules(form.table)
                for why in (self._why_not(place, changed.scheme, slot) for slot in taken):
                    if why is not None:
                        raise why

            line = mended(entry, error, read)
            if line is not None:
                self._mended[place] = Startable(line, frozenset(slot.name for slot in taken))
            else:
                why_not, slots = partial(self._why_not, place), self._view.slots
                self._mended[place] = startable(entry, place, self.table, slots, taken, why_not)
        return self._mended[place]

    def _why_not(self, place: int, scheme: Scheme, slot: Slot) -> Exception | None:
        """Return why a slot cannot start by a scheme in the rule at a place, or None."""
        clause = replace(self.table.clauses[place], scheme=scheme)
        try:
            site = self._site(Choice(clause, place, slot, slot.name), slot_info(slot))
            _fitting(_resolved(clause, site), site)
        except Exception as error:  # a user's own class may raise anything
            return error
        return None

    def _of_first(self, distribution: Distribution) -> Distribution:
        """Let a copy of what has several names be one of the first, so that tied copies agree."""
        if (copy := distribution.copy) is None:
            return distribution
        names = self._tied_names.get(copy.parameter, (copy.parameter,))
        return with_copy(distribution, replace(copy, parameter=names[0]))

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(n for slot in self._view.slots for n in (*slot.paths, *slot.canonicals))

    @cached_property
    def _tied_names(self) -> dict[str, tuple[str, ...]]:
        return tied_names(self._view.slots)


def _fitting(distribution: Distribution, site: Site) -> Distribution:
    """Return a distribution that the tensor can have, as it is."""
    if text := distribution.misfit(site.shape):
        raise SchemeMismatch(f"it gives {distribution}, and {text}")
    return distribution


def _resolved(clause: Clause, site: Site) -> Distribution:
    """Return the distribution of a clause, of the rows alone that it writes."""
    if clause.rows is None:
        return resolve(clause.scheme, site)
    count = site.shape[0] if site.shape else 0
    start, stop = clause.rows.within(count)
    if start == stop:
        raise site.mismatch(f"rows {clause.rows} are not among its {count} rows")
    part = resolve(clause.scheme, site.rows(start, stop))
    return Rows(part, start, stop, site.shape)


class SiteReader:
    """Tell what schemes may know of the slots of one model."""

    def __init__(self, view: ModelView) -> None:
        self._names = FormulaNames(view)
        self.value = self._names.value

    def site(
        self,
        slot: Slot,
        name: str,
        info: ParameterInfo | None,
        *,
        layout: Layout | None = None,
        stars: tuple[str, ...] = (),
    ) -> Site:
        """Return the site of a slot under one of its names."""
        return Site(
            tuple(slot.shape),
            name=name,
            owner=_class_name(slot),
            layout=layout or (info.layout if info is not None else None),
            default=info.default if info is not None else None,
            sibling=info.sibling if info is not None else None,
            stacked=info.stacked if info is not None else 1,
            gates=info.gates if info is not None else (),
            context=lambda what: self._names.look_up(slot, name, what),
            stars=stars,
            shape_only=slot.owner is None,
        )


def _class_name(slot: Slot) -> str:
    return kind_of(slot.owner).__name__ if slot.owner is not None else ""


def _stars(clause: Clause, slot: Slot, name: str) -> tuple[str, ...]:
    """Return what the wildcards of a rule took of a name, with or without wrappers."""
    canonical = canonical_of(slot, name)
    return clause.matcher.stars(slot, name) or clause.matcher.stars(slot, canonical)


def canonical_of(slot: Slot, name: str) -> str:
    """Return one of a slot's names without the segments that wrappers add."""
    return slot.canonicals[slot.paths.index(name)] if name in slot.paths else name


def member_of(clause: Clause, slot: Slot, name: str) -> int:
    """Return which of the names in a rule's braces takes a slot, with or without wrappers."""
    canonical = canonical_of(slot, name)
    return clause.matcher.member(slot, name) or clause.matcher.member(slot, canonical)


def slot_info(slot: Slot) -> ParameterInfo | None:
    """Return what is known of the slot's module, or None."""
    if slot.owner is None:
        return None
    return parameter_info(slot.owner, slot.key, slot.shape, slot.lineage)


def _fans_from(fans: FansOf | None, clause: Clause, info: ParameterInfo | None) -> str:
    """Return where fans come from: the rule's layout, the module, or the shape alone."""
    if fans == "tensor":
        return "shape"
    if clause.layout is not None:
        return "layout"
    return "module" if info is not None and info.layout is not None else "shape"


def _mismatch(error: Exception, choice: Choice) -> Problem:
    rule, recipe = choice.clause.label, choice.clause.recipe
    missing = error.formula.rpartition(".")[2] if isinstance(error, FormulaError) else ""
    option = (
        f"; or say it: {recipe.name}({missing}=...)" if recipe and missing in recipe.options else ""
    )
    own = isinstance(error, InitkitError)
    why, hint = (
        (error.message, error.hint) if isinstance(error, InitkitError) else (repr(error), "")
    )
    problem = SchemeMismatch(
        f"{choice.name}: {choice.clause.scheme} cannot start it (rule {rule!r}): {why}",
        names=[choice.name],
        rule=rule,
    )
    problem.hint = f"{hint}{option}"
    # The traceback of a user's own class leads to its fault; ours would add nothing to the text.
    problem.__cause__ = None if own else error
    return problem
