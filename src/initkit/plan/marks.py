"""Recipes that are not for a model, or fit half of it: what makes them themselves is not there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from torch import nn

from ..errors import Problem, RecipeMisfit
from ..model import ModelView, Slot, kind_of
from ..rules import LIBRARIES, Clause, Mention, Recipe, Rules, follows, recipes_for
from .plan import Plan
from .step import LEFT_OUT, PROTECTED, Step

Replan: TypeAlias = Callable[[Rules], Plan]


def find_misfits(
    clauses: Sequence[Clause],
    used: Collection[int],
    steps: Sequence[Step],
    view: ModelView,
    replan: Replan,
) -> Iterator[Misfit]:
    """Yield what is wrong with the recipes that rules name.

    A recipe none of whose marks is in the model is not for it; nor is one of another family of the
    library whose code the model is, where that code starts something otherwise. Of others some
    marks may be missing. ``used`` are the places of the rules that decided something, for
    ``steps``: a recipe of which none did is an idle one. ``replan`` plans the same model by other
    rules.
    """
    live = (clause.mention for place, clause in enumerate(clauses) if place in used)
    for mention in {id(m): m for m in live if m is not None}.values():
        missing = missing_marks(mention, view, view.slots)
        wholly = _is_all(missing, mention, view)
        right = _right(mention, view, wholly=wholly)
        if wholly:
            yield Misfit(mention, _refusal(mention, missing, right), wholly)
            continue
        labels = {clause.label for clause in clauses if clause.mention is mention} if right else ()
        mine = [s for s in steps if s.rule in labels and s.status not in (LEFT_OUT, PROTECTED)]
        if other := _otherwise(mention.path, right, mine, replan):
            yield Misfit(mention, _refusal(mention, (), right[:1], other), wholly=True)
        elif missing:
            yield Misfit(mention, _half(mention, missing), wholly)


@dataclass(frozen=True, slots=True)
class Misfit:
    """A recipe that is not for a model, ``wholly`` or in part."""

    mention: Mention
    text: str
    wholly: bool

    def is_problem(self, strict: bool) -> bool:
        """Whether it is refused: who insists gets it, with a remark."""
        return not self.mention.insist if self.wholly else strict

    @property
    def problem(self) -> Problem:
        """The error that it is."""
        return RecipeMisfit(self.text, rule=self.mention.recipe.label)


def _otherwise(path: str, right: Sequence[Recipe], mine: Sequence[Step], replan: Replan) -> str:
    """Return the first of some steps that the right recipe starts otherwise, and how; or ""."""
    if not right or not mine:
        return ""
    theirs = replan({path: right[0]} if path else right[0])
    return next(filter(None, (_differs(step, theirs) for step in mine)), "")


def _differs(step: Step, theirs: Plan) -> str:
    """Return how another plan starts a step, where it does so otherwise; else ""."""
    other = theirs[step.name]
    same = (step.status, step.distribution) == (other.status, other.distribution)
    return "" if same else f"{step.name} as {other.start}, not {step.start}"


def has_no_mark(recipe: Recipe, view: ModelView, slots: Sequence[Slot]) -> bool:
    """Say whether a model is refused by a recipe for want of marks, looked for among some slots."""
    mention = Mention.of(recipe)
    return _is_all(missing_marks(mention, view, slots), mention, view)


def _is_all(missing: Sequence[str], mention: Mention, view: ModelView) -> bool:
    return bool(missing) and len(missing) == len(mention.judged(view.root is not None))


def missing_marks(mention: Mention, view: ModelView, slots: Sequence[Slot]) -> list[str]:
    """Return the marks that match no slot, as the recipe spells them; none outside its scope.

    Marks tell a family from its cousins. Where code tells it, nothing is missing: a tower by itself
    is of the family, though what marks the family stands in another part.
    """
    judged = mention.judged(view.root is not None)
    unseen = [i for i in judged if not _is_there(mention, i, slots)]
    if unseen and _is_only_follower(mention, view):
        return []
    return [mention.recipe.marks[i] for i in unseen]


def _is_only_follower(mention: Mention, view: ModelView) -> bool:
    """Say whether a recipe, and no other, follows the code of the class that it is to start."""
    root, recipe = _part(view.root, mention.path), mention.recipe
    own = [
        place for place in _code_of([root] if root is not None else []) if follows(recipe, place)
    ]
    return any(len(recipes_for(place)) == 1 for place in own)


def _is_there(mention: Mention, place: int, slots: Sequence[Slot]) -> bool:
    takes = mention.marks[place].matches
    return any(takes(slot, name) for slot in slots for name in (*slot.paths, *slot.canonicals))


def _refusal(
    mention: Mention, missing: Sequence[str], right: Sequence[Recipe], other: str = ""
) -> str:
    name = mention.recipe.label
    what = f"the part {mention.path!r}" if mention.path else "this model"
    lacks = f", which has nothing called {_listed(missing)}" if missing else ""
    text = f"the recipe {name} is not for {what}{lacks}"
    if right:
        text += f"; its own code starts as {' or '.join(recipe.name for recipe in right)} says"
    if other:
        text += f": {other}"
    if mention.insist:
        return f"{text}; it is applied all the same, as insist=True says"
    text += "" if right else "; suggest_recipe(model) names those that fit"
    return f"{text}. To apply it all the same, write {mention.recipe(insist=True).label}"


def _right(mention: Mention, view: ModelView, *, wholly: bool) -> list[Recipe]:
    """Return the recipes that follow the code of the model, where the one that is named does not.

    Beside a recipe of another library, or of none, the code says something only if ``wholly`` no
    mark is there: who starts timm's ResNet as torchvision does knows what they are about.
    """
    root, recipe = _part(view.root, mention.path), mention.recipe
    if root is None or not (wholly or recipe.libraries):
        return []
    places = _code_of(root.modules())
    if any(follows(recipe, place) for place in places):
        return []
    alike = [place for place in places if place.partition(".")[0] in recipe.libraries]
    asked = _code_of([root]) if wholly else alike
    found = next(filter(None, map(recipes_for, asked)), [])
    return [other for other in found if other.name != recipe.name]


def _part(root: nn.Module | None, path: str) -> nn.Module | None:
    """Return the module at a path; None where there is none, as of a glob."""
    for name in path.split(".") if path else ():
        root = getattr(root, name, None)
    return root if isinstance(root, nn.Module) else None


def _code_of(modules: Iterable[nn.Module]) -> list[str]:
    """Return the Python modules that the classes of some modules are from, the outermost first."""
    kinds = dict.fromkeys(map(kind_of, modules))
    return list(dict.fromkeys(place for kind in kinds for place in _places(kind)))


def _places(kind: type) -> Iterator[str]:
    """Yield where a class is from and those that it extends, up to a library's own.

    What that extends is the library's common base, which tells nothing of a family.
    """
    for cls in kind.__mro__:
        yield cls.__module__
        if cls.__module__.partition(".")[0] in LIBRARIES:
            return


def _half(mention: Mention, missing: Sequence[str]) -> str:
    where = f" in {mention.path!r}" if mention.path else ""
    return (
        f"the recipe {mention.recipe.label} finds only a part of what it is about{where}: nothing "
        f"is called {_listed(missing)}"
    )


def _listed(marks: Sequence[str]) -> str:
    return " or ".join(map(repr, marks))
