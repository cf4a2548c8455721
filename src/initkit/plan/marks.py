"""Recipes that are not for a model, or fit half of it: what makes them themselves is not there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ..errors import Problem, RecipeMisfit
from ..model import ModelView, Slot
from ..rules import Clause, Mention, recipes_for


def find_misfits(
    clauses: Sequence[Clause], used: Collection[int], view: ModelView, strict: bool
) -> tuple[list[Problem], list[str]]:
    """Return what is wrong with the recipes that rules name, and what to remark on them.

    A recipe none of whose marks is in the model is refused, unless the user insists; marks that are
    missing beside others are remarked on, and under ``strict`` they are wrong. ``used`` are the
    places of the rules that decided something: a recipe of which none did is an idle one.
    """
    problems: list[Problem] = []
    remarks: list[str] = []
    live = (clause.mention for place, clause in enumerate(clauses) if place in used)
    for mention in {id(m): m for m in live if m is not None}.values():
        missing = _missing(mention, view)
        if not missing:
            continue
        wholly = len(missing) == len(mention.judged(view.root is not None))
        text = _refusal(mention, missing, view) if wholly else _half(mention, missing)
        if (wholly and not mention.insist) or (strict and not wholly):
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


def _refusal(mention: Mention, missing: Sequence[str], view: ModelView) -> str:
    name = mention.recipe.label
    what = f"the part {mention.path!r}" if mention.path else "this model"
    text = f"the recipe {name} is not for {what}, which has nothing called {_listed(missing)}"
    if mention.insist:
        return f"{text}; it is applied all the same, as insist=True says"
    right = " or ".join(_right(mention, view))
    return (
        f"{text}; "
        + (
            f"its own code starts as {right} says. "
            if right
            else "suggest_recipe(model) names those that fit. "
        )
        + f"To apply it all the same, write {mention.recipe(insist=True).label}"
    )


def _right(mention: Mention, view: ModelView) -> Iterator[str]:
    """Yield the recipes that follow the code of the model's class."""
    root = view.root
    for path in mention.path.split(".") if mention.path and root is not None else ():
        root = getattr(root, path, None)
    for recipe in recipes_for(type(root).__module__) if root is not None else ():
        if recipe.name != mention.recipe.name:
            yield recipe.name


def _half(mention: Mention, missing: Sequence[str]) -> str:
    where = f" in {mention.path!r}" if mention.path else ""
    return (
        f"the recipe {mention.recipe.label} finds only a part of what it is about{where}: nothing "
        f"is called {_listed(missing)}"
    )


def _listed(marks: Sequence[str]) -> str:
    return " or ".join(map(repr, marks))
