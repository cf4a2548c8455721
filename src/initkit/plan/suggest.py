"""Which recipes fit a model, judged by the files and names of its classes, and its parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, overload

import torch
from torch import nn

from ..errors import OptionError
from ..model import ModelView, Slot
from ..render import fold, text_table
from ..rules import (
    All,
    Clause,
    HasTorchDefault,
    ParameterOf,
    Recipe,
    Role,
    Type,
    aliases,
    describe_recipe,
    list_recipes,
    read_rules,
)
from .matching import RuleTable
from .resolve import Resolver

_MOST = 8
_LEAST = 0.15  # of the best score
_FEW = 0.1  # of the parameters
_EVERYWHERE = frozenset(  # words of any rule, and of any network
    "weight bias norm re in type start out layer layers encoder decoder "
    "bn classifier conv fc fc1 fc2 head block blocks".split()
)
_OVERRIDDEN = 0.15  # what it is worth to inherit a method that a class of the model overrides
_TELL_NOTHING = frozenset(("model", "models", "modules", "utils", "main", "__main__"))


@dataclass(frozen=True, slots=True)
class Suggestion:
    """How well one recipe fits a model.

    Shares of the model's parameters: ``covers``, that start by a rule of the recipe; ``own``, that
    start by a rule about this family rather than about every Linear or norm; ``rare``, the same,
    divided by the number of families that have a rule of their own for the parameter; ``code``, in
    modules from the file that the recipe names as its source; ``named``, in modules whose class
    is called after the family, or is named by the source; ``base``, in models that inherit the
    method that the source names (little where a class of theirs overrides it); ``fits``, in
    modules of a package that the recipe fits; ``home``, of a package that its source is in;
    ``called`` is 1 where the name that the model bears (as those of timm do, in
    ``pretrained_cfg``) is the family's. ``open`` are the parameters without a rule.
    """

    recipe: str
    covers: float
    own: float
    rare: float
    code: float
    named: float
    base: float
    called: float
    fits: float
    home: float
    open: tuple[str, ...]
    summary: str

    @property
    def score(self) -> float:
        """The order of suggestions: what the recipe covers, times what speaks for it."""
        special = "-" in self.recipe.partition("/")[2]  # the plain variant before the special one
        # A file named as the source says most, an inherited method least.
        family = 3 * self.code + 2.5 * self.called + 2 * self.named + self.base
        if not family and self.own < _FEW:  # a name or two that it shares by chance
            return 0.0
        # A package is no evidence by itself: transformers holds hundreds of families.
        evidence = family + (self.fits + self.home) * min(family, 1.0) + self.rare
        # A recipe that leaves a tenth of the parameters open counts a third.
        return self.covers**10 * max(evidence - 0.25 * special, 0.0)

    @property
    def why(self) -> str:
        """What speaks for the recipe, in words."""
        said = [
            ("its code", self.code),
            ("its name", self.called),
            ("class names", self.named),
            ("inherited code", self.base),
            ("own rules", self.own),
        ]
        return ", ".join(f"{what} {share:.0%}" for what, share in said if share) or "nothing"

    def __str__(self) -> str:
        return f"{self.recipe} (covers {self.covers:.0%}; {self.why})"


class Suggestions(Sequence[Suggestion]):
    """The recipes that fit a model, the best first; printing shows a table."""

    def __init__(self, model: str, parameters: int, found: Sequence[Suggestion]) -> None:
        self.model, self.parameters, self._found = model, parameters, tuple(found)

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, index: int) -> Suggestion: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Suggestion, ...]: ...
    def __getitem__(self, index: int | slice) -> Suggestion | tuple[Suggestion, ...]:
        return self._found[index]

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """Return the suggestions as text, folded to ``width`` where one is given."""
        rows = [(s.recipe, f"{s.covers:.1%}", s.why, s.summary) for s in self]
        lines = [f"{self.model}: {self.parameters:,} parameters; nothing has been applied"]
        lines += [text_table(["recipe", "covers", "what speaks for it", ""], rows, "lrll", width)]
        if self and self[0].open:
            names = ", ".join(self[0].open[:5])
            told = f"{self[0].recipe} leaves {len(self[0].open)} without a rule: {names}"
            lines.append(fold(told, width))
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Suggestions: {', '.join(s.recipe for s in self)}>"


def suggest_recipe(model: nn.Module | Mapping[str, Any]) -> Suggestions:
    """Return the recipes that fit ``model`` best; apply nothing.

    It goes by the files that the model's classes come from, by their names, by the model's own name
    where it bears one, and by the share of parameters that each recipe's rules start. The result is
    a sequence of :class:`Suggestion`; of equals, the recipe that a bare family name means goes
    first. Recipes for which nothing speaks are left out, but for ``torch_default``.

    Raises :class:`TargetError` for what is no model.

    >>> print(suggest_recipe(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)))[0].recipe)
    torch_default
    """
    _families.cache_clear()  # recipes may have been registered since
    _family.cache_clear()
    view = ModelView(model)
    slots = [slot for slot in view.slots if _is_parameter(slot)]
    kinds = _kinds(slots)
    tried = (_try(view, recipe, kinds) for recipe in _recipes()) if kinds else ()
    trials = [trial for trial in tried if trial is not None]
    rarity, called = _rarity(trials, kinds), _family(_own_name(model))
    scored = [_judge(trial, kinds, rarity, called) for trial in trials]
    found = sorted((s for s in scored if s.score > 0), key=_order)
    found = [s for s in found if s.score >= _LEAST * found[0].score][:_MOST]
    if all(s.recipe != "torch_default" for s in found):
        found += [s for s in scored if s.recipe == "torch_default" and s.covers]
    return Suggestions(view.title, len(slots), found)


def _is_parameter(slot: Slot) -> bool:
    """Say whether a slot counts: raw tensors behind a computed weight do not, it does itself."""
    return slot.kind != "buffer" and slot.tensor is not None and not slot.literal


def _order(found: Suggestion) -> tuple[float, bool, str]:
    """Return what suggestions are sorted by: of equals, what a bare family name means is first."""
    family = found.recipe.partition("/")[0]
    bare = aliases().get(family, family)
    return -round(found.score, 9), found.recipe != bare, found.recipe


def _recipes() -> Iterator[Recipe]:
    other = aliases()
    for name in list_recipes():
        if name not in other:
            yield describe_recipe(name)


@dataclass(slots=True)
class _Kind:
    """Parameters that differ in nothing but numbers: one of them, and all their names.

    ``slots`` is that one with all that hold the same tensor: a rule for any of them starts it.
    """

    slots: list[Slot]
    names: list[str]
    files: frozenset[str]
    packages: frozenset[str]
    classes: frozenset[str]
    families: frozenset[str]
    starters: tuple[str, ...]


def _kinds(slots: Sequence[Slot]) -> list[_Kind]:
    found: dict[Any, _Kind] = {}
    held: dict[int, list[Slot]] = {}
    for slot in slots:
        # By id of the tensor, which its slot keeps alive; tied slots hold one object.
        held.setdefault(id(slot.tensor), []).append(slot)
    for slot in slots:
        classes = tuple(type(module) for module in slot.lineage)
        # Layers of a stack differ in numbers alone: one is tried for all of them.
        key = (re.sub(r"\d+", "#", slot.name), classes)
        if key not in found:
            places = frozenset(cls.__module__ for cls in classes if cls.__module__[:6] != "torch.")
            packages = frozenset(place.partition(".")[0] for place in places)
            families = frozenset(_family(cls.__name__) for cls in classes) - {""}
            # A class inside another's model has two families around it; the longer name says more.
            best = frozenset(sorted(families, key=len)[-1:])
            names = frozenset(cls.__name__ for cls in classes)
            tied = [slot, *(other for other in held[id(slot.tensor)] if other is not slot)]
            found[key] = _Kind(tied, [], places, packages, names, best, _starters(classes))
        found[key].names.append(slot.name)
    return list(found.values())


def _starters(classes: Iterable[type]) -> tuple[str, ...]:
    """Return the names of the outermost ``_init_weights``, the one that overrides first."""
    for cls in classes:
        defined = [vars(base).get("_init_weights") for base in cls.__mro__]
        if any(defined):
            return tuple(getattr(method, "__qualname__", "") for method in defined if method)
    return ()


def _own_name(model: object) -> str:
    """Return the name that a model of timm bears: one class there builds several families."""
    config = getattr(model, "pretrained_cfg", None)
    return str(config.get("architecture") or "") if isinstance(config, Mapping) else ""


@lru_cache(maxsize=4096)
def _family(given: str) -> str:
    """Return the recipes' family that a class or a model is called after: the longest name."""
    name = given.lower()
    return max((f for f in _families() if _called_after(name, f)), key=len, default="")


@lru_cache(maxsize=1)
def _families() -> frozenset[str]:
    return frozenset(name.partition("/")[0] for name in list_recipes()) - {"torch_default"}


def _called_after(name: str, family: str) -> bool:
    first, *rest = family.lower().split("_")
    at = len(first)
    if not name.startswith(first):
        return False
    for part in rest:
        at = name.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True


@dataclass(slots=True)
class _Trial:
    """One recipe, tried on every kind of parameter: the clauses that won."""

    recipe: Recipe
    clauses: list[Clause | None]
    own: list[bool]

    @property
    def family(self) -> str:
        """The first part of the recipe's name."""
        return self.recipe.name.partition("/")[0]


def _try(view: ModelView, recipe: Recipe, kinds: Sequence[_Kind]) -> _Trial | None:
    try:
        resolver = Resolver(view, RuleTable(read_rules(recipe)))
    except OptionError:  # it needs an option that only the user knows
        return None
    clauses = [_winner(resolver, kind.slots) for kind in kinds]
    own = [_speaks_of_family(c, kind) for c, kind in zip(clauses, kinds, strict=True)]
    return _Trial(recipe, clauses, own)


def _rarity(trials: Sequence[_Trial], kinds: Sequence[_Kind]) -> list[float]:
    """Return 1/(the number of families that have a rule of their own) for each kind."""
    takers = [{trial.family for trial in trials if trial.own[i]} for i in range(len(kinds))]
    return [1 / max(len(families), 1) for families in takers]


def _judge(
    trial: _Trial, kinds: Sequence[_Kind], rarity: Sequence[float], called: str
) -> Suggestion:
    recipe, total = trial.recipe, sum(len(kind.names) for kind in kinds)
    families = {other.partition("/")[0] for other, it in aliases().items() if it == recipe.name}
    families.add(trial.family)
    # Words with a capital in the source's text are class names, but for those of torch.nn.
    spoken = set(re.findall(r"\b[A-Z]\w{2,}", recipe.source)) - _torch_classes()

    def share(values: Iterable[float]) -> float:
        return sum(len(k.names) * v for k, v in zip(kinds, values, strict=True)) / total

    open_ = [
        name
        for kind, clause in zip(kinds, trial.clauses, strict=True)
        if clause is None
        for name in kind.names
    ]
    return Suggestion(
        recipe.name,
        covers=1 - len(open_) / total,
        own=share(trial.own),
        rare=share(own * rare for own, rare in zip(trial.own, rarity, strict=True)),
        code=share(any(_is_source(f, recipe.source) for f in kind.files) for kind in kinds),
        named=share(bool(k.families & families or k.classes & spoken) for k in kinds),
        base=share(_inherits(kind.starters, recipe.source) for kind in kinds),
        called=float(called in families),
        fits=share(bool(kind.packages.intersection(recipe.fits)) for kind in kinds),
        home=share(any(_names(p, recipe.source) for p in kind.packages) for kind in kinds),
        open=tuple(open_),
        summary=recipe.summary,
    )


def _winner(resolver: Resolver, slots: Iterable[Slot]) -> Clause | None:
    """Return the clause that starts a tensor by the first of its names with one that can."""
    choices = (next(resolver.choices(slot), None) for slot in slots)
    able = (choice.clause for choice in choices if choice is not None and choice.error is None)
    return next(able, None)


def _inherits(starters: Sequence[str], source: str) -> float:
    """Return how far a model starts by the method that a recipe names: wholly, or overridden."""
    said = [_names(method, source) for method in starters]
    return 0.0 if not any(said) else 1.0 if said[0] else _OVERRIDDEN


def _names(what: str, source: str) -> bool:
    return bool(what) and re.search(rf"(?<![\w-]){re.escape(what)}(?![\w-])", source) is not None


def _is_source(place: str, source: str) -> bool:
    """Tell whether a recipe names the file of a Python module as its source."""
    package, _, rest = place.partition(".")
    if not rest:
        return package not in _TELL_NOTHING and f"{package}.py" in re.split(r"[\s/,]+", source)
    path = rest.replace(".", "/") + ".py"
    return package in source and re.search(rf"(?<![\w-]){re.escape(path)}", source) is not None


def _speaks_of_family(clause: Clause | None, kind: _Kind) -> bool:
    """Tell a rule about this family's parts from one about every Linear, norm or bias.

    What counts are the words of the rule that the parameter's names or classes really hold.
    """
    if clause is None or isinstance(clause.matcher, HasTorchDefault | Role):
        return False
    text = clause.text.replace("\\w", "").replace("\\d", "")
    words = {word for word in re.findall(r"[A-Za-z_]\w+", text) if word.lower() not in _EVERYWHERE}
    if isinstance(clause.matcher, Type | ParameterOf | All) and words & _torch_classes():
        return False
    held = " ".join([*kind.classes, *(slot.name for slot in kind.slots)])
    return any(word in held for word in words - _torch_classes())


@lru_cache(maxsize=1)
def _torch_classes() -> frozenset[str]:
    bases = {"_BatchNorm", "_ConvNd", "_NormBase", "_InstanceNorm"}
    return frozenset(name for name in dir(torch.nn) if name[0].isupper()) | bases
