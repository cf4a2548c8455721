"""Recipes that are not for a model, or fit half of it: what makes them themselves is not there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from torch import nn

from ..errors import OptionError, Problem, RecipeMisfit
from ..model import ModelView, Slot, kind_of
from ..rules import Clause, Mention, Recipe, follows, recipes_for


def find_misfits(
    clauses: Sequence[Clause], used: Collection[int], view: ModelView, strict: bool
) -> tuple[list[Problem], list[str]]:
    """Return what is wrong with the recipes that rules name, and what to remark on them.

    A recipe none of whose marks is in the model, or whose model is another family's code of the
    same library, is refused, unless the user insists; marks that are missing beside others are
    remarked on, and under ``strict`` they are wrong. ``used`` are the places of the rules that
    decided something: a recipe of which none did is an idle one.
    """
    problems: list[Problem] = []
    remarks: list[str] = []
    live = (clause.mention for place, clause in enumerate(clauses) if place in used)
    for mention in {id(m): m for m in live if m is not None}.values():
        missing = _missing(mention, view)
        wholly = bool(missing) and len(missing) == len(mention.judged(view.root is not None))
        right = _right(mention, view, wholly)
        if not missing and not right:
            continue
        refused = wholly or bool(right)
        text = (
            _refusal(mention, missing if wholly else (), right)
            if refused
            else _half(mention, missing)
        )
        if not mention.insist if refused else strict:
            problems.append(RecipeMisfit(text, rule=mention.recipe.label))
        else:
            remarks.append(text)
    return problems, remarks


def _missing(mention: Mention, view: ModelView) -> list[str]:
    """Return the marks that match no slot, as the recipe spells them; none outside its scope."""
    judged = mention.judged(view.root is not None)
    unseen = [i for i in judged if not _is_there(mention, i, view.slots)]
    return [mention.recipe.marks[i] for i in unseen]


def _is_there(mention: Mention, place: int, slots: Sequence[Slot]) -> bool:
    takes = mention.marks[place].matches
    return any(takes(slot, name) for slot in slots for name in (*slot.paths, *slot.canonicals))


def _refusal(mention: Mention, missing: Sequence[str], right: Sequence[Recipe]) -> str:
    name = mention.recipe.label
    what = f"the part {mention.path!r}" if mention.path else "this model"
    lacks = f", which has nothing called {_listed(missing)}" if missing else ""
    text = f"the recipe {name} is not for {what}{lacks}"
    if right:
        text += f"; its own code starts as {' or '.join(r.name for r in right)} says"
    if mention.insist:
        return f"{text}; it is applied all the same, as insist=True says"
    text += "" if right else "; suggest_recipe(model) names those that fit"
    return f"{text}. To apply it all the same, write {mention.recipe(insist=True).label}"


def _right(mention: Mention, view: ModelView, wholly: bool) -> list[Recipe]:
    """Return the recipes that follow the code of the model, where the one that is named does not.

    Beside a recipe of another library, or of none, the code says something only if ``wholly`` no
    mark is there: who starts timm's ResNet as torchvision does knows what they are about.
    """
    root = _part(view.root, mention.path)
    if root is None:
        return []
    recipe = mention.recipe
    places = _code_of(root.modules())
    if any(follows(recipe, place) for place in places):
        return []
    alike = [place for place in places if place.partition(".")[0] in recipe.libraries]
    asked = _code_of([root]) if wholly else alike
    found = next(filter(None, map(recipes_for, asked)), [])
    if not wholly and any(_same_rules(recipe, other) for other in found):
        return []
    return [other for other in found if other.name != recipe.name]


def _part(root: nn.Module | None, path: str) -> nn.Module | None:
    """Return the module at a path; None where there is none, as of a glob."""
    for name in path.split(".") if path else ():
        root = getattr(root, name, None)
    return root if isinstance(root, nn.Module) else None


def _code_of(modules: Iterable[nn.Module]) -> list[str]:
    """Return the Python modules that the classes of some modules are from, the outermost first."""
    kinds = dict.fromkeys(map(kind_of, modules))
    return list(dict.fromkeys(cls.__module__ for kind in kinds for cls in kind.__mro__))


def _same_rules(one: Recipe, other: Recipe) -> bool:
    try:
        return one.rows == other.rows
    except OptionError:  # it needs an option before it has rules
        return False


def _half(mention: Mention, missing: Sequence[str]) -> str:
    where = f" in {mention.path!r}" if mention.path else ""
    return (
        f"the recipe {mention.recipe.label} finds only a part of what it is about{where}: nothing "
        f"is called {_listed(missing)}"
    )


def _listed(marks: Sequence[str]) -> str:
    return " or ".join(map(repr, marks))
