"""Name the recipes that a model starts by: gather evidence, ask the values, look at the parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from torch import nn

from ..check.ask import Answer, Witness
from ..errors import OptionError, RecipeMisfit, TieConflict
from ..model import Model, ModelView, Slot, adapter_part
from ..numbers import no_collecting
from ..plan import DEFAULTS, KEEP, UNCOVERED, Plan, has_no_mark, plan_view
from ..recipes import families
from ..rules import Rules, aliases, describe_recipe, every_recipe
from ..wording import checks_calls
from .evidence import (
    PACKAGES,
    Evidence,
    bearings,
    families_of,
    find_kinds,
    own_rules,
    own_starter,
    rarity,
    weigh,
)
from .parts import STAYS, Explainer, tree
from .suggestions import Parts, Suggestion, Suggestions

_MOST = 8  # suggestions
_MOST_ASKED = 40  # recipes whose plans are compared with the values
_LEAST = 0.15  # of the best's strength, where nothing was asked
_MOSTLY_MOVED = 0.5  # of the parameters at most are where a recipe puts them
_FALLBACK = "torch_default"
_TRAINED = "training has moved them"


@checks_calls
@no_collecting()  # it makes a plan a recipe
def suggest_recipe(model: nn.Module | Mapping[str, Any]) -> Suggestions:
    """Return the recipes that fit ``model`` best; apply nothing.

    What speaks for a recipe is whose code the model is: the Python modules of its classes, the
    name that it bears, what it inherits; of a model that no library holds, its names. Then the
    values are asked: a fresh model holds what its code gave it, and the recipes that plan the same
    go first. Where there are none, or they tell nothing, ``silent`` says so. ``parts``
    is a table by module paths, for models that are made of others.

    Raises :class:`TargetError` for what is no model.

    >>> print(suggest_recipe(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)))[0].recipe)
    torch_default
    """
    return _Adviser(model).advise()


class _Adviser:
    """One model, and all that is known of it on the way to suggestions."""

    def __init__(self, model: Model) -> None:
        self.view = ModelView(model)
        self.slots = [slot for slot in self.view.slots if _is_parameter(slot)]
        self.kinds = find_kinds(self.slots)
        self.recipes = {recipe.name: recipe for recipe in every_recipe()}
        self.plans: dict[str, Plan] = {}
        self.answers: dict[str, Answer] = {}
        self.decided = True  # the values tell recipes apart
        self.mute: frozenset[str] = frozenset()  # parameters without values

    def advise(self) -> Suggestions:
        if not self.kinds:
            return Suggestions(self.view.title, 0, ())
        witness = Witness(self.view)
        silent, self.mute = witness.silent, witness.mute
        asked = None if silent else witness
        for tier, names in enumerate(self._candidates()):
            if tier and (asked is None or self._is_settled()):
                break
            for name in names:
                if not tier or (asked is not None and self._explains_more(name, asked)):
                    self._try(name, asked)
        silent = silent or self._says_nothing()
        if silent == _TRAINED:
            self.answers = {}
        if silent and (starter := own_starter(self.kinds)):
            silent += f", and what {starter} does is in no recipe"
        self.decided = not silent
        able = filter(None, map(self._suggestion, self.plans))
        found = _worth_telling(list(able), by_values=self.decided)
        parts = self._parts(witness if not silent else None, found)
        title, count = self.view.title, len(self.slots)
        mute = () if silent else tuple(sorted(self.mute))
        return Suggestions(title, count, found, parts=parts, silent=silent, mute=mute)

    # ------------------------------------------------------------------------------ evidence

    @cached_property
    def evidence(self) -> dict[str, Evidence]:
        """What speaks for every recipe; rules are read where no code tells the family."""
        name = _own_name(self.view.model)
        borne, called = bearings(self.kinds), families_of(self.recipes)
        found = {n: weigh(it, called[n], borne, name) for n, it in self.recipes.items()}
        if any(e.code or e.base for e in found.values()) or self._is_of_library:
            return found
        own = own_rules(self.view, self.recipes.values(), self.kinds)
        rare = rarity(own, self.kinds)
        sizes = [len(kind.names) for kind in self.kinds]

        def share(values: Sequence[float]) -> float:
            return sum(n * v for n, v in zip(sizes, values, strict=True)) / sum(sizes)

        return {
            n: replace(
                e,
                own=share([float(mark) for mark in own[n]]),
                rare=share([mark * r for mark, r in zip(own[n], rare, strict=True)]),
            )
            for n, e in found.items()
        }

    def _candidates(self) -> Iterator[list[str]]:
        """Yield the recipes that something speaks for, then others that may be true all the same.

        A recipe of the same package may hold for a family that has none by its own name, and one
        that a bare family name means for a model of no package whose classes are called otherwise.
        """
        known = {n: evidence.strength for n, evidence in self.evidence.items()}
        ranked = sorted(known, key=lambda n: (-known[n], n))
        strong = self._able(n for n in ranked if known[n] > 0 and n != _FALLBACK)
        # Those whose code is in the model may each explain a part of it.
        near = [n for n in strong[_MOST:] if self.evidence[n].code > 0]
        yield [*strong[:_MOST], *near[:_MOST_ASKED], _FALLBACK]
        yield [n for n in strong[_MOST:_MOST_ASKED] if n not in near]
        rest = (n for n in ranked if self.evidence[n].home > 0 and not known[n])
        yield self._able(rest)[:_MOST_ASKED]
        if not self._holds_package:
            meant = {other for name, other in aliases().items() if name in families()}
            yield self._able(n for n in ranked if n in meant and not known[n])

    def _able(self, names: Iterable[str]) -> list[str]:
        """Return the recipes that find what marks their family in the model."""
        some = [slot for kind in self.kinds for slot in kind.slots]
        return [n for n in names if not has_no_mark(self.recipes[n], self.view, some)]

    def _is_settled(self) -> bool:
        """Whether no other recipe need be asked: one holds, values tell nothing, or all is known.

        What a package's code starts may be explained by another recipe of the package; what is
        nobody's, by none that is about a package.
        """
        if any(answer.share == 1 for answer in self.answers.values()):
            return True
        if not self._holds_package:  # what looks trained may have been started by another recipe
            return False
        known = self._agreeing()
        open_ = [kind for kind in self.kinds if not known.issuperset(kind.names)]
        return bool(self._says_nothing()) or not any(kind.packages & PACKAGES for kind in open_)

    @cached_property
    def _holds_package(self) -> bool:
        """Whether a package's code tells the family of some part."""
        return any(kind.packages & PACKAGES for kind in self.kinds)

    def _agreeing(self) -> frozenset[str]:
        """Return the parameters that some recipe starts as they are."""
        return frozenset().union(*(answer.agreeing for answer in self.answers.values()))

    def _explains_more(self, name: str, witness: Witness) -> bool:
        """Say whether a recipe holds of all, or of what none does so far, by a few of each kind."""
        if (plan := _planned(self.few, name)) is None:
            return False
        answer = witness.answer(plan)
        return answer.share == 1 or not answer.agreeing <= self._agreeing()

    @cached_property
    def few(self) -> ModelView:
        """The model with a few parameters of each kind."""
        return self.view.among([name for kind in self.kinds for name in kind.names[:2]])

    def _try(self, name: str, witness: Witness | None) -> None:
        plan = self._plan(name)
        if plan is not None:
            self.plans[name] = plan
            if witness is not None:
                self.answers[name] = witness.answer(plan)

    def _plan(self, rules: Rules) -> Plan | None:
        """Return what rules plan for the model, as :func:`_planned`; of a recipe only once."""
        if isinstance(rules, str) and rules in self.plans:
            return self.plans[rules]
        return _planned(self.view, rules)

    # ------------------------------------------------------------------------------- judging

    def _says_nothing(self) -> str:
        """Return why the values that are there tell nothing of a recipe; "" where they do."""
        best = max(self.answers.values(), key=lambda a: a.share, default=None)
        # Training moves all that learns: what most of a model agrees with says something.
        if best is not None and best.failures and best.trained and best.share <= _MOSTLY_MOVED:
            return _TRAINED
        plain = self.answers.get(_FALLBACK)
        if plain is not None and plain.share and not plain.failures and not self._is_of_library:
            return "they are torch's own defaults, as if nothing had started them yet"
        return ""

    @cached_property
    def _is_of_library(self) -> bool:
        """Whether a library's module tells the family of the model better than any names do."""
        places = {place for kind in self.kinds for place in kind.places[:1]}
        return any(place.partition(".")[0] in PACKAGES for place in places)

    def _suggestion(self, name: str) -> Suggestion | None:
        """Return what a recipe's plan and the values say; None where the planner refuses it."""
        plan, answer = self.plans[name], self.answers.get(name)
        if len(plan.with_status(UNCOVERED)) == len(plan):  # its rules are about other models
            return None
        recipe = name
        if _refused(plan):
            # More than the values must speak for what the code of the model speaks against.
            known = answer is not None and answer.share == 1 and self.evidence[name].strength > 0
            if not known:
                return None
            recipe = self._insisting(name)
        total = len(plan.steps)
        wrong = [n for problem in plan.problems for n in problem.names]
        bare = tuple(n for step in plan.with_status(UNCOVERED) for n in step.names)
        first = ""
        if answer is not None and answer.failures:
            failure = answer.failures[0]
            first = f"{failure.name}: {failure.planned} planned, {failure.seen} seen"
        return Suggestion(
            recipe,
            covers=1 - len(plan.with_status(UNCOVERED)) / total - len({*wrong}) / total,
            agrees=None if answer is None else answer.share,
            disagrees=first,
            evidence=self.evidence[name],
            open=bare,
            summary=self.recipes[name].summary,
        )

    # ----------------------------------------------------------------------------- by parts

    def _parts(self, witness: Witness | None, found: Sequence[Suggestion]) -> Parts:
        by_name = {slot.name: slot for slot in self.slots}
        adapter = self._adapter(by_name)
        root = tree(self.kinds, by_name)
        ranked = sorted(self.plans, key=lambda n: (-self.evidence[n].strength, n))
        explains = {name: self._explained(name) for name in ranked}
        least = 0.0 if witness is not None else 0.5
        anyones = {_FALLBACK, *(n for n in ranked if self._is_anyones(n, witness))}
        anyones |= {s.recipe for s in found[:1] if s.agrees == 1}  # whosever code it is
        recipes = [self.recipes[n] for n in ranked]
        told = Explainer(recipes, explains, frozenset(anyones), least).explain(root)
        if "" in told.open:  # nothing explains any part, and the suggestions say so
            return Parts(adapter=adapter)
        rows, refused = self._accepted([_row(*row, by_name) for row in told.rows], witness)
        left = [*told.open, *refused]
        parts = _parts_of(left, rows, adapter, by_name)
        if (plan := self._plan(parts.rules) if parts.rows else None) is None:
            return parts
        # One of several names of a tensor that a row starts is no part that nothing explains.
        tied = [n for p in plan.problems if isinstance(p, TieConflict) for n in p.names]
        if any(_is_in(name, left) for name in tied):
            left = [path for path in left if not any(_is_in(name, [path]) for name in tied)]
            parts = _parts_of(left, rows, adapter, by_name)
            plan = self._plan(parts.rules) or plan
        if witness is None:
            return parts
        held = [step for step in plan if self.mute.isdisjoint(step.names)]
        kept = sum(step.status == KEEP and _is_in(step.name, left) for step in held)
        answer = witness.answer(plan)
        wrong = bool(answer.failures)
        return replace(parts, agrees=answer.share - kept / len(held), disagrees=wrong)

    def _accepted(
        self, rows: Sequence[tuple[str, str]], witness: Witness | None
    ) -> tuple[list[tuple[str, str]], list[str]]:
        """Return rows as the planner takes them, and the parts for which it takes none.

        It refuses what the code of a part starts otherwise by its own recipe. Where the values say
        that the part does start so, the table insists.
        """
        plan = self._plan(Parts(tuple(rows)).rules) if rows else None
        wrong = _refused(plan) if plan is not None else set()
        taken, left = [], []
        for path, recipe in rows:
            alone = self._plan({path: recipe}) if recipe in wrong else None
            if alone is None or not _refused(alone):
                taken.append((path, recipe))
            elif witness is not None:
                taken.append((path, self._insisting(recipe)))
            else:
                left.append(path)
        return taken, left

    def _insisting(self, name: str) -> str:
        return self.recipes[name](insist=True).label

    def _is_anyones(self, name: str, witness: Witness | None) -> bool:
        """Whether a recipe is for any family of its package: the values confirm it, or the code."""
        inherited = "_init_weights" in self.recipes[name].source
        return self.evidence[name].base > 0 or (inherited and witness is not None)

    def _explained(self, name: str) -> frozenset[str]:
        plan = self.plans[name]
        steps = [step for step in plan if step.status != UNCOVERED]
        if self.decided and name in self.answers:
            # What holds no values is explained by whose code it is.
            explained = self.answers[name].agreeing | self.mute
            steps = [step for step in steps if step.name in explained]
        # What is tied is explained under all of its names.
        return frozenset(n for step in steps for n in step.names)

    def _adapter(self, by_name: Mapping[str, Slot]) -> str:
        """Return the recipe that explains what an adapter holds; "" where there is none."""
        held = {name for name, slot in by_name.items() if adapter_part(slot)}
        able = [n for n in self.plans if held and held & self._covered(n)]
        ranked = sorted(
            able,
            key=lambda n: (
                -len(held & self._explained(n)),
                n != aliases().get(n.partition("/")[0]),
                n,
            ),
        )
        return ranked[0] if ranked else ""

    def _covered(self, name: str) -> set[str]:
        return {s.name for s in self.plans[name].steps if s.status != UNCOVERED}


def _planned(view: ModelView, rules: Rules) -> Plan | None:
    """Return what rules plan for a view; None where they need what only the user knows."""
    try:
        return plan_view(view, rules, {**DEFAULTS, "idle": "ignore"})
    except OptionError:
        return None


def _refused(plan: Plan) -> set[str]:
    """Return the labels of the recipes that the planner refuses for its model."""
    return {problem.rule for problem in plan.problems if isinstance(problem, RecipeMisfit)}


def _is_parameter(slot: Slot) -> bool:
    """Say whether a slot counts: raw tensors behind a computed weight do not, it does itself."""
    return slot.kind != "buffer" and slot.tensor is not None and not slot.literal


def _own_name(model: object) -> str:
    """Return the name that a model of timm bears: one class there builds several families."""
    config = getattr(model, "pretrained_cfg", None)
    return str(config.get("architecture") or "") if isinstance(config, Mapping) else ""


def _order(found: Suggestion, by_values: bool) -> tuple[Any, ...]:
    """Return what suggestions are sorted by: what agrees, then what speaks for them.

    Of equals, what follows the least other code is first, then what a bare family name means, and
    the plain variant before a special one.
    """
    family, _, variant = found.recipe.partition("/")
    bare = aliases().get(family, family)
    share = found.agrees or 0.0
    strength = found.evidence.strength * found.covers**10 - 0.25 * ("-" in variant)
    follows = len(describe_recipe(found.recipe).modules) if found.evidence.code else 0
    rest = (-round(strength, 9), follows, found.recipe != bare, found.recipe)
    # Values that tell little put first what holds of all of them, and else nothing.
    return -round(share if by_values else float(share == 1), 6), *rest


def _worth_telling(found: Sequence[Suggestion], by_values: bool) -> list[Suggestion]:
    """Return in order what the values or anything else speaks for."""
    found = sorted(found, key=lambda one: _order(one, by_values))
    best = max((s.evidence.strength for s in found), default=0.0)
    known = [s for s in found if s.evidence.strength > _LEAST * best]
    # What merely starts alike is worth a word where nothing that is known of the model holds.
    alike = [] if any(s.agrees == 1 for s in known) else [s for s in found if s.agrees == 1]
    told = [s for s in found if s.recipe != _FALLBACK and (s in known or s in alike)][:_MOST]
    last = [s for s in found if s.recipe == _FALLBACK and s.covers]
    return sorted([*told, *last], key=lambda one: _order(one, by_values))


def _is_in(name: str, paths: Sequence[str]) -> bool:
    """Tell whether a parameter is one of these, or stands in one of these modules."""
    return any(name == path or name.startswith(f"{path}.") for path in paths)


def _parts_of(
    left: Sequence[str], rows: Sequence[tuple[str, str]], adapter: str, by_name: Mapping[str, Slot]
) -> Parts:
    """Return the table of the parts that are explained, behind those left as they are."""
    table = (*(_row(path, STAYS, by_name) for path in left), *rows)
    return Parts(table, adapter, tuple(left))


def _row(path: str, recipe: str, by_name: Mapping[str, Slot]) -> tuple[str, str]:
    """Return a row of a rule table; a scheme's name needs a glob, where a recipe's takes a path."""
    if not path:
        return "*", recipe
    if path in by_name:
        return path, recipe
    return (f"{path}.*" if recipe in (STAYS, _FALLBACK) else path), recipe
