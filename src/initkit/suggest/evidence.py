"""What speaks for a recipe: whose code a model is, its names, and what its rules are about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from ..errors import OptionError
from ..model import ModelView, Slot
from ..plan import Resolver, RuleTable
from ..rules import (
    LIBRARIES,
    All,
    Clause,
    HasTorchDefault,
    Matcher,
    Mention,
    ParameterOf,
    Recipe,
    Role,
    Rule,
    Shared,
    Type,
    aliases,
    describe_recipe,
    follows,
    list_recipes,
    read_rules,
)

PACKAGES = LIBRARIES | {"peft"}
"""Packages whose modules tell the family: a class that is merely called alike is another."""
_EVERYWHERE = frozenset(  # words of any rule, and of any network
    "weight bias norm re in type start out layer layers encoder decoder "
    "bn classifier conv fc fc1 fc2 head block blocks".split()
)


@dataclass(slots=True)
class Kind:
    """Parameters that differ in nothing but numbers: one of them, and all their names.

    ``slots`` is that one with all that hold the same tensor: a rule for any of them starts it.
    ``places`` are the Python modules of the classes around it, from the root down, "" for torch's,
    and ``packages`` those that they are of.
    """

    slots: list[Slot]
    names: list[str]
    places: tuple[str, ...]
    classes: frozenset[str]
    starter: str
    packages: frozenset[str]


def find_kinds(slots: Sequence[Slot]) -> list[Kind]:
    """Return the parameters of a model, those together that differ in numbers alone."""
    found: dict[Any, Kind] = {}
    held: dict[int, list[Slot]] = {}
    for slot in slots:
        # By id of the tensor, which its slot keeps alive; tied slots hold one object.
        held.setdefault(id(slot.tensor), []).append(slot)
    for slot in slots:
        classes = tuple(type(module) for module in slot.lineage)
        key = (re.sub(r"\d+", "#", slot.name), classes)
        if key not in found:
            tied = [slot, *(other for other in held[id(slot.tensor)] if other is not slot)]
            names = frozenset(cls.__name__ for cls in classes)
            places = tuple(map(_place, slot.lineage))
            packages = frozenset(place.partition(".")[0] for place in places if place)
            found[key] = Kind(tied, [], places, names, _starter(classes), packages)
        found[key].names.append(slot.name)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Bearing:
    """What the code around a parameter says of its family, the same for most of a model.

    ``places`` and ``packages`` are those of its kind without torch's own, ``starter`` is the method
    that starts it, and ``classes`` are the names of the classes around it, none in a library.
    """

    places: frozenset[str]
    packages: frozenset[str]
    starter: str
    classes: frozenset[str]


def bearings(kinds: Iterable[Kind]) -> Counter[Bearing]:
    """Return what the parameters of a model bear, each with how many bear it."""
    found: Counter[Bearing] = Counter()
    for kind in kinds:
        places = frozenset(kind.places) - {""}
        classes = frozenset() if kind.packages & PACKAGES else kind.classes
        found[Bearing(places, kind.packages, kind.starter, classes)] += len(kind.names)
    return found


def _place(module: torch.nn.Module) -> str:
    """Return the Python module of a class; of remote code what its config calls the family."""
    place = type(module).__module__
    if place.startswith("torch."):
        return ""
    kind = getattr(getattr(module, "config", None), "model_type", None)
    if isinstance(kind, str) and place.partition(".")[0] == "transformers_modules":
        return f"transformers.models.{kind}"
    return place


def _starter(classes: Iterable[type]) -> str:
    """Return the name of the outermost ``_init_weights``, of the class that overrides first."""
    return str(getattr(_method(classes), "__qualname__", ""))


def _method(classes: Iterable[type]) -> object:
    overrides = (vars(base).get("_init_weights") for cls in classes for base in cls.__mro__)
    return next(filter(None, overrides), None)


def own_starter(kinds: Iterable[Kind]) -> str:
    """Return the name of an ``_init_weights`` that starts a package's model and is not its own."""
    for kind in kinds:
        classes = [type(module) for module in kind.slots[0].lineage]
        method = _method(classes)
        inherits = any(_is_packaged(base) for cls in classes for base in cls.__mro__)
        if method and inherits and not _is_packaged(method):
            return kind.starter
    return ""


def _is_packaged(thing: object) -> bool:
    return str(getattr(thing, "__module__", "")).partition(".")[0] in PACKAGES


@dataclass(frozen=True, slots=True)
class Evidence:
    """Shares of a model's parameters that speak for a recipe.

    ``code``: in modules whose code it follows; ``called``: 1 where the name that the model bears is
    the family's; ``named``: in modules called after the family, outside of libraries; ``base``: in
    models that inherit the method that it follows, and override nothing of it; ``home``: of its
    package; ``own``: that it has a rule of this family for, and ``rare`` the same, divided by the
    families that have one, too.
    """

    code: float = 0.0
    called: float = 0.0
    named: float = 0.0
    base: float = 0.0
    home: float = 0.0
    own: float = 0.0
    rare: float = 0.0

    @property
    def strength(self) -> float:
        """How much speaks for it: whose code it is says most, a method it inherits least."""
        family = 3 * self.code + 2.5 * self.called * (self.code > 0) + 2 * self.named + self.base
        # A package is no evidence by itself: transformers holds hundreds of families.
        return family + self.home * min(family, 1.0) + (self.rare if self.own >= _FEW else 0.0)

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


_FEW = 0.1  # of the parameters: a name or two may be shared by chance


def weigh(recipe: Recipe, families: frozenset[str], borne: Counter[Bearing], name: str) -> Evidence:
    """Return what of a model's code and name speaks for a recipe; its rules are not read."""
    total = borne.total()

    def share(speaks: Callable[[Bearing], object]) -> float:
        return sum(count for bearing, count in borne.items() if speaks(bearing)) / total

    return Evidence(
        code=share(lambda it: any(follows(recipe, place) for place in it.places)),
        called=float(bool(name) and _called_after(name, families)),
        named=share(lambda it: it.classes and _is_named(it.classes, recipe, families)),
        # It starts by the very method that the recipe names, and overrides nothing.
        base=share(lambda it: _names(it.starter, recipe.source)),
        home=share(lambda it: any(_names(package, recipe.source) for package in it.packages)),
    )


def families_of(recipes: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return recipe -> the families that it is of, by all its names."""
    found = {name: {name.partition("/")[0]} for name in recipes}
    for other, name in aliases().items():
        found[name].add(other.partition("/")[0])
    return {name: frozenset(families) for name, families in found.items()}


def _is_named(classes: frozenset[str], recipe: Recipe, families: frozenset[str]) -> bool:
    """Tell whether one of some classes is called after a family, or named in a recipe's source."""
    if classes & _spoken(recipe.source):
        return True
    return any(_is_called(name, family) for name in classes for family in families)


@lru_cache(maxsize=1024)
def _spoken(source: str) -> frozenset[str]:
    """Return a source's words with a capital: class names, but for those of torch.nn."""
    return frozenset(re.findall(r"\b[A-Z]\w{2,}", source)) - _torch_classes()


@lru_cache(maxsize=65536)
def _is_called(name: str, family: str) -> bool:
    """Tell whether a class is called after a family: its words, and no number behind them.

    >>> _is_called("GemmaRMSNorm", "gemma"), _is_called("Gemma4RMSNorm", "gemma")
    (True, False)
    """
    if family == "torch_default" or not _opens(name.lower(), family):
        return False
    words = r"\w*?".join(map(re.escape, family.split("_")))
    return re.match(rf"(?i:{words})(?![0-9a-z])", name) is not None


@lru_cache(maxsize=4096)
def _called_after(name: str, families: frozenset[str]) -> bool:
    """Tell whether the name that a model bears opens with a family's, as those of timm do.

    What timm took over from elsewhere is called so behind ``tf_`` or ``legacy_``.
    """
    name = re.sub("^(tf|legacy)_", "", name)
    return any(
        re.match(r"\w*?".join(map(re.escape, family.split("_"))), name)
        for family in families
        if _opens(name, family)
    )


def _opens(name: str, family: str) -> bool:
    """Tell at once of most names that they open otherwise than a family's first word."""
    return name.startswith(family.partition("_")[0])


@lru_cache(maxsize=65536)
def _names(what: str, source: str) -> bool:
    return bool(what) and re.search(rf"(?<![\w-]){re.escape(what)}(?![\w-])", source) is not None


# ------------------------------------------------------------------------------ by rules alone

_WORDS: dict[str, tuple[Recipe, frozenset[str]]] = {}
_READ: dict[str, tuple[Recipe, RuleTable]] = {}


def _words_of(recipe: Recipe, names: frozenset[str]) -> frozenset[str]:
    """Return the words of all keys of a recipe, found once as long as it stays the same object."""
    known = _WORDS.get(recipe.name)
    if known is None or known[0] is not recipe:
        words = (word for text in _key_texts(recipe, names) for word in _telling(text))
        known = _WORDS[recipe.name] = recipe, frozenset(words) - _torch_classes()
    return known[1]


def _key_texts(rules: Any, names: frozenset[str]) -> Iterator[str]:
    """Yield the texts of a table's keys, and of tables and recipes within: no scheme is read."""
    if isinstance(rules, str) and rules.partition("(")[0] in names:
        rules = describe_recipe(rules.partition("(")[0])
    if isinstance(rules, Recipe):
        rules = _table_of(rules)
    if isinstance(rules, Rule):
        yield str(rules.matcher)
    elif isinstance(rules, Mapping):
        for key, value in rules.items():
            yield str(getattr(key, "__name__", key))
            yield from _key_texts(value, names)
    elif isinstance(rules, tuple | list) and not isinstance(rules, Shared):
        yield from (str(entry) for entry in rules if isinstance(rules, tuple))  # key and value
        for entry in rules:
            yield from _key_texts(entry, names)


def _table_of(recipe: Recipe) -> Any:
    """Return a recipe's table, empty where it needs what only the user knows."""
    try:
        return recipe.table
    except OptionError:
        return {}


def _read(recipe: Recipe) -> RuleTable:
    """Return a recipe's rules, read once as long as it stays the same object."""
    known = _READ.get(recipe.name)
    if known is None or known[0] is not recipe:
        try:
            clauses = read_rules(recipe)
        except OptionError:
            clauses = []
        known = _READ[recipe.name] = recipe, RuleTable(clauses)
    return known[1]


def marks_of(recipe: Recipe, view: ModelView) -> list[Matcher]:
    """Return the marks of a recipe that can be looked for in a model."""
    mention = Mention.of(recipe)
    return [mention.marks[place] for place in mention.judged(view.root is not None)]


def own_rules(
    view: ModelView, recipes: Iterable[Recipe], kinds: Sequence[Kind]
) -> dict[str, list[bool]]:
    """Tell for which kinds each recipe has rules about its family; for none without its marks.

    What no code speaks for is judged by its rules. Those of a recipe that shares no word with the
    model are not even read.
    """
    slots = [slot for kind in kinds for slot in kind.slots]
    names = frozenset(list_recipes()) - {"torch_default"}
    words = [(recipe, _words_of(recipe, names)) for recipe in recipes]
    every = " ".join({_held(kind) for kind in kinds})
    known = {word for _, own in words for word in own}
    held = {word for word in known if word in every}

    def owns(recipe: Recipe) -> list[bool]:
        if any(not any(mark.matches(s, s.name) for s in slots) for mark in marks_of(recipe, view)):
            return [False] * len(kinds)
        resolver = Resolver(view, _read(recipe))
        return [_speaks_of_family(_winner(resolver, kind.slots), kind) for kind in kinds]

    nothing = [False] * len(kinds)
    return {r.name: nothing if w.isdisjoint(held) else owns(r) for r, w in words}


def rarity(own: Mapping[str, Sequence[bool]], kinds: Sequence[Kind]) -> list[float]:
    """Return 1/(the number of families that have a rule of their own) for each kind."""
    takers = [
        {name.partition("/")[0] for name, marks in own.items() if marks[i]}
        for i in range(len(kinds))
    ]
    return [1 / max(len(families), 1) for families in takers]


def _winner(resolver: Resolver, slots: Iterable[Slot]) -> Clause | None:
    """Return the clause that starts a tensor by the first of its names with one that can."""
    choices = (next(resolver.choices(slot), None) for slot in slots)
    able = (choice.clause for choice in choices if choice is not None and choice.error is None)
    return next(able, None)


def _speaks_of_family(clause: Clause | None, kind: Kind) -> bool:
    """Tell a rule about this family's parts from one about every Linear, norm or bias.

    What counts are the words of the rule that the parameter's names or classes really hold.
    """
    return clause is not None and any(word in _held(kind) for word in _words(clause))


def _held(kind: Kind) -> str:
    return " ".join([*kind.classes, *(slot.name for slot in kind.slots)])


def _words(clause: Clause) -> frozenset[str]:
    """Return the words of a rule that tell of a family; none of one that speaks of any network."""
    if clause.shared or isinstance(clause.matcher, HasTorchDefault | Role):
        return frozenset()
    words = _telling(clause.text)
    if isinstance(clause.matcher, Type | ParameterOf | All) and words & _torch_classes():
        return frozenset()
    return words - _torch_classes()


@lru_cache(maxsize=65536)
def _telling(text: str) -> frozenset[str]:
    text = text.replace("\\w", "").replace("\\d", "")
    words = re.findall(r"[A-Za-z_]\w+", text)
    return frozenset(word for word in words if word.lower() not in _EVERYWHERE)


@lru_cache(maxsize=1)
def _torch_classes() -> frozenset[str]:
    bases = {"_BatchNorm", "_ConvNd", "_NormBase", "_InstanceNorm"}
    return frozenset(name for name in dir(torch.nn) if name[0].isupper()) | bases
